// Package oracle holds the library's answers against those of SQLite.
package oracle

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
)

var (
	duration = flag.Duration("oracle.for", 15*time.Second, "how long to go on asking")
	seed     = flag.Uint64("oracle.seed", 0, "seed of the first history; 0 draws one")
)

// TestAnswersOfSQLite lets the library and SQLite live through the same random
// histories and asks both the same random queries, until the time is up. How
// long a history is, its seed says and not the machine; a seed brings back all
// of it but the random bits of the IDs that the store mints.
func TestAnswersOfSQLite(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	queries := 0
	end := time.Now().Add(*duration)
	for n := uint64(0); n == 0 || time.Now().Before(end); n++ {
		ok := t.Run(fmt.Sprintf("seed=%d", first+n), func(t *testing.T) {
			h := newHistory(t, first+n)
			h.live()
			queries += h.queries
		})
		if !ok {
			t.Fatalf("again with: go test ./oracle -oracle.seed %d -oracle.for 1ns", first+n)
		}
	}
	t.Logf("%d queries, histories from seed %d", queries, first)
}

// A history is a store and a table that are told the same.
type history struct {
	*testing.T
	ctx     context.Context
	rng     *rand.Rand
	path    string
	store   *jobstore.Store
	table   *sqlite.Store
	reader  *sqlite.Reader
	now     time.Time
	ids     []jobstore.ID // of jobs that are or were there
	inputs  []string
	queries int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		T: t, ctx: t.Context(), rng: rand.New(rand.NewPCG(seed, 0x6f7261636c65)),
		now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC),
	}
	dir := folder(t)
	h.path = filepath.Join(dir, "jobs.db")
	h.open()
	table, err := sqlite.New(sqlite.Modernc, sqlite.Single).Open(dir, peer.Loading)
	require.NoError(t, err)
	h.table = table.(*sqlite.Store)
	reader, err := table.Reader()
	require.NoError(t, err)
	h.reader = reader.(*sqlite.Reader)
	for i := range 1 + h.rng.IntN(12) {
		h.inputs = append(h.inputs, fmt.Sprintf("https://example.com/%c/%d.mp4?q=ü%%20", 'a'+i%3, i))
	}
	t.Cleanup(func() {
		require.NoError(t, h.reader.Close())
		require.NoError(t, h.table.Close())
		for problem, err := range h.store.Check(context.Background()) {
			require.NoError(t, err)
			t.Errorf("check: %v", problem)
		}
		require.NoError(t, h.store.Close())
	})
	return h
}

// folder returns a folder in memory where there is one: nothing here is about
// the disk.
func folder(t *testing.T) string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp(shm, "jobstore-oracle-"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

func (h *history) open() {
	var err error
	h.store, err = jobstore.Open(h.path, &jobstore.Options{NoSync: true, Now: func() time.Time { return h.now }})
	require.NoError(h, err)
}

// live goes through some rounds of changes, each followed by queries.
func (h *history) live() {
	for range 2 + h.rng.IntN(6) {
		for range 1 + h.rng.IntN(40) {
			h.change()
		}
		if h.rng.IntN(4) == 0 {
			require.NoError(h, h.store.Close())
			h.open()
		}
		for range 60 {
			h.ask()
		}
		h.askAll()
	}
}

// change makes one change to both.
func (h *history) change() {
	h.now = h.now.Add(time.Duration(h.rng.IntN(3)) * time.Millisecond)
	switch lot := h.rng.IntN(10); {
	case lot < 3:
		h.create()
	case lot < 6:
		h.put()
	case lot < 9:
		h.update()
	default:
		h.remove()
	}
}

func (h *history) create() {
	jobs := make([]*jobstore.Job, 1+h.rng.IntN(20))
	for i := range jobs {
		jobs[i] = h.job()
	}
	require.NoError(h, h.store.Create(h.ctx, jobs...))
	for _, j := range jobs {
		h.ids = append(h.ids, j.ID)
		require.NoError(h, h.table.Put(h.ctx, j))
	}
}

// put inserts jobs at any place in the order, and over jobs that are there.
func (h *history) put() {
	var jobs []*jobstore.Job
	for range 1 + h.rng.IntN(8) {
		j := h.job()
		j.ID = h.id()
		j.CreatedAt = h.now
		jobs = append(jobs, j)
	}
	require.NoError(h, h.store.Put(h.ctx, jobs...))
	for _, j := range jobs {
		h.ids = append(h.ids, j.ID)
		require.NoError(h, h.table.Put(h.ctx, j))
	}
}

func (h *history) update() {
	if len(h.ids) == 0 {
		return
	}
	template := h.job()
	updated, err := h.store.Update(h.ctx, one(h.rng, h.ids), func(j *jobstore.Job) error {
		j.Status = template.Status
		if template.Kind == jobstore.KindAudio {
			j.Kind, j.Input = template.Kind, template.Input
		}
		return nil
	})
	if err != nil {
		require.ErrorIs(h, err, jobstore.ErrNotFound)
		return
	}
	require.NoError(h, h.table.Put(h.ctx, &updated))
}

func (h *history) remove() {
	for range 1 + h.rng.IntN(10) {
		id := h.id()
		ours, err := h.store.Delete(h.ctx, id)
		require.NoError(h, err)
		theirs, err := h.table.Delete(h.ctx, id)
		require.NoError(h, err)
		require.Equal(h, theirs, ours == 1, "delete %s", id)
	}
}

// job returns a job without an ID.
func (h *history) job() *jobstore.Job {
	j := &jobstore.Job{
		// Skewed, so that some pairs are rare and some are absent.
		Kind:     jobstore.KindVideo << min(h.rng.IntN(5), h.rng.IntN(5)),
		Status:   jobstore.StatusQueued << min(h.rng.IntN(5), h.rng.IntN(5)),
		Input:    one(h.rng, h.inputs),
		Options:  fmt.Appendf(nil, `{"n": %d}`, h.rng.IntN(1000)),
		Metadata: []byte(`{}`),
	}
	if h.rng.IntN(2) == 0 {
		j.Output = "s3://bucket/" + j.Input
	}
	if j.Status == jobstore.StatusFailed {
		j.Error = []byte(`"ünreadable"`)
	}
	return j
}

// id returns the ID of some job, or one of the samples' form and any length, or
// the first of a time.
func (h *history) id() jobstore.ID {
	switch h.rng.IntN(3) {
	case 0:
		if len(h.ids) > 0 {
			return one(h.rng, h.ids)
		}
	case 1:
		return jobstore.FirstID(h.now.Add(time.Duration(h.rng.IntN(2000)-1500) * time.Millisecond))
	}
	id := []byte("job_")
	for range 1 + h.rng.IntN(3) {
		id = append(id, "-0Az_z"[h.rng.IntN(6)])
	}
	return jobstore.ID(id)
}

func one[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// query returns a query of any shape.
func (h *history) query() jobstore.Query {
	var q jobstore.Query
	switch h.rng.IntN(3) {
	case 0:
		q.Kind = jobstore.KindVideo << h.rng.IntN(5)
	case 1:
		q.Kind = jobstore.Kind(h.rng.IntN(1 << 5))
	}
	switch h.rng.IntN(3) {
	case 0:
		q.Status = jobstore.StatusQueued << h.rng.IntN(5)
	case 1:
		q.Status = jobstore.Status(h.rng.IntN(1 << 5))
	}
	if h.rng.IntN(2) == 0 {
		q.Input = one(h.rng, h.inputs)
		if h.rng.IntN(20) == 0 {
			q.Input += "x"
		}
	}
	if h.rng.IntN(2) == 0 {
		q.After = h.id()
	}
	if h.rng.IntN(2) == 0 {
		q.Before = h.id()
	}
	if h.rng.IntN(4) > 0 {
		q.Limit = 1 + h.rng.IntN(one(h.rng, []int{3, 30, jobstore.MaxLimit}))
	}
	q.Order = jobstore.Order(h.rng.IntN(2))
	return q
}

// ask puts one query to both.
func (h *history) ask() {
	h.queries++
	q := h.query()
	page, err := h.store.List(h.ctx, q)
	require.NoError(h, err, "%+v", q)
	want, err := h.reader.List(h.ctx, q)
	require.NoError(h, err, "%+v", q)
	h.equal(want, page.Jobs, q)

	// There is more exactly when a page with room for another job has it.
	if limit := max(q.Limit, 0); limit != 0 && limit < jobstore.MaxLimit {
		wider := q
		wider.Limit++
		more, err := h.reader.List(h.ctx, wider)
		require.NoError(h, err)
		require.Equal(h, len(more) > len(want), page.HasMore, "HasMore of %+v", q)
	}

	// Its reader counts what a filter matches, wherever the cursors stand.
	q.After, q.Before = "", ""
	count, err := h.store.Count(h.ctx, q)
	require.NoError(h, err)
	wantCount, err := h.reader.Count(h.ctx, q)
	require.NoError(h, err)
	require.Equal(h, wantCount, count, "count of %+v", q)

	if id := h.id(); h.rng.IntN(4) == 0 {
		h.get(id)
	}
}

func (h *history) get(id jobstore.ID) {
	want, wantErr := h.reader.Get(h.ctx, id)
	job, err := h.store.Get(h.ctx, id)
	if wantErr != nil {
		require.ErrorIs(h, err, jobstore.ErrNotFound)
		return
	}
	require.NoError(h, err)
	h.equal([]jobstore.Job{want}, []jobstore.Job{job}, jobstore.Query{})
}

// askAll compares one walk of all that match.
func (h *history) askAll() {
	q := h.query()
	var jobs []jobstore.Job
	for j, err := range h.store.All(h.ctx, q) {
		require.NoError(h, err)
		jobs = append(jobs, j)
	}
	// Before alone is the end of a walk, where a page would start from it.
	q.Limit = 1 << 30
	before := q.Before
	q.Before = ""
	all, err := h.reader.List(h.ctx, q)
	require.NoError(h, err)
	want := slices.DeleteFunc(all, func(j jobstore.Job) bool {
		return before != "" && (q.Order == jobstore.Desc && j.ID <= before || q.Order == jobstore.Asc && j.ID >= before)
	})
	h.equal(want, jobs, q)
}

func (h *history) equal(want, got []jobstore.Job, q jobstore.Query) {
	h.Helper()
	ids := func(jobs []jobstore.Job) (ids []jobstore.ID) {
		for _, j := range jobs {
			ids = append(ids, j.ID)
		}
		return ids
	}
	require.Equal(h, ids(want), ids(got), "%+v", q)
	for i := range want {
		a, b := want[i].AppendJSON(nil), got[i].AppendJSON(nil)
		require.True(h, bytes.Equal(a, b), "%+v\nwant %s\ngot  %s", q, a, b)
	}
}
