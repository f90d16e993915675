package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func testUpdateStamps(t *testing.T, open Factory) {
	f := newFixture(t, open)
	j := newJob("job_a")
	f.create(j)
	created := f.clock.Now()
	var started, finished time.Time
	for _, status := range []jobstore.Status{
		jobstore.StatusQueued, jobstore.StatusProcessing, jobstore.StatusQueued, jobstore.StatusProcessing,
		jobstore.StatusFailed, jobstore.StatusProcessing, jobstore.StatusSucceeded, jobstore.StatusCancelled,
	} {
		now := f.clock.step(time.Second)
		got := f.update("job_a", func(j *jobstore.Job) {
			j.Status = status
			j.UpdatedAt = created.Add(-time.Hour) // overwritten
		})
		if started.IsZero() && status == jobstore.StatusProcessing {
			started = now
		}
		if finished.IsZero() && final(status) {
			finished = now
		}
		require.Equal(t, status, got.Status)
		require.Equal(t, created, got.CreatedAt)
		require.Equal(t, started, got.StartedAt, "started on the first processing: %s", status)
		require.Equal(t, finished, got.FinishedAt, "finished on the first final status: %s", status)
		require.Equal(t, now, got.UpdatedAt)
		require.Equal(t, got, f.get("job_a"), "what is returned is what was stored")
	}

	// A timestamp that fn sets is kept.
	f.create(newJob("job_b"))
	given := created.Add(-time.Minute)
	got := f.update("job_b", func(j *jobstore.Job) {
		j.Status, j.StartedAt, j.FinishedAt = jobstore.StatusProcessing, given, given
	})
	require.Equal(t, given, got.StartedAt)
	require.Equal(t, given, got.FinishedAt)

	// A job that was put without CreatedAt still has none.
	f.put(newJob("job_c"))
	got = f.update("job_c", func(j *jobstore.Job) { j.Output = "s3://out" })
	require.True(t, got.CreatedAt.IsZero())
	require.Equal(t, f.clock.Now(), got.UpdatedAt)
}

// testUpdateMoves changes every field by which jobs are found.
func testUpdateMoves(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(40)
	f.put(jobs...)
	m := newModel(jobs...)
	now := f.clock.Now()
	for i, j := range skewed(41)[:40] {
		before := f.get(j.ID)
		got := f.update(j.ID, func(stored *jobstore.Job) {
			require.Equal(t, before, *stored, "fn is given the whole job")
			stored.Kind, stored.Status, stored.Input = j.Kind, j.Status, j.Input
			stored.Tasks = j.Tasks
			if i%2 == 0 {
				stored.Options, stored.Metadata, stored.Error = j.Options, j.Metadata, j.Error
			}
		})
		before.Kind, before.Status, before.Input, before.Tasks = j.Kind, j.Status, j.Input, j.Tasks
		if i%2 == 0 {
			before.Options, before.Metadata, before.Error = j.Options, j.Metadata, j.Error
		}
		want := asRead(stamped(before, now))
		m.put(&want)
		require.Equal(t, want, asRead(got))
		require.Equal(t, want, f.get(j.ID))
	}
	for q := range eachQuery {
		requirePage(t, f, m, q)
		require.EqualValues(t, len(m.matching(q)), f.count(q), describe(q))
	}
	requireStats(t, m, f.stats())
}

func testUpdateRefuses(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.create(newJob("job_a"))
	want := f.get("job_a")
	f.clock.step(time.Second)

	mine := errors.New("my own error")
	refused := func(change func(*jobstore.Job) error) error {
		got, err := f.Update(t.Context(), "job_a", change)
		require.Error(t, err)
		require.Equal(t, jobstore.Job{}, got)
		require.Equal(t, want, f.get("job_a"), "nothing has changed")
		return err
	}
	require.ErrorIs(t, refused(func(j *jobstore.Job) error {
		j.Kind = jobstore.KindAudio
		return mine
	}), mine)
	for field, change := range map[string]func(*jobstore.Job){
		"id":          func(j *jobstore.Job) { j.ID = "job_b" },
		"created_at":  func(j *jobstore.Job) { j.CreatedAt = j.CreatedAt.Add(time.Millisecond) },
		"kind":        func(j *jobstore.Job) { j.Kind = 0 },
		"status":      func(j *jobstore.Job) { j.Status = jobstore.StatusQueued | jobstore.StatusFailed },
		"input":       func(j *jobstore.Job) { j.Input = "" },
		"output":      func(j *jobstore.Job) { j.Output = "\xff" },
		"options":     func(j *jobstore.Job) { j.Options = []byte(`"text"`) },
		"metadata":    func(j *jobstore.Job) { j.Metadata = []byte(`{`) },
		"error":       func(j *jobstore.Job) { j.Error = []byte(`nonsense`) },
		"tasks":       func(j *jobstore.Job) { j.Tasks = []byte(`{}`) },
		"finished_at": func(j *jobstore.Job) { j.FinishedAt = time.Date(10000, 1, 2, 0, 0, 0, 0, time.UTC) },
	} {
		requireField(t, refused(func(j *jobstore.Job) error {
			change(j)
			return nil
		}), field)
	}

	called := false
	_, err := f.Update(t.Context(), "job_b", func(*jobstore.Job) error {
		called = true
		return nil
	})
	require.ErrorIs(t, err, jobstore.ErrNotFound)
	require.False(t, called)

	// The job is deleted after it was read and before it is written.
	_, err = f.Update(t.Context(), "job_a", func(*jobstore.Job) error {
		f.delete("job_a")
		return nil
	})
	require.ErrorIs(t, err, jobstore.ErrNotFound)
	require.Zero(t, f.stats().Jobs)
}

// testUpdatePanic has fn panic. Only its caller sees that.
func testUpdatePanic(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.create(newJob("job_a"))
	want := f.get("job_a")
	require.PanicsWithValue(t, "in fn", func() {
		_, _ = f.Update(t.Context(), "job_a", func(j *jobstore.Job) error {
			j.Kind = jobstore.KindAudio
			panic("in fn")
		})
	})
	require.Equal(t, want, f.get("job_a"))
	f.update("job_a", func(j *jobstore.Job) { j.Status = jobstore.StatusProcessing })
}

// testUpdateCounter has many goroutines add to a counter in one job. No addition is
// lost.
func testUpdateCounter(t *testing.T, open Factory) {
	f := newFixture(t, open)
	j := newJob("job_a")
	j.Output = ""
	f.create(j)
	const goroutines, each = 16, 10
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				_, err := f.Update(t.Context(), "job_a", func(j *jobstore.Job) error {
					j.Output += "+"
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, f.get("job_a").Output, goroutines*each)
}

func testDelete(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(100)
	f.put(jobs...)
	m := newModel(jobs...)
	require.Equal(t, 0, f.delete())
	require.Equal(t, 0, f.delete("job_nobody"))
	require.Equal(t, 2, f.delete("job_0003", "job_nobody", "job_0001", "job_0003"), "one named twice counts once")
	m.delete("job_0003")
	m.delete("job_0001")
	require.Equal(t, 0, f.delete("job_0003", "job_0001"), "deleted already")

	n, err := f.Delete(t.Context(), "job_0004", "nonsense", "job_0005")
	requireField(t, err, "id")
	require.Zero(t, n)

	for q := range eachQuery {
		requirePage(t, f, m, q)
		require.EqualValues(t, len(m.matching(q)), f.count(q), describe(q))
	}
	requireStats(t, m, f.stats())
	require.Equal(t, 98, f.delete(ids(f.all(jobstore.Query{}))...))
	require.Empty(t, f.all(jobstore.Query{}))
	requireStats(t, newModel(), f.stats())

	f.put(jobs...)
	requireStats(t, newModel(jobs...), f.stats())
}
