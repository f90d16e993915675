package jobstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// A handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func queuedVideo(input string) *jobstore.Job {
	return &jobstore.Job{Kind: jobstore.KindVideo, Input: input}
}

func countAll(t *testing.T, s *jobstore.Store) int64 {
	t.Helper()
	n, err := s.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	return n
}

func TestCreateOnceRepeats(t *testing.T) {
	clock := newHandClock()
	path := storePath(t)
	options := &jobstore.Options{NoSync: true, Now: clock.Now}
	s := openStore(t, path, options)

	first := queuedVideo("https://example.com/a")
	first.Tasks = json.RawMessage(`[{"id":"task_1"}]`)
	created, err := s.CreateOnce(t.Context(), "key", first)
	require.NoError(t, err)
	require.True(t, created)
	stored, err := s.Get(t.Context(), first.ID)
	require.NoError(t, err)

	// The answer is the job as it is by now, whatever the retry has stamped.
	stored, err = s.Update(t.Context(), stored.ID, func(j *jobstore.Job) error {
		j.Status = jobstore.StatusProcessing
		return nil
	})
	require.NoError(t, err)
	closeStore(t, s)
	s = openStore(t, path, options)
	clock.step(24*time.Hour - time.Millisecond)
	again := queuedVideo("https://example.com/a")
	again.Tasks, again.CreatedAt, again.StartedAt = first.Tasks, clock.Now(), clock.Now()
	created, err = s.CreateOnce(t.Context(), "key", again)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, stored, *again)
	require.EqualValues(t, 1, countAll(t, s))

	// After its time the key is as good as new.
	clock.step(time.Millisecond)
	again = queuedVideo("https://example.com/b")
	created, err = s.CreateOnce(t.Context(), "key", again)
	require.NoError(t, err)
	require.True(t, created)
	require.NotEqual(t, stored.ID, again.ID)
	require.EqualValues(t, 2, countAll(t, s))
}

func TestCreateOnceConflicts(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	draft := func() *jobstore.Job {
		return &jobstore.Job{
			Kind: jobstore.KindVideo, Input: "https://example.com/a", Output: "s3://b/k",
			Options: json.RawMessage(`{"a":1}`), Metadata: json.RawMessage(`{"b":2}`), Tasks: json.RawMessage(`[1]`),
		}
	}
	first := draft()
	_, err := s.CreateOnce(t.Context(), "key", first)
	require.NoError(t, err)
	for name, change := range map[string]func(*jobstore.Job){
		"id":       func(j *jobstore.Job) { j.ID = "job_other" },
		"kind":     func(j *jobstore.Job) { j.Kind = jobstore.KindAudio },
		"status":   func(j *jobstore.Job) { j.Status = jobstore.StatusCancelled },
		"input":    func(j *jobstore.Job) { j.Input += "/" },
		"output":   func(j *jobstore.Job) { j.Output = "" },
		"options":  func(j *jobstore.Job) { j.Options = json.RawMessage(`{"a":2}`) },
		"metadata": func(j *jobstore.Job) { j.Metadata = nil },
		"error":    func(j *jobstore.Job) { j.Error = json.RawMessage(`"e"`) },
		"tasks":    func(j *jobstore.Job) { j.Tasks = json.RawMessage(`[2]`) },
	} {
		t.Run(name, func(t *testing.T) {
			j := draft()
			change(j)
			given := *j
			created, err := s.CreateOnce(t.Context(), "key", j)
			require.ErrorIs(t, err, jobstore.ErrConflict)
			require.False(t, created)
			require.Equal(t, given, *j, "a job that was refused was touched")
		})
	}
	require.EqualValues(t, 1, countAll(t, s))

	// A status that is left out is queued, and {} is the same as nothing.
	same := draft()
	same.Status = jobstore.StatusQueued
	created, err := s.CreateOnce(t.Context(), "key", same)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID, same.ID)
}

func TestCreateOnceRefuses(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	for _, key := range []string{"", strings.Repeat("k", 256), "\xff"} {
		_, err := s.CreateOnce(t.Context(), key, queuedVideo("x"))
		require.ErrorIs(t, err, jobstore.ErrInvalid, "%q", key)
	}
	for _, j := range []*jobstore.Job{nil, {}, {ID: "x", Kind: jobstore.KindVideo, Input: "x"}} {
		_, err := s.CreateOnce(t.Context(), "key", j)
		require.ErrorIs(t, err, jobstore.ErrInvalid)
	}
	require.NoError(t, s.Create(t.Context(), &jobstore.Job{ID: "job_taken", Kind: jobstore.KindVideo, Input: "x"}))
	taken := &jobstore.Job{ID: "job_taken", Kind: jobstore.KindVideo, Input: "x"}
	_, err := s.CreateOnce(t.Context(), "key", taken)
	require.ErrorIs(t, err, jobstore.ErrExists)

	// None of these has used the key up.
	job := queuedVideo("y")
	created, err := s.CreateOnce(t.Context(), "key", job)
	require.NoError(t, err)
	require.True(t, created)

	// The job is gone, and its key still keeps a retry from making another.
	_, err = s.Delete(t.Context(), job.ID)
	require.NoError(t, err)
	created, err = s.CreateOnce(t.Context(), "key", queuedVideo("y"))
	require.ErrorIs(t, err, jobstore.ErrNotFound)
	require.False(t, created)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.CreateOnce(ctx, "other", queuedVideo("y"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = (*jobstore.Store)(nil).CreateOnce(ctx, "other", queuedVideo("y"))
	require.ErrorIs(t, err, jobstore.ErrClosed)
}

// Many callers, some with one key: one of each makes the job, the others get it.
func TestCreateOnceTogether(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	const callers, keys, rounds = 16, 5, 20
	type answer struct {
		key     string
		id      jobstore.ID
		created bool
	}
	answers := make(chan answer, callers*rounds)
	var callersDone sync.WaitGroup
	for c := range callers {
		callersDone.Go(func() {
			for r := range rounds {
				key := fmt.Sprintf("round %d, key %d", r, c%keys)
				job := queuedVideo(key)
				created, err := s.CreateOnce(context.Background(), key, job)
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
				answers <- answer{key, job.ID, created}
			}
		})
	}
	callersDone.Wait()
	close(answers)
	made, ids := map[string]int{}, map[string]jobstore.ID{}
	for a := range answers {
		if a.created {
			made[a.key]++
		}
		if id, ok := ids[a.key]; ok {
			require.Equal(t, id, a.id, a.key)
		}
		ids[a.key] = a.id
	}
	require.Len(t, made, keys*rounds)
	for key, n := range made {
		require.Equal(t, 1, n, key)
	}
	require.EqualValues(t, keys*rounds, countAll(t, s))
}

// Expired keys are cleared away by those that come later, a few at a time.
func TestCreateOnceForgets(t *testing.T) {
	clock := newHandClock()
	path := storePath(t)
	s := openStore(t, path, &jobstore.Options{NoSync: true, Now: clock.Now, OnceFor: time.Minute})
	once := func(key string) {
		t.Helper()
		_, err := s.CreateOnce(t.Context(), key, queuedVideo("x"))
		require.NoError(t, err)
	}
	kept := func() (n int) {
		t.Helper()
		closeStore(t, s)
		editFile(t, path, func(root *bbolt.Bucket) {
			n = root.Bucket([]byte("once")).Stats().KeyN
			require.Equal(t, n, root.Bucket([]byte("expiry")).Stats().KeyN)
		})
		s = openStore(t, path, &jobstore.Options{NoSync: true, Now: clock.Now, OnceFor: time.Minute})
		return n
	}
	for i := range 40 {
		once(fmt.Sprintf("old %d", i))
	}
	require.Equal(t, 40, kept())
	clock.step(time.Minute)
	for i := range 5 {
		once(fmt.Sprintf("new %d", i))
		require.Equal(t, 40-4*(i+1)+i+1, kept())
	}
	for i := range 10 {
		once(fmt.Sprintf("newer %d", i))
	}
	require.Equal(t, 15, kept(), "all the old ones have gone")
	// A key that is used again after its time leaves no second expiry behind.
	clock.step(time.Minute)
	once("newer 9")
	require.Equal(t, 15-4, kept(), "four of the new ones went, newer 9 came again")
}

// A lifetime that is negative, or less than what the store keeps of times, is
// refused.
func TestCreateOnceBadOption(t *testing.T) {
	for _, keep := range []time.Duration{-1, 1, 900 * time.Microsecond} {
		s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, OnceFor: keep})
		_, err := s.CreateOnce(t.Context(), "key", queuedVideo("x"))
		require.ErrorIs(t, err, jobstore.ErrInvalid)
	}
}

// editFile changes a closed file behind the store's back.
func editFile(t *testing.T, path string, edit func(root *bbolt.Bucket)) {
	t.Helper()
	withBolt(t, path, func(tx *bbolt.Tx) error {
		edit(tx.Bucket([]byte("jobstore")))
		return nil
	})
}

// Check notices an idempotency key without its expiry and the other way round.
func TestCheckOfOnceKeys(t *testing.T) {
	for name, edit := range map[string]func(once, expiry *bbolt.Bucket) error{
		"no expiry": func(_, expiry *bbolt.Bucket) error {
			k, _ := expiry.Cursor().First()
			return expiry.Delete(k)
		},
		"no key":    func(once, _ *bbolt.Bucket) error { return once.Delete([]byte("a")) },
		"bad value": func(once, _ *bbolt.Bucket) error { return once.Put([]byte("a"), []byte("short")) },
		"bad expiry": func(_, expiry *bbolt.Bucket) error {
			return expiry.Put([]byte("short"), nil)
		},
		"other expiry": func(_, expiry *bbolt.Bucket) error {
			return expiry.Put([]byte("12345678a"), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := storePath(t)
			s := openStore(t, path, nil)
			for _, key := range []string{"a", "b"} {
				_, err := s.CreateOnce(t.Context(), key, queuedVideo("x"))
				require.NoError(t, err)
			}
			closeStore(t, s)
			editFile(t, path, func(root *bbolt.Bucket) {
				require.NoError(t, edit(root.Bucket([]byte("once")), root.Bucket([]byte("expiry"))))
			})
			s, err := jobstore.Open(path, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			require.NotEmpty(t, problems(t, s))
		})
	}
}

func problems(t *testing.T, s *jobstore.Store) (found []string) {
	t.Helper()
	for p, err := range s.Check(t.Context()) {
		require.NoError(t, err)
		found = append(found, p.String())
	}
	return found
}
