package storetest

import (
	"slices"
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
		require.Equal(t, final(status), fresh.FinishedAt.Equal(kept), "finished %s", status)
		require.Equal(t, !final(status), fresh.FinishedAt.IsZero(), "finished %s", status)
		require.Equal(t, asRead(*fresh), f.get(fresh.ID), "what was filled in is what is read")

		dated := &jobstore.Job{
			Kind: jobstore.KindVideo, Input: "s3://a", Status: status,
			CreatedAt: earlier, UpdatedAt: earlier, StartedAt: earlier, FinishedAt: earlier,
		}
		f.create(dated)
		require.Equal(t, earlier, dated.CreatedAt, "created is kept")
		require.Equal(t, kept, dated.UpdatedAt, "updated is the clock's")
		require.Equal(t, earlier, dated.StartedAt, "started is kept")
		require.Equal(t, earlier, dated.FinishedAt, "finished is kept")
		require.Equal(t, asRead(*dated), f.get(dated.ID))
	}
}

// testCreateMigrates creates jobs of the past beside a new one. They keep the time of
// their creation, and their IDs sort by it.
func testCreateMigrates(t *testing.T, open Factory) {
	f := newFixture(t, open)
	now := f.clock.Now()
	var want []jobstore.ID
	for age := 5; age >= 0; age-- {
		created := now.Add(time.Duration(-age) * time.Hour)
		old := newJob(jobstore.NewID(created))
		old.CreatedAt = created
		f.create(old)
		got := f.get(old.ID)
		require.Equal(t, created, got.CreatedAt)
		require.Equal(t, now, got.UpdatedAt)
		want = append(want, old.ID)
	}
	f.clock.step(time.Millisecond)
	fresh := newJob("")
	f.create(fresh)
	want = append(want, fresh.ID)
	require.Equal(t, want, ids(f.all(jobstore.Query{Order: jobstore.Asc})), "in the order of their creation")
	since := jobstore.Query{Order: jobstore.Asc, After: jobstore.FirstID(now.Add(-2 * time.Hour))}
	require.Equal(t, want[3:], ids(f.all(since)))
}

// testMintedOnly gives IDs to a store that takes only its own.
func testMintedOnly(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(newJob("job_a"))
	f.options.MintedOnly = true
	f.reopen()
	given := jobstore.NewID(f.clock.Now())
	requireField(t, f.Create(t.Context(), newJob(""), newJob(given)), "id")
	requireField(t, f.Put(t.Context(), newJob("job_a"), newJob(given)), "id")
	require.Equal(t, []jobstore.ID{"job_a"}, ids(f.all(jobstore.Query{})), "nothing was stored")

	fresh := newJob("")
	f.create(fresh)
	replaced := newJob("job_a")
	replaced.Kind = jobstore.KindAudio
	changed := *fresh
	changed.Kind = jobstore.KindImage
	f.put(replaced, &changed)
	require.Equal(t, jobstore.KindAudio, f.get("job_a").Kind, "a job that is there can be replaced")
	require.Equal(t, jobstore.KindImage, f.get(fresh.ID).Kind)
	f.delete(fresh.ID)
	requireField(t, f.Put(t.Context(), &changed), "id")
}

// testClocks sets the clock to times that no job can have. The calls that would store
// them fail, and succeed once the clock is right.
func testClocks(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.create(newJob("job_a"))
	right := f.clock.Now()
	stored := f.get("job_a")
	for _, wrong := range []time.Time{
		{}, time.Time{}.Add(time.Microsecond), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("west", -12*3600)),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("east", 12*3600)),
		time.Unix(1<<62, 0), time.Unix(-1<<62, 0),
	} {
		f.clock.set(wrong)
		requireField(t, f.Create(t.Context(), newJob("")), "Options.Now")
		_, err := f.Update(t.Context(), "job_a", func(*jobstore.Job) error { return nil })
		requireField(t, err, "Options.Now")
		require.Equal(t, []jobstore.ID{"job_a"}, ids(f.all(jobstore.Query{})), "nothing was stored at %s", wrong)
		require.Equal(t, stored, f.get("job_a"))
		f.put(newJob("job_b")) // Put stamps nothing
		f.delete("job_b")
	}
	for _, odd := range []time.Time{
		time.Time{}.Add(time.Millisecond), time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), right.Add(-time.Hour),
		time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		f.clock.set(odd)
		j := newJob("")
		f.create(j)
		got := f.get(j.ID)
		require.Equal(t, odd, got.CreatedAt)
		require.NoError(t, got.Validate())
		f.clock.set(right)
		require.Equal(t, right, f.update(j.ID, func(*jobstore.Job) {}).UpdatedAt)
		f.put(&got)
	}
}

// testCreateMints mints IDs within one millisecond, after the clock has stepped back,
// and after a reopen, in a store that also holds a job with an ID of the future.
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
	// Every job gets the fields of another one.
	others := skewed(51)
	for i := range jobs {
		others[i].ID = jobs[len(jobs)-1-i].ID
	}
	f.put(others...)
	m.put(others...)
	// Of several jobs with one ID, the last one counts.
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
