package storetest

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// A tester is what *testing.T and *rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
	Cleanup(func())
	Context() context.Context
}

// A fixture is an open store, with what is needed to open it again. Its own methods
// are calls that have to succeed.
type fixture struct {
	Store
	t       tester
	clock   *clock
	dir     string
	options Options // beside the clock
	factory Factory
	open    bool
}

// newFixture opens an empty store, which is checked and closed at the end of t.
func newFixture(t *testing.T, factory Factory) *fixture {
	t.Helper()
	return openFixture(t, factory, t.TempDir())
}

func openFixture(t tester, factory Factory, dir string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: dir, factory: factory, clock: newClock()}
	f.start()
	t.Cleanup(f.finish)
	return f
}

// temporaryFixture is newFixture for one run of a rapid check. Such a run has no
// directory of its own.
func temporaryFixture(t tester, factory Factory) *fixture {
	dir, err := os.MkdirTemp("", "storetest")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return openFixture(t, factory, dir)
}

func (f *fixture) start() {
	f.t.Helper()
	o := f.options
	o.Now = f.clock.Now
	s, err := f.factory(f.dir, o)
	require.NoError(f.t, err, "open")
	f.Store, f.open = s, true
}

// finish checks and closes the store, unless a test has closed it.
func (f *fixture) finish() {
	f.t.Helper()
	if !f.open {
		return
	}
	f.open = false
	f.check()
	if err := f.Close(); err != nil {
		f.t.Errorf("close: %v", err)
	}
}

// check fails the test for every contradiction in the store.
func (f *fixture) check() {
	f.t.Helper()
	for problem, err := range f.Check(context.Background()) {
		if err != nil {
			f.t.Errorf("check: %v", err)
			return
		}
		f.t.Errorf("check: %s", problem)
	}
}

// reopen checks and closes the store and opens it again.
func (f *fixture) reopen() {
	f.t.Helper()
	f.finish()
	f.start()
}

func (f *fixture) put(jobs ...*jobstore.Job) {
	f.t.Helper()
	require.NoError(f.t, f.Put(f.t.Context(), jobs...), "put")
}

func (f *fixture) create(jobs ...*jobstore.Job) {
	f.t.Helper()
	require.NoError(f.t, f.Create(f.t.Context(), jobs...), "create")
}

func (f *fixture) get(id jobstore.ID) jobstore.Job {
	f.t.Helper()
	job, err := f.Get(f.t.Context(), id)
	require.NoError(f.t, err, "get %s", id)
	return job
}

func (f *fixture) update(id jobstore.ID, fn func(*jobstore.Job)) jobstore.Job {
	f.t.Helper()
	job, err := f.Update(f.t.Context(), id, func(j *jobstore.Job) error {
		fn(j)
		return nil
	})
	require.NoError(f.t, err, "update %s", id)
	return job
}

func (f *fixture) delete(ids ...jobstore.ID) int {
	f.t.Helper()
	n, err := f.Delete(f.t.Context(), ids...)
	require.NoError(f.t, err, "delete")
	return n
}

func (f *fixture) list(q jobstore.Query) jobstore.Page {
	f.t.Helper()
	page, err := f.List(f.t.Context(), q)
	require.NoError(f.t, err, "list %s", describe(q))
	return page
}

func (f *fixture) all(q jobstore.Query) []jobstore.Job {
	f.t.Helper()
	var jobs []jobstore.Job
	for job, err := range f.All(f.t.Context(), q) {
		require.NoError(f.t, err, "all %s", describe(q))
		if n := len(jobs); n > 0 && !comesFirst(q.Order, jobs[n-1].ID, job.ID) {
			// Fail at once: a walk that is out of order might never end.
			require.Fail(f.t, "out of order", "%s after %s: all %s", job.ID, jobs[n-1].ID, describe(q))
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func (f *fixture) count(q jobstore.Query) int64 {
	f.t.Helper()
	n, err := f.Count(f.t.Context(), q)
	require.NoError(f.t, err, "count %s", describe(q))
	return n
}

func (f *fixture) stats() jobstore.Stats {
	f.t.Helper()
	stats, err := f.Stats(f.t.Context())
	require.NoError(f.t, err, "stats")
	return stats
}

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2024, 3, 31, 16, 26, 40, 0, time.UTC)}
}

// Now returns the clock's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// step moves the clock by d, which may be negative, and returns its time.
func (c *clock) step(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}
