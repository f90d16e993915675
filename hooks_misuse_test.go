package jobstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// A hook that panics, or ends its goroutine, reaches one caller at most. All
// others get what they came for, and the store goes on.
func TestHooksThatMisbehave(t *testing.T) {
	panics := func() { panic("hook") }
	for name, misbehave := range map[string]func(){"panic": panics, "goexit": runtime.Goexit} {
		for _, hook := range []string{"OnCommit", "Now", "OnPage"} {
			t.Run(hook+" "+name, func(t *testing.T) { testHook(t, hook, misbehave) })
		}
	}
}

func testHook(t *testing.T, hook string, misbehave func()) {
	ctx := context.Background()
	var on atomic.Bool
	var calls, misbehaved atomic.Int64
	act := func() {
		if on.Load() && calls.Add(1)%3 == 1 {
			misbehaved.Add(1)
			misbehave()
		}
	}
	o := &jobstore.Options{NoSync: true}
	switch hook {
	case "OnCommit":
		o.OnCommit = func(jobstore.Commit) { act() }
	case "Now":
		o.Now = func() time.Time { act(); return time.Now() }
	case "OnPage":
		o.OnPage = func(jobstore.Plan) { act() }
	}
	s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), o)
	require.NoError(t, err)
	require.NoError(t, s.Create(ctx, &jobstore.Job{Kind: jobstore.KindVideo, Input: "x"}))
	on.Store(true)

	const callers = 60
	var wg sync.WaitGroup
	var reached atomic.Int64
	acknowledged := make([]jobstore.ID, callers)
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			returned := false
			defer func() {
				if recover() != nil || !returned {
					reached.Add(1)
				}
			}()
			if hook == "OnPage" {
				_, errs[i] = s.List(ctx, jobstore.Query{})
			} else {
				job := jobstore.Job{Kind: jobstore.KindVideo, Input: fmt.Sprint(i)}
				if errs[i] = s.Create(ctx, &job); errs[i] == nil {
					acknowledged[i] = job.ID
				}
			}
			returned = true
		})
	}
	within(t, "callers", wg.Wait)
	on.Store(false)
	require.Positive(t, misbehaved.Load())
	require.LessOrEqual(t, reached.Load(), misbehaved.Load())
	for i, err := range errs {
		require.NoError(t, err)
		if id := acknowledged[i]; id != "" {
			_, err := s.Get(ctx, id)
			require.NoError(t, err)
		}
	}
	within(t, "a later Create", func() { require.NoError(t, s.Create(ctx, &jobstore.Job{Kind: jobstore.KindVideo, Input: "x"})) })
	require.Empty(t, problems(t, s))
	within(t, "Close", func() { require.NoError(t, s.Close()) })
}

// within fails the test if fn hangs.
func within(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: hangs", what)
	}
}
