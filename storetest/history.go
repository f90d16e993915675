package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

// testHistories applies random changes to a store and to a model, and compares the
// two after each.
func testHistories(t *testing.T, open Factory) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{fixture: temporaryFixture(t, open), model: newModel()}
		t.Repeat(rapid.StateMachineActions(h))
		h.ReadEverything(t)
	})
}

// A history is a store and what it should hold. Its exported methods are the
// steps that rapid chooses from.
type history struct {
	*fixture
	model  *model
	gone   []jobstore.ID // deleted at some time
	minted jobstore.ID   // the last one
}

// Check is called after every step.
func (h *history) Check(t *rapid.T) {
	requireStats(t, h.model, h.stats())
}

// Create creates up to eight jobs, some with an ID that may be taken.
func (h *history) Create(t *rapid.T) {
	now := h.clock.step(time.Duration(rapid.IntRange(-3, 5).Draw(t, "clock")) * time.Millisecond)
	drafts := rapid.SliceOfN(rapid.Custom(drawJob), 1, 8).Draw(t, "jobs")
	jobs := make([]*jobstore.Job, len(drafts))
	taken, given := false, map[jobstore.ID]bool{}
	for i := range drafts {
		if rapid.IntRange(0, 3).Draw(t, "mint") > 0 {
			drafts[i].ID = ""
		} else {
			id := drafts[i].ID
			_, ok := h.model.get(id)
			taken = taken || ok || given[id]
			given[id] = true
		}
		jobs[i] = ptr(drafts[i])
	}
	err := h.Store.Create(t.Context(), jobs...)
	if taken {
		require.ErrorIs(t, err, jobstore.ErrExists)
		for i := range jobs {
			require.Equal(t, drafts[i], *jobs[i], "a job that was refused was touched")
		}
		return
	}
	require.NoError(t, err)
	for i, j := range jobs {
		want := drafts[i]
		if want.ID == "" {
			require.Greater(t, string(j.ID), string(h.minted), "minted IDs grow")
			h.minted, want.ID = j.ID, j.ID
		}
		if want.CreatedAt.IsZero() {
			want.CreatedAt = now
		}
		h.model.put(ptr(stamped(want, now)))
	}
}

// Put puts up to eight jobs, some of which replace others.
func (h *history) Put(t *rapid.T) {
	drafts := rapid.SliceOfN(rapid.Custom(drawJob), 1, 8).Draw(t, "jobs")
	jobs := make([]*jobstore.Job, len(drafts))
	for i := range drafts {
		if len(h.model.jobs) > 0 && rapid.Bool().Draw(t, "replace") {
			drafts[i].ID = h.drawStored(t)
		}
		jobs[i] = &drafts[i]
	}
	h.put(jobs...)
	h.model.put(jobs...)
}

// PutMany puts enough jobs to grow a tree. Some replace others.
func (h *history) PutMany(t *rapid.T) {
	n := rapid.IntRange(1, 400).Draw(t, "n")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	jobs := make([]*jobstore.Job, n)
	for i := range jobs {
		jobs[i] = newJob(jobstore.ID(fmt.Sprintf("job_%03x", rng.IntN(0x1000))))
		randomize(rng, jobs[i])
	}
	h.put(jobs...)
	h.model.put(jobs...)
}

// Update moves one job.
func (h *history) Update(t *rapid.T) {
	id := h.drawPosition(t)
	next := rapid.Custom(drawJob).Draw(t, "next")
	now := h.clock.step(time.Millisecond)
	change := func(j *jobstore.Job) error {
		j.Kind, j.Status, j.Input, j.Options, j.Tasks = next.Kind, next.Status, next.Input, next.Options, next.Tasks
		return nil
	}
	got, err := h.Store.Update(t.Context(), id, change)
	want, ok := h.model.get(id)
	if !ok {
		require.ErrorIs(t, err, jobstore.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.NoError(t, change(&want))
	want = asRead(stamped(want, now))
	h.model.put(&want)
	require.Equal(t, want, asRead(got))
}

// Delete deletes up to five jobs, some of which do not exist.
func (h *history) Delete(t *rapid.T) {
	victims := rapid.SliceOfN(rapid.Custom(h.drawPosition), 1, 5).Draw(t, "ids")
	h.remove(t, victims)
}

// DeleteMany deletes a range of jobs, so that pages become empty.
func (h *history) DeleteMany(t *rapid.T) {
	if len(h.model.jobs) == 0 {
		t.Skip("nothing to delete")
	}
	from := rapid.IntRange(0, len(h.model.jobs)-1).Draw(t, "from")
	to := rapid.IntRange(from, len(h.model.jobs)).Draw(t, "to")
	h.remove(t, ids(h.model.jobs[from:to]))
}

func (h *history) remove(t *rapid.T, victims []jobstore.ID) {
	want := 0
	for _, id := range victims {
		if h.model.delete(id) {
			want++
			h.gone = append(h.gone, id)
		}
	}
	require.Equal(t, want, h.delete(victims...), "deleted")
}

// Reopen closes the store and opens it again.
func (h *history) Reopen(*rapid.T) { h.reopen() }

// Get reads one job.
func (h *history) Get(t *rapid.T) {
	id := h.drawPosition(t)
	got, err := h.Store.Get(t.Context(), id)
	if want, ok := h.model.get(id); ok {
		require.NoError(t, err)
		require.Equal(t, want, got)
	} else {
		require.ErrorIs(t, err, jobstore.ErrNotFound)
	}
}

// List reads some pages.
func (h *history) List(t *rapid.T) {
	for range 8 {
		requirePage(t, h.fixture, h.model, h.drawQuery(t))
	}
}

// All reads everything between two cursors.
func (h *history) All(t *rapid.T) {
	q := h.drawQuery(t)
	requireJobs(t, h.model.between(q), h.all(q), "all %s", describe(q))
}

// Count counts.
func (h *history) Count(t *rapid.T) {
	q := h.drawQuery(t)
	require.EqualValues(t, len(h.model.between(q)), h.count(q), "count %s", describe(q))
}

// ReadEverything reads every job, by its ID and by every filter.
func (h *history) ReadEverything(t *rapid.T) {
	for _, j := range h.model.jobs {
		require.Equal(t, j, h.get(j.ID))
	}
	for q := range eachQuery {
		requireJobs(t, h.model.matching(q), h.all(q), "all %s", describe(q))
	}
}

// oddIDs are neighbours in the order of bytes, prefixes of each other, IDs of the
// greatest length, and IDs that resemble TypeIDs.
var oddIDs = []jobstore.ID{
	"job_-", "job__", "job_0", "job_00", "job_A", "job_a", "job_a-", "job_a0", "job_aa", "job_b", "job_z", "job_zz",
	"job_abc123", "job_job_a", "job_008", "job_01h455vb4pex5vsknk084sn02q", "job_01h455vb4pex5vsknk084sn02",
	"job_01h455vb4pex5vsknk084sn02q0", "job_7zzzzzzzzzzzzzzzzzzzzzzzzz", "job_8zzzzzzzzzzzzzzzzzzzzzzzzz",
	jobstore.ID("job_" + strings.Repeat("a", 64)), jobstore.ID("job_" + strings.Repeat("a", 63)),
	jobstore.ID("job_" + strings.Repeat("-", 64)), jobstore.ID("job_" + strings.Repeat("z", 64)),
}

func drawID(t *rapid.T) jobstore.ID {
	switch rapid.IntRange(0, 2).Draw(t, "sort of ID") {
	case 0:
		return rapid.SampledFrom(oddIDs).Draw(t, "odd ID")
	case 1:
		return jobstore.ID(fmt.Sprintf("job_%03x", rapid.IntRange(0, 0xfff).Draw(t, "number")))
	}
	return jobstore.ID(rapid.StringMatching(`job_[0-9A-Za-z_-]{1,64}`).Draw(t, "ID"))
}

func drawJob(t *rapid.T) jobstore.Job {
	j := jobstore.Job{
		ID:     drawID(t),
		Kind:   rapid.SampledFrom(kinds).Draw(t, "kind"),
		Status: rapid.SampledFrom(statuses).Draw(t, "status"),
		Input:  rapid.SampledFrom(hotInputs).Draw(t, "hot input"),
		Output: rapid.SampledFrom([]string{"", "s3://out/a", strings.Repeat("ü", 3000)}).Draw(t, "output"),
	}
	if rapid.Bool().Draw(t, "unique input") {
		j.Input = rapid.StringN(1, 40, -1).Draw(t, "input")
	}
	objects := []string{"", "null", "{}", `{"format":"mp4"}`, " {\"a\" :\n[1,2.50,\"\\u00e9é\"] } ", `{"long":"` + strings.Repeat("x", 9000) + `"}`}
	j.Options = raw(rapid.SampledFrom(objects).Draw(t, "options"))
	j.Metadata = raw(rapid.SampledFrom(objects).Draw(t, "metadata"))
	j.Error = raw(rapid.SampledFrom([]string{"", "null", `"text"`, `{"kind":"timeout"}`, "0", "false"}).Draw(t, "error"))
	j.Tasks = raw(rapid.SampledFrom([]string{"", "null", "[]", `[ {"id":"task_1"} ]`}).Draw(t, "tasks"))
	for _, at := range []*time.Time{&j.CreatedAt, &j.StartedAt, &j.FinishedAt, &j.UpdatedAt} {
		if rapid.Bool().Draw(t, "has time") {
			*at = time.Unix(0, rapid.Int64Range(-1e18, 4e18).Draw(t, "time"))
		}
	}
	return j
}

// raw returns text as JSON, nil when it is empty.
func raw(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// drawStored returns the ID of a job in the store.
func (h *history) drawStored(t *rapid.T) jobstore.ID {
	return rapid.SampledFrom(ids(h.model.jobs)).Draw(t, "stored ID")
}

// drawPosition returns an ID that is in the store, was in it, or never was.
func (h *history) drawPosition(t *rapid.T) jobstore.ID {
	switch n := rapid.IntRange(0, 3).Draw(t, "sort of position"); {
	case n <= 1 && len(h.model.jobs) > 0:
		return h.drawStored(t)
	case n == 2 && len(h.gone) > 0:
		return rapid.SampledFrom(h.gone).Draw(t, "deleted ID")
	}
	return drawID(t)
}

func (h *history) drawQuery(t *rapid.T) jobstore.Query {
	q := jobstore.Query{
		Limit: rapid.SampledFrom([]int{0, 1, 2, 3, 5, 19, 20, 21, 99, 100}).Draw(t, "limit"),
		Order: rapid.SampledFrom(orders).Draw(t, "order"),
	}
	if rapid.Bool().Draw(t, "by kind") {
		q.Kind = rapid.SampledFrom(slices.Concat(kinds, []jobstore.Kind{0b11, 0b10101, 0b11111})).Draw(t, "kind")
	}
	if rapid.Bool().Draw(t, "by status") {
		q.Status = rapid.SampledFrom(slices.Concat(statuses, []jobstore.Status{0b11, 0b10101, 0b11111})).Draw(t, "status")
	}
	if rapid.Bool().Draw(t, "by input") {
		q.Input = rapid.SampledFrom(hotInputs).Draw(t, "hot input")
		if len(h.model.jobs) > 0 && rapid.Bool().Draw(t, "some job's input") {
			q.Input = rapid.SampledFrom(h.model.jobs).Draw(t, "job").Input
		}
		if rapid.Bool().Draw(t, "by hash") {
			q = hashed(q)
		}
	}
	if rapid.Bool().Draw(t, "by after") {
		q.After = h.drawPosition(t)
	}
	if rapid.Bool().Draw(t, "by before") {
		q.Before = h.drawPosition(t)
	}
	return q
}

func ptr[T any](v T) *T { return &v }
