package jobstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/storetest"
)

// TestMain fails when a goroutine has outlived the store that started it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) { storetest.Run(t, openForSuite) }

func TestStorePlans(t *testing.T) { storetest.RunPlans(t, openForSuite) }

func openForSuite(dir string, o storetest.Options) (storetest.Store, error) {
	s, err := jobstore.Open(filepath.Join(dir, "jobs.db"), &jobstore.Options{
		NoSync: true, Now: o.Now, MintedOnly: o.MintedOnly,
	})
	if err != nil {
		return nil, err // not a nil *Store, which as a Store would not be nil
	}
	return s, nil
}

func storePath(t *testing.T) string { return filepath.Join(t.TempDir(), "jobs.db") }

// openStore opens a store, without syncing when o is nil. The end of t checks
// and closes it, unless t has.
func openStore(t *testing.T, path string, o *jobstore.Options) *jobstore.Store {
	t.Helper()
	if o == nil {
		o = &jobstore.Options{NoSync: true}
	}
	s, err := jobstore.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// closeStore checks and closes s. For one that is closed it does nothing.
func closeStore(t *testing.T, s *jobstore.Store) {
	t.Helper()
	if _, err := s.Stats(context.Background()); errors.Is(err, jobstore.ErrClosed) {
		return
	}
	for problem, err := range s.Check(context.Background()) {
		require.NoError(t, err, "check")
		t.Errorf("check: %s", problem)
	}
	require.NoError(t, s.Close())
}

// makeStore leaves a closed store with job_a at path.
func makeStore(t *testing.T, path string) {
	t.Helper()
	s := openStore(t, path, nil)
	require.NoError(t, s.Create(t.Context(), newJob("job_a")))
	closeStore(t, s)
}

func newJob(id jobstore.ID) *jobstore.Job {
	return &jobstore.Job{ID: id, Kind: jobstore.KindVideo, Status: jobstore.StatusQueued, Input: "s3://bucket/a.mov"}
}

// A gate is what a commit of a store stands still at while it is shut, so that what
// a test queues meanwhile is taken together afterwards.
type gate struct {
	clock bool // whether it stands still at the clock instead
	shut  atomic.Pointer[chan struct{}]
}

func (g *gate) options() *jobstore.Options {
	return &jobstore.Options{NoSync: true, OnCommit: func(jobstore.Commit) { g.wait(false) }, Now: func() time.Time {
		g.wait(true)
		return time.UnixMilli(1711900000000)
	}}
}

func (g *gate) wait(clock bool) {
	if clock != g.clock {
		return
	}
	if shut := g.shut.Load(); shut != nil {
		<-*shut
	}
}

// close shuts the gate and returns what opens it.
func (g *gate) close() (open func()) {
	shut := make(chan struct{})
	g.shut.Store(&shut)
	return func() {
		g.shut.Store(nil)
		close(shut)
	}
}

// withGate runs fn in a bubble, in which synctest.Wait returns once every call
// that fn has begun waits for the writer, and the writer for the gate.
func withGate(t *testing.T, fn func(t *testing.T, s *jobstore.Store, g *gate)) {
	path := storePath(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		fn(t, openStore(t, path, g.options()), g)
	})
}

// A pending is a call that goes on in a goroutine.
type pending struct {
	done chan struct{}
	err  error
}

func begin(call func() error) *pending {
	p := &pending{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = call()
	}()
	return p
}

// wait returns the call's error once it has returned.
func (p *pending) wait() error {
	<-p.done
	return p.err
}

// ended reports whether the call has returned.
func (p *pending) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
