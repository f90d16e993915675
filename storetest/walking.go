package storetest

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func testAllMatchesModel(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(350) // more than three of the largest pages
	f.put(jobs...)
	m := newModel(jobs...)
	for q := range eachQuery {
		for _, q := range []jobstore.Query{
			q, with(q, "job_0222", ""), with(q, "", "job_0222"),
			with(q, "job_0100", "job_0300"), with(q, "job_0300", "job_0100"),
		} {
			q.Limit = 3 // ignored
			requireJobs(t, m.between(q), f.all(q), "all %s", describe(q))
		}
	}
	q := jobstore.Query{Limit: -1}
	requireJobs(t, m.matching(q), f.all(q), "a limit that List refuses is ignored too")
}

// testAllBrokenOff leaves loops early in every way, and then writes and closes. A
// snapshot that was left open would block that.
func testAllBrokenOff(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(numbered(250)...)
	ctx := t.Context()
	for _, stopAt := range []int{1, 20, 21, 120, 250} {
		n := 0
		for _, err := range f.All(ctx, jobstore.Query{}) {
			require.NoError(t, err)
			if n++; n == stopAt {
				break
			}
		}
		require.Equal(t, stopAt, n)
		f.put(newJob("job_new"))
		f.delete("job_new")
	}
	require.PanicsWithValue(t, "out of the loop", func() {
		for _, err := range f.All(ctx, jobstore.Query{}) {
			require.NoError(t, err)
			panic("out of the loop")
		}
	})
	walk := f.All(ctx, jobstore.Query{})
	for range 2 {
		n := 0
		for _, err := range walk {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 250, n, "a walk can be walked again")
	}
	f.reopen()
	require.Len(t, f.all(jobstore.Query{}), 250)
}

// testAllWritesInside changes the store in the body of the loop, ahead of the walk and
// behind it.
func testAllWritesInside(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := numbered(300)
	f.put(jobs...)
	var seen []jobstore.ID
	for job, err := range f.All(t.Context(), jobstore.Query{Order: jobstore.Asc, Status: jobstore.StatusQueued}) {
		require.NoError(t, err)
		seen = append(seen, job.ID)
		f.update(job.ID, func(j *jobstore.Job) { j.Status = jobstore.StatusProcessing })
		if n := len(seen); n%10 == 0 {
			f.put(newJob(jobs[n/2].ID + "x")) // behind the walk
			f.delete(jobs[n/2].ID)
		}
	}
	require.Equal(t, len(jobs), len(seen))
	for i, j := range jobs {
		require.Equal(t, j.ID, seen[i])
	}

	// Everything is deleted while it is read.
	n := f.stats().Jobs
	for job, err := range f.All(t.Context(), jobstore.Query{}) {
		require.NoError(t, err)
		require.Equal(t, 1, f.delete(job.ID))
		n--
	}
	require.Zero(t, n)
	require.Zero(t, f.stats().Jobs)
}

func testAllCloseInside(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(numbered(250)...)
	seen := 0
	var last error
	for _, err := range f.All(t.Context(), jobstore.Query{}) {
		if last = err; err != nil {
			continue // and then it must end
		}
		if seen++; seen == 1 {
			f.open = false
			require.NoError(t, f.Close())
		}
	}
	require.ErrorIs(t, last, jobstore.ErrClosed)
	require.Less(t, seen, 250)
	f.start()
}

// testAllPulled reads with iter.Pull and stops in the middle of the walk.
func testAllPulled(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(numbered(120)...)
	next, stop := iter.Pull2(f.All(t.Context(), jobstore.Query{Order: jobstore.Asc}))
	defer stop()
	for i := range 60 {
		job, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		require.Equal(t, numbered(60)[i].ID, job.ID)
	}
	f.put(newJob("job_9999"))
	f.delete("job_0120")
	f.reopen()
	stop()
	_, _, ok := next()
	require.False(t, ok)
}

func testAllErrors(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(numbered(500)...)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range f.All(ctx, jobstore.Query{}) {
		require.NoError(t, last, "after an error the walk ends")
		if last = err; err == nil {
			seen++
		}
		cancel()
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, seen, 500, "the context is looked at before every page")

	steps := 0
	for _, err := range f.All(t.Context(), jobstore.Query{After: "nonsense"}) {
		requireField(t, err, "after")
		steps++
	}
	require.Equal(t, 1, steps)
}
