package jobstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// TestManyReadersHeldOpen holds hundreds of walks open while the store is
// written to. None keeps a snapshot: the file does not grow for their sake, no
// writer waits, and each walk sees every job once that was there throughout.
func TestManyReadersHeldOpen(t *testing.T) {
	const readers, jobs = 300, 50
	path := storePath(t)
	s := openStore(t, path, nil)
	for i := range jobs {
		require.NoError(t, s.Put(t.Context(), newJob(jobstore.ID(fmt.Sprintf("job_stays-%02d", i)))))
	}
	type reader struct {
		next func() (jobstore.Job, error, bool)
		seen map[jobstore.ID]int
	}
	var held []reader
	for range readers {
		next, stop := iter.Pull2(s.All(t.Context(), jobstore.Query{Kind: jobstore.KindVideo}))
		t.Cleanup(stop)
		job, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		held = append(held, reader{next, map[jobstore.ID]int{job.ID: 1}})
	}
	before, err := s.Stats(t.Context())
	require.NoError(t, err)

	for i := range 200 {
		job := newJob("job_stays-00")
		job.Output = fmt.Sprint(i)
		require.NoError(t, s.Put(t.Context(), job, newJob(jobstore.ID(fmt.Sprintf("job_comes-%d", i%10)))))
		_, err := s.Delete(t.Context(), jobstore.ID(fmt.Sprintf("job_comes-%d", (i+5)%10)))
		require.NoError(t, err)
	}
	after, err := s.Stats(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, after.FileBytes, 2*before.FileBytes)

	for _, r := range held {
		for {
			job, err, ok := r.next()
			if !ok {
				break
			}
			require.NoError(t, err)
			r.seen[job.ID]++
		}
		for i := range jobs {
			require.Equal(t, 1, r.seen[jobstore.ID(fmt.Sprintf("job_stays-%02d", i))])
		}
		for id, n := range r.seen {
			require.Equal(t, 1, n, id)
		}
	}
}

// TestCallbacksThatMisbehave has the functions that callers hand in panic, end
// their goroutine, and call the store. What they do is their callers' alone.
func TestCallbacksThatMisbehave(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	require.NoError(t, s.Put(t.Context(), newJob("job_a"), newJob("job_b")))
	update := func(fn func(*jobstore.Job) error) (jobstore.Job, error) { return s.Update(t.Context(), "job_a", fn) }

	require.PanicsWithValue(t, "mine", func() { _, _ = update(func(*jobstore.Job) error { panic("mine") }) })

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = update(func(j *jobstore.Job) error {
			j.Status = jobstore.StatusFailed
			runtime.Goexit()
			return nil
		})
		t.Error("Goexit did not end the goroutine")
	}()
	<-ended

	job, err := update(func(j *jobstore.Job) error {
		if _, err := s.Get(t.Context(), "job_b"); err != nil {
			return err
		}
		if err := s.Create(t.Context(), newJob("job_c")); err != nil && !errors.Is(err, jobstore.ErrExists) {
			return err
		}
		_, err := s.Update(t.Context(), "job_b", func(b *jobstore.Job) error {
			b.Status = jobstore.StatusCancelled
			return nil
		})
		j.Status = jobstore.StatusProcessing
		return err
	})
	require.NoError(t, err)
	require.Equal(t, jobstore.StatusProcessing, job.Status)

	// One that changes its own job from within never gets through, until it
	// leaves off.
	tries := 0
	job, err = update(func(j *jobstore.Job) error {
		if tries++; tries < 5 {
			_, err := s.Update(t.Context(), j.ID, func(j *jobstore.Job) error {
				j.Output += "+"
				return nil
			})
			return err
		}
		j.Output += "."
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "++++.", job.Output)

	// A job that its function leaves broken is refused, whatever it did with it.
	_, err = update(func(j *jobstore.Job) error {
		*j = jobstore.Job{}
		return nil
	})
	require.ErrorIs(t, err, jobstore.ErrInvalid)

	require.PanicsWithValue(t, "loop", func() {
		for range s.All(t.Context(), jobstore.Query{}) {
			panic("loop")
		}
	})
	require.PanicsWithValue(t, "progress", func() {
		for range s.CheckProgress(t.Context(), func(int64, int64) { panic("progress") }) {
			t.Error("check found something")
		}
	})

	_, err = update(func(j *jobstore.Job) error {
		require.NoError(t, s.Close())
		return nil
	})
	require.ErrorIs(t, err, jobstore.ErrClosed)
}

// TestContexts ends the context of every method before it starts: nothing is
// read, nothing written, and the error is that of the context.
func TestContexts(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	require.NoError(t, s.Put(t.Context(), newJob("job_a")))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()

	for want, ctx := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: expired} {
		for name, call := range map[string]func() error{
			"Create": func() error { return s.Create(ctx, newJob("job_b")) },
			"Put":    func() error { return s.Put(ctx, newJob("job_b")) },
			"Update": func() error {
				_, err := s.Update(ctx, "job_a", func(*jobstore.Job) error { panic("called") })
				return err
			},
			"Delete":  func() error { _, err := s.Delete(ctx, "job_a"); return err },
			"Get":     func() error { _, err := s.Get(ctx, "job_a"); return err },
			"List":    func() error { _, err := s.List(ctx, jobstore.Query{}); return err },
			"Count":   func() error { _, err := s.Count(ctx, jobstore.Query{}); return err },
			"Explain": func() error { _, err := s.Explain(ctx, jobstore.Query{}); return err },
			"Stats":   func() error { _, err := s.Stats(ctx); return err },
			"Backup":  func() error { _, err := s.Backup(ctx, io.Discard); return err },
			"All":     func() error { return lastError(s.All(ctx, jobstore.Query{})) },
			"Check":   func() error { return lastError(s.Check(ctx)) },
		} {
			require.ErrorIs(t, call(), want, name)
		}
	}

	// One that ends in the middle of a walk ends the walk.
	for i := range 200 {
		require.NoError(t, s.Put(t.Context(), newJob(jobstore.ID(fmt.Sprintf("job_%d", i)))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, last := 0, error(nil)
	for _, err := range s.All(ctx, jobstore.Query{}) {
		cancel()
		seen++
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, seen, 150)

	page, err := s.List(t.Context(), jobstore.Query{Limit: 100})
	require.NoError(t, err)
	require.Len(t, page.Jobs, 100)
}

func lastError[T any](seq iter.Seq2[T, error]) (last error) {
	for _, err := range seq {
		last = err
	}
	return last
}

// otherProcess is the variable that makes this binary play the other process of
// TestTwoProcesses and TestNoPermission: its value is what to do.
const otherProcess = "JOBSTORE_TEST_OTHER_PROCESS"

// TestOtherProcess is no test but the other process.
func TestOtherProcess(t *testing.T) {
	path, done := os.Getenv("JOBSTORE_TEST_PATH"), bufio.NewScanner(os.Stdin)
	switch os.Getenv(otherProcess) {
	case "hold": // until the standard input ends
		s, err := jobstore.Open(path, &jobstore.Options{LockTimeout: 30 * time.Second})
		if err == nil {
			err = s.Create(t.Context(), newJob(""))
		}
		fmt.Println("holds:", err)
		for done.Scan() {
		}
		fmt.Println("closed:", s.Close())
	case "open":
		s, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond})
		if err == nil {
			err = s.Close()
		}
		fmt.Println("locked:", errors.Is(err, jobstore.ErrLocked), "forbidden:", errors.Is(err, fs.ErrPermission), err)
	case "read":
		s, err := jobstore.Open(path, &jobstore.Options{ReadOnly: true})
		if err == nil {
			_, err = s.Get(t.Context(), "job_a")
			err = errors.Join(err, s.Close())
		}
		fmt.Println("read:", err)
	default:
		t.Skip("plays a part in other tests alone")
	}
}

// other starts the other process, and returns its input and output.
func other(t *testing.T, part, path string, change func(*exec.Cmd)) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOtherProcess$")
	cmd.Env = append(os.Environ(), otherProcess+"="+part, "JOBSTORE_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	if change != nil {
		change(cmd)
	}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { _, _ = in.Close(), cmd.Wait() }) })
	return cmd, in, bufio.NewScanner(out)
}

func line(t *testing.T, out *bufio.Scanner) string {
	t.Helper()
	require.True(t, out.Scan())
	return out.Text()
}

// TestTwoProcesses has two processes at one file: it is one's at a time, also
// when the one that has it dies.
func TestTwoProcesses(t *testing.T) {
	path := storePath(t)
	mine := openStore(t, path, &jobstore.Options{})
	require.NoError(t, mine.Put(t.Context(), newJob("job_a")))

	_, _, out := other(t, "open", path, nil)
	require.Contains(t, line(t, out), "locked: true")

	cmd, _, out := other(t, "hold", path, nil) // waits for the lock
	require.NoError(t, mine.Create(t.Context(), newJob("")))
	closeStore(t, mine)
	require.Equal(t, "holds: <nil>", line(t, out))
	_, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond})
	require.ErrorIs(t, err, jobstore.ErrLocked)
	require.ErrorContains(t, err, path)
	_, err = jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond, ReadOnly: true})
	require.ErrorIs(t, err, jobstore.ErrLocked)

	require.NoError(t, cmd.Process.Kill())
	mine = openStore(t, path, &jobstore.Options{LockTimeout: 30 * time.Second})
	n, err := mine.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	require.EqualValues(t, 3, n, "what the process that was killed had written is there")
}

// TestNoPermission opens a file that may be read alone, in a folder that may not
// be written to: it can be read, and nothing is altered by trying more.
func TestNoPermission(t *testing.T) {
	dir, err := os.MkdirTemp("", "jobstore-test-") // t.TempDir lies in a folder of root's own
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, os.Chmod(dir, 0o700))
		require.NoError(t, os.RemoveAll(dir))
	})
	path := filepath.Join(dir, "jobs.db")
	makeStore(t, path)
	require.NoError(t, os.Chmod(path, 0o444))
	require.NoError(t, os.Chmod(dir, 0o555))
	before := snapshot(t, dir)
	nobody := asNobody(t)

	for _, missing := range []string{path, filepath.Join(dir, "new.db")} {
		_, _, out := other(t, "open", missing, nobody)
		require.Contains(t, line(t, out), "locked: false forbidden: true")
	}
	_, _, out := other(t, "read", path, nobody)
	require.Equal(t, "read: <nil>", line(t, out))
	require.Equal(t, before, snapshot(t, dir))
}
