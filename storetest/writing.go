package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func testCreateFills(t *testing.T, open Factory) {
	f := newFixture(t, open)
	now := f.clock.Now()
	plain := &jobstore.Job{Kind: jobstore.KindAudio, Input: "s3://a/b.wav"}
	named := &jobstore.Job{ID: "job_named", Kind: jobstore.KindImage, Input: "s3://a/b.png", Status: jobstore.StatusFailed}
	f.create(plain, named)

	minted, ok := plain.ID.Time()
	require.True(t, ok, "%s is a TypeID", plain.ID)
	require.Equal(t, now, minted)
	want := jobstore.Job{
		ID: plain.ID, Kind: jobstore.KindAudio, Input: "s3://a/b.wav", Status: jobstore.StatusQueued,
		CreatedAt: now, UpdatedAt: now,
	}
	require.Equal(t, want, *plain, "what was set is filled in, and nothing else")
	require.Equal(t, asRead(want), f.get(plain.ID))

	require.Equal(t, jobstore.ID("job_named"), named.ID)
	require.Equal(t, jobstore.StatusFailed, named.Status)
	require.Equal(t, asRead(*named), f.get("job_named"))
	f.create() // nothing
	require.EqualValues(t, 2, f.stats().Jobs)
}

func testCreateStamps(t *testing.T, open Factory) {
	f := newFixture(t, open)
	// A clock of another zone, and finer than what is kept.
	now := f.clock.step(123_456_789 * time.Nanosecond)
	kept := now.Truncate(time.Millisecond)
	earlier := kept.Add(-time.Hour)
	for _, status := range statuses {
		fresh := &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a", Status: status}
		f.create(fresh)
		require.Equal(t, kept, fresh.CreatedAt)
		require.Equal(t, kept, fresh.UpdatedAt)
		require.Equal(t, status == jobstore.StatusProcessing, fresh.StartedAt.Equal(kept), "started %s", status)
		require.Equal(t, status != jobstore.StatusProcessing, fresh.StartedAt.IsZero(), "started %s", status)
		require.Equal(t, status.Final(), fresh.FinishedAt.Equal(kept), "finished %s", status)
		require.Equal(t, !status.Final(), fresh.FinishedAt.IsZero(), "finished %s", status)
		require.Equal(t, asRead(*fresh), f.get(fresh.ID), "what was filled in is what is read")

		dated := &jobstore.Job{
			Kind: jobstore.KindVideo, Input: "s3://a", Status: status,
			CreatedAt: earlier, UpdatedAt: earlier, StartedAt: earlier, FinishedAt: earlier,
		}
		f.create(dated)
		require.Equal(t, kept, dated.CreatedAt, "created is the clock's")
		require.Equal(t, kept, dated.UpdatedAt, "updated is the clock's")
		require.Equal(t, earlier, dated.StartedAt, "started is kept")
		require.Equal(t, earlier, dated.FinishedAt, "finished is kept")
		require.Equal(t, asRead(*dated), f.get(dated.ID))
	}
}

// testCreateMints mints within a millisecond, over a clock that steps back and
// over a reopen, beside jobs that were put with IDs of the future.
func testCreateMints(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob(jobstore.FirstID(f.clock.Now().Add(time.Hour))))
	var made []jobstore.ID
	create := func(n int) {
		jobs := make([]*jobstore.Job, n)
		for i := range jobs {
			jobs[i] = newJob("")
		}
		f.create(jobs...)
		for _, j := range jobs {
			made = append(made, j.ID)
		}
	}
	for _, step := range []time.Duration{0, 0, time.Millisecond, -time.Second, time.Hour, -24 * time.Hour, 48 * time.Hour} {
		f.clock.step(step)
		create(1)
		create(100)
		f.delete(made[len(made)-1]) // what was minted last is not minted again
		create(1)
		f.reopen()
		create(1)
	}
	require.True(t, slices.IsSorted(made))
	require.Len(t, slices.Compact(made), len(made))
	for _, id := range made {
		_, ok := id.Time()
		require.True(t, ok, "%s is a TypeID", id)
	}
}

func testCreateAllOrNothing(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_taken"))
	bad := newJob("job_bad")
	bad.Input = ""
	for what, last := range map[string]*jobstore.Job{
		"an ID that is taken":   newJob("job_taken"),
		"an ID given twice":     newJob("job_a"),
		"a job without input":   bad,
		"a job that is nil":     nil,
		"an ID that is no ID":   newJob("a"),
		"a kind that is no one": {ID: "job_k", Kind: jobstore.KindAudio | jobstore.KindVideo, Input: "s3://a"},
	} {
		first, second := newJob("job_a"), newJob("")
		err := f.Create(t.Context(), first, second, last)
		if last != nil && (last.ID == "job_taken" || last.ID == "job_a") {
			require.ErrorIs(t, err, jobstore.ErrExists, what)
		} else {
			require.ErrorIs(t, err, jobstore.ErrInvalid, what)
		}
		require.Equal(t, newJob("job_a"), first, "untouched after %s", what)
		require.Equal(t, newJob(""), second, "untouched after %s", what)
		require.Equal(t, []jobstore.ID{"job_taken"}, ids(f.all(jobstore.Query{})), what)
		require.EqualValues(t, 1, f.stats().Jobs, what)
	}
	require.Equal(t, asRead(*newJob("job_taken")), f.get("job_taken"))
}

func testPutExactlyAsGiven(t *testing.T, open Factory) {
	f := newFixture(t, open)
	var jobs []*jobstore.Job
	for i, status := range statuses {
		j := newJob(jobstore.ID("job_" + string(rune('a'+i))))
		j.Status = status // and no timestamps, though the status says there were some
		jobs = append(jobs, j)
	}
	given := *jobs[0]
	f.put(jobs...)
	require.Equal(t, given, *jobs[0], "the job that is put is not touched")
	for _, j := range jobs {
		require.Equal(t, asRead(*j), f.get(j.ID))
	}
	f.put() // nothing
	require.EqualValues(t, len(jobs), f.stats().Jobs)

	j := newJob("job_x")
	j.Status = 0
	requireField(t, f.Put(t.Context(), j), "status")
	requireField(t, f.Put(t.Context(), newJob("")), "id")
}

func testPutReplaces(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(50)
	f.put(jobs...)
	m := newModel(jobs...)
	// Every job becomes what another one was.
	others := skewed(51)
	for i := range jobs {
		others[i].ID = jobs[len(jobs)-1-i].ID
	}
	f.put(others...)
	m.put(others...)
	// The last of several with one ID counts.
	first, last := newJob("job_0007"), newJob("job_0007")
	first.Kind, last.Kind = jobstore.KindAnimation, jobstore.KindAdaptiveVideo
	f.put(first, newJob("job_0008"), last)
	m.put(newJob("job_0008"), last)
	for q := range eachQuery {
		requirePage(t, f, m, q)
		require.EqualValues(t, len(m.matching(q)), f.count(q), describe(q))
	}
	requireStats(t, m, f.stats())
}

func testPutAllOrNothing(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	changed := newJob("job_a")
	changed.Kind = jobstore.KindAudio
	bad := newJob("job_bad")
	bad.Options = []byte("[]")
	err := f.Put(t.Context(), changed, newJob("job_b"), bad)
	requireField(t, err, "options")
	requireField(t, f.Put(t.Context(), changed, nil), "job")
	require.Equal(t, asRead(*newJob("job_a")), f.get("job_a"))
	require.Equal(t, []jobstore.ID{"job_a"}, ids(f.all(jobstore.Query{})))
}

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
		if finished.IsZero() && status.Final() {
			finished = now
		}
		require.Equal(t, status, got.Status)
		require.Equal(t, created, got.CreatedAt)
		require.Equal(t, started, got.StartedAt, "started on the first processing: %s", status)
		require.Equal(t, finished, got.FinishedAt, "finished on the first final status: %s", status)
		require.Equal(t, now, got.UpdatedAt)
		require.Equal(t, got, f.get("job_a"), "what is returned is what was stored")
	}

	// A timestamp that fn sets counts.
	f.create(newJob("job_b"))
	given := created.Add(-time.Minute)
	got := f.update("job_b", func(j *jobstore.Job) {
		j.Status, j.StartedAt, j.FinishedAt = jobstore.StatusProcessing, given, given
	})
	require.Equal(t, given, got.StartedAt)
	require.Equal(t, given, got.FinishedAt)

	// A job that was put without one keeps it so.
	f.put(newJob("job_c"))
	got = f.update("job_c", func(j *jobstore.Job) { j.Output = "s3://out" })
	require.True(t, got.CreatedAt.IsZero())
	require.Equal(t, f.clock.Now(), got.UpdatedAt)
}

// testUpdateMoves changes all that a job can be found by.
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

	// Deleted between the reading and the writing.
	_, err = f.Update(t.Context(), "job_a", func(*jobstore.Job) error {
		f.delete("job_a")
		return nil
	})
	require.ErrorIs(t, err, jobstore.ErrNotFound)
	require.Zero(t, f.stats().Jobs)
}

// testUpdatePanic lets fn panic, which is the business of its caller alone.
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

// testUpdateCounter has many add to a counter in one job. None may get lost.
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

func testCount(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(200)
	f.put(jobs...)
	m := newModel(jobs...)
	for q := range eachQuery {
		want := len(m.matching(q))
		require.EqualValues(t, want, f.count(q), describe(q))
		q.Limit, q.After, q.Before = 1, "job_0100", "job_0002"
		require.EqualValues(t, want, f.count(q), "limit and cursors make no difference: %s", describe(q))
	}
}

func testStats(t *testing.T, open Factory) {
	f := newFixture(t, open)
	requireStats(t, newModel(), f.stats())
	jobs := skewed(200)
	f.put(jobs...)
	stats := f.stats()
	requireStats(t, newModel(jobs...), stats)
	require.Positive(t, stats.FileBytes)
	require.GreaterOrEqual(t, stats.FreeBytes, int64(0))
	require.LessOrEqual(t, stats.FreeBytes, stats.FileBytes)
	require.Positive(t, stats.Format)
}

// requireStats compares what stats say about jobs with the model.
func requireStats(t tester, m *model, stats jobstore.Stats) {
	t.Helper()
	byKind, byStatus := map[jobstore.Kind]int64{}, map[jobstore.Status]int64{}
	for _, j := range m.jobs {
		byKind[j.Kind]++
		byStatus[j.Status]++
	}
	require.EqualValues(t, len(m.jobs), stats.Jobs)
	require.Equal(t, byKind, stats.ByKind)
	require.Equal(t, byStatus, stats.ByStatus)
}
