package jobstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// The hooks say what was committed and how pages were read.
func TestHooks(t *testing.T) {
	var commits []jobstore.Commit
	var plans []jobstore.Plan
	s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{
		OnCommit: func(c jobstore.Commit) { commits = append(commits, c) },
		OnPage:   func(p jobstore.Plan) { plans = append(plans, p) },
	})
	require.NoError(t, err)
	ctx := context.Background()
	one := jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/1.mp4"}
	two := jobstore.Job{Kind: jobstore.KindImage, Input: "https://example.com/2.png"}
	require.NoError(t, s.Create(ctx, &one, &two))
	require.ErrorIs(t, s.Create(ctx, &one), jobstore.ErrExists)
	_, err = s.Delete(ctx, one.ID)
	require.NoError(t, err)

	page, err := s.List(ctx, jobstore.Query{Kind: jobstore.KindImage})
	require.NoError(t, err)
	require.Len(t, page.Jobs, 1)
	for range s.All(ctx, jobstore.Query{}) {
	}
	require.NoError(t, s.Close())

	require.Len(t, commits, 2, "what was refused is no commit")
	require.Equal(t, []int{2, 1}, []int{commits[0].Jobs, commits[1].Jobs})
	require.Equal(t, 1, commits[0].Operations)
	require.NoError(t, commits[0].Err)
	require.Positive(t, commits[0].Duration)
	require.Len(t, plans, 2)
	require.Equal(t, 1, plans[0].Returned)
}

// concurrently has n callers call fn at once, and counts what came of it: the
// errors, the panics and the goroutines that ended.
func concurrently(t *testing.T, n int, fn func() error) map[string]int {
	t.Helper()
	outcomes := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			outcome := "ended"
			defer func() {
				if r := recover(); r != nil {
					outcome = fmt.Sprint("panic: ", r)
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[outcome]++
			}()
			outcome = fmt.Sprint(fn())
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("callers hang")
	}
	return outcomes
}

// A hook that panics or ends its goroutine reaches one caller of those that it is
// about, and the store goes on.
func TestHooksThatFail(t *testing.T) {
	const callers = 50
	for how, fail := range map[string]func(){
		"panic: hook": func() { panic("hook") },
		"ended":       runtime.Goexit,
	} {
		for _, hook := range []string{"now", "commit", "page", "log"} {
			t.Run(hook+" "+how, func(t *testing.T) {
				var on, commits, backups, logged atomic.Int64
				failing := func() {
					if on.Load() > 0 {
						fail()
					}
				}
				o := &jobstore.Options{NoSync: true, MaxSize: 1 << 20}
				switch hook {
				case "now":
					o.Now = func() time.Time { failing(); return time.Now() }
				case "commit":
					o.OnCommit = func(c jobstore.Commit) { commits.Add(on.Load()); failing() }
				case "page":
					o.OnPage = func(jobstore.Plan) { failing() }
				case "log":
					o.Logger = slog.New(failingHandler{slog.DiscardHandler, func() { logged.Add(on.Load()); failing() }})
				}
				path := storePath(t)
				s, err := jobstore.Open(path, o)
				require.NoError(t, err)
				fill(t, s, 1)
				on.Store(1)
				outcomes := concurrently(t, callers, func() error {
					if hook == "page" {
						_, err := s.List(t.Context(), jobstore.Query{})
						return err
					}
					if hook == "log" {
						// It says that it removes what a killed backup has left.
						dst := fmt.Sprintf("%s.%d", path, backups.Add(1))
						stale := filepath.Join(filepath.Dir(path), "."+filepath.Base(dst)+".backup-1.lock")
						if err := os.WriteFile(stale, nil, 0o600); err != nil {
							return err
						}
						_, err := s.BackupFile(t.Context(), dst, nil)
						return err
					}
					return s.Create(t.Context(), mixedJob(1))
				})
				on.Store(0)
				n, err := s.Count(t.Context(), jobstore.Query{})
				require.NoError(t, err)
				switch hook {
				case "now":
					require.Equal(t, map[string]int{how: callers}, outcomes)
					require.EqualValues(t, 1, n)
				case "page":
					require.Equal(t, map[string]int{how: callers}, outcomes)
				case "commit":
					require.EqualValues(t, commits.Load(), outcomes[how], "one caller a commit")
					require.Equal(t, callers, outcomes[how]+outcomes["<nil>"])
					require.EqualValues(t, 1+callers, n)
				case "log":
					require.Equal(t, map[string]int{"<nil>": callers}, outcomes)
					require.EqualValues(t, callers, logged.Load())
				}
				fill(t, s, 5)
				closeStore(t, s)
				requireSound(t, path)
			})
		}
	}
}

type failingHandler struct {
	slog.Handler
	fail func()
}

func (h failingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h failingHandler) Handle(context.Context, slog.Record) error { h.fail(); return nil }

// A progress function that panics or ends its goroutine leaves nothing behind.
func TestProgressThatFails(t *testing.T) {
	for how, fail := range map[string]func(){
		"panic: progress": func() { panic("progress") },
		"ended":           runtime.Goexit,
	} {
		for _, stage := range []string{"copy", "check"} {
			t.Run(stage+" "+how, func(t *testing.T) {
				path := storePath(t)
				s := openStore(t, path, nil)
				fill(t, s, 500)
				progress := func(at string, _, _ int64) {
					if at == stage {
						fail()
					}
				}
				other := filepath.Join(filepath.Dir(path), "other.db")
				require.Equal(t, map[string]int{how: 1}, concurrently(t, 1, func() error {
					_, err := s.BackupFile(t.Context(), other, progress)
					return err
				}))
				closeStore(t, s)
				require.Equal(t, map[string]int{how: 1}, concurrently(t, 1, func() error {
					return jobstore.Compact(t.Context(), other, path, progress)
				}))
				require.Equal(t, map[string]int{how: 1}, concurrently(t, 1, func() error {
					_, _, err := jobstore.CompactInPlace(t.Context(), path, progress)
					return err
				}))
				require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(path)))
				requireSound(t, path)
			})
		}
	}
}

// A clock that says what is no time of a job is refused by the methods that need it.
func TestClockOutOfRange(t *testing.T) {
	for _, now := range []time.Time{
		{}, time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -5*3600)),
		time.Unix(1<<53, 0), time.Unix(1<<62, 0), time.Unix(-1<<62, 0),
	} {
		t.Run(now.String(), func(t *testing.T) {
			clock := time.Now()
			s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, Now: func() time.Time { return clock }})
			job := mixedJob(1)
			require.NoError(t, s.Create(t.Context(), job))
			clock = now
			refused := func(err error) {
				t.Helper()
				var field *jobstore.FieldError
				require.ErrorAs(t, err, &field)
				require.Equal(t, "Options.Now", field.Field)
			}
			refused(s.Create(t.Context(), mixedJob(2)))
			_, err := s.CreateOnce(t.Context(), "key", mixedJob(2))
			refused(err)
			_, err = s.Update(t.Context(), job.ID, func(j *jobstore.Job) error { j.Output = "x"; return nil })
			refused(err)
			n, err := s.Delete(t.Context(), job.ID)
			require.NoError(t, err, "which needs no clock")
			require.Equal(t, 1, n)
			clock = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
			require.NoError(t, s.Create(t.Context(), mixedJob(3)))
			clock = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
			require.NoError(t, s.Create(t.Context(), mixedJob(3)))
		})
	}
}
