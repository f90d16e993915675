package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// testPagingBesideWriters walks the store while others write to it. No job comes
// twice, the order holds, and a job that matches all the time comes exactly once.
func testPagingBesideWriters(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(400)
	steady := newModel()
	var restless []jobstore.ID
	for i, j := range jobs {
		if i%2 == 0 {
			steady.put(j)
		} else {
			restless = append(restless, j.ID)
		}
	}
	f.put(jobs...)

	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	stop := func() {
		cancel()
		writers.Wait()
	}
	t.Cleanup(stop) // before the store is closed
	for seed := range uint64(4) {
		writers.Go(func() { disturb(ctx, t, f.Store, restless, seed) })
	}

	for q := range eachQuery {
		for _, q.Limit = range []int{1, 7, 100} {
			w := newWalk(t, q)
			for at, ok := q, true; ok; {
				page := f.list(at)
				w.visit(page.Jobs...)
				at, ok = page.Next(at)
			}
			w.requireAll(steady)

			w = newWalk(t, reversed(q))
			for at, ok := with(q, "", pastTheEnd(q.Order)), true; ok; {
				page := f.list(at)
				backward := slices.Clone(page.Jobs)
				slices.Reverse(backward)
				w.visit(backward...)
				at, ok = page.Prev(at)
			}
			w.requireAll(steady)
		}

		w := newWalk(t, q)
		for job, err := range f.All(t.Context(), q) {
			require.NoError(t, err)
			w.visit(job)
		}
		w.requireAll(steady)
	}
	stop()
}

// A walk checks the jobs that it is shown one after the other.
type walk struct {
	t     *testing.T
	query jobstore.Query
	last  jobstore.ID
	seen  map[jobstore.ID]bool
}

func newWalk(t *testing.T, q jobstore.Query) *walk {
	return &walk{t: t, query: q, seen: map[jobstore.ID]bool{}}
}

func (w *walk) visit(jobs ...jobstore.Job) {
	for _, j := range jobs {
		if w.last != "" {
			require.True(w.t, comesFirst(w.query.Order, w.last, j.ID), "%s after %s: %s", j.ID, w.last, describe(w.query))
		}
		require.False(w.t, w.seen[j.ID], "%s came twice: %s", j.ID, describe(w.query))
		require.NotEmpty(w.t, newModel(&j).matching(w.query), "%s does not match %s", j.ID, describe(w.query))
		w.last, w.seen[j.ID] = j.ID, true
	}
}

// requireAll fails the test unless every job of steady that matches has come.
func (w *walk) requireAll(steady *model) {
	w.t.Helper()
	for _, j := range steady.matching(w.query) {
		require.True(w.t, w.seen[j.ID], "%s matched all the while and did not come: %s", j.ID, describe(w.query))
	}
}

// disturb writes to the store until ctx ends: it creates jobs, moves the given
// ones in and out of every filter, and deletes them and puts them back.
func disturb(ctx context.Context, t *testing.T, s Store, restless []jobstore.ID, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, seed))
	for ctx.Err() == nil {
		id := restless[rng.IntN(len(restless))]
		var err error
		switch rng.IntN(4) {
		case 0:
			j := newJob("")
			if rng.IntN(2) == 0 {
				j.ID = jobstore.ID(fmt.Sprintf("job_%04d-%x", rng.IntN(400), rng.Uint32()))
			}
			j.Input = hotInputs[0]
			if err = s.Create(ctx, j); err == nil {
				_, err = s.Delete(ctx, j.ID)
			}
		case 1:
			_, err = s.Delete(ctx, id)
		case 2:
			j := newJob(id)
			randomize(rng, j)
			err = s.Put(ctx, j)
		case 3:
			_, err = s.Update(ctx, id, func(j *jobstore.Job) error {
				move(rng, j)
				return nil
			})
		}
		if err != nil && !isOneOf(err, context.Canceled, jobstore.ErrNotFound) {
			t.Errorf("write: %v", err)
			return
		}
	}
}
