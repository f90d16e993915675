package jobstore_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// A sizedJob is a job and about how many bytes it takes.
type sizedJob struct {
	id   jobstore.ID
	size int
}

// fullStore fills a store up to its MaxSize with jobs of sizes that next gives, and
// returns them.
func fullStore(t require.TestingT, s *jobstore.Store, next func() int) (jobs []sizedJob) {
	for refused := 0; refused < 12; {
		size := next()
		j := queuedVideo(fmt.Sprintf("https://example.com/%d", len(jobs)*7919%1000))
		j.Status = jobstore.StatusSucceeded
		j.Metadata = fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", size))
		err := s.Create(context.Background(), j)
		if err == nil {
			jobs = append(jobs, sizedJob{j.ID, size})
			continue
		}
		require.ErrorIs(t, err, jobstore.ErrFull)
		refused++
	}
	return jobs
}

// pick returns one of several.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// A full store can be emptied: whatever the sizes of its jobs, and in whatever order
// they are deleted.
func TestFullStoreCanBeEmptied(t *testing.T) {
	trials := 12
	if testing.Short() {
		trials = 3
	}
	for seed := range uint64(trials) {
		rng := rand.New(rand.NewPCG(7, seed))
		sizes := make([]int, 1+rng.IntN(6))
		maxSize := pick(rng, 512, 1<<10, 4<<10, 8<<10) << 10
		for i := range sizes {
			sizes[i] = rng.IntN(pick(rng, 100, maxSize/300, min(maxSize/16, 1<<20)))
		}
		spread := pick(rng, 1, 100, 20000)
		t.Run(fmt.Sprintf("%d: %d bytes, jobs of %v+%d", seed, maxSize, sizes, spread), func(t *testing.T) {
			path := storePath(t)
			options := &jobstore.Options{NoSync: true, MaxSize: int64(maxSize)}
			for range 2 {
				s := openStore(t, path, options)
				jobs := fullStore(t, s, func() int { return pick(rng, sizes...) + rng.IntN(spread) })
				if pick(rng, true, false) {
					closeStore(t, s)
					s = openStore(t, path, options)
				}
				empty(t, s, jobs, rng)
				closeStore(t, s)
				require.LessOrEqual(t, fileSize(t, path), int64(maxSize))
				requireSound(t, path)
			}
		})
	}
}

// The smallest jobs of a full store are deleted first, so that each deletion writes
// the large ones beside it anew.
func TestFullStoreSmallestFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, MaxSize: 16 << 20})
	jobs := fullStore(t, s, func() int { return pick(rng, 6, 11463, 294318, 20) })
	slices.SortStableFunc(jobs, func(a, b sizedJob) int { return cmp.Compare(a.size, b.size) })
	for i, j := range jobs {
		_, err := s.Delete(t.Context(), j.id)
		require.NoError(t, err, "%d of %d", i, len(jobs))
	}
}

// empty deletes all jobs of a store, in an order that rng says.
func empty(t *testing.T, s *jobstore.Store, jobs []sizedJob, rng *rand.Rand) {
	t.Helper()
	switch order := rng.IntN(5); order {
	case 0:
		rng.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	case 1, 2:
		slices.SortStableFunc(jobs, func(a, b sizedJob) int { return cmp.Compare(a.size, b.size) * (2*order - 3) })
	case 3:
		slices.Reverse(jobs)
	}
	atOnce := pick(rng, 1, 1, 3, 1000)
	prune := rng.IntN(2 * len(jobs))
	for count := len(jobs); len(jobs) > 0; {
		if len(jobs) <= prune {
			n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
			require.NoError(t, err)
			require.EqualValues(t, len(jobs), n)
			return
		}
		var ids []jobstore.ID
		for _, j := range jobs[:min(atOnce, len(jobs))] {
			ids = append(ids, j.id)
		}
		n, err := s.Delete(t.Context(), ids...)
		require.NoError(t, err, "%d left of %d", len(jobs), count)
		require.Equal(t, len(ids), n)
		jobs = jobs[len(ids):]
	}
}

// Jobs of the largest size fill a store, with small ones around them, and can all be
// deleted, the small ones first.
func TestFullStoreOfLargestJobs(t *testing.T) {
	s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, MaxSize: 64 << 20})
	n := 0
	jobs := fullStore(t, s, func() int {
		if n++; n%2 == 0 {
			return 10
		}
		return jobstore.MaxJSON - 100
	})
	require.Greater(t, len(jobs), 8)
	slices.SortStableFunc(jobs, func(a, b sizedJob) int { return cmp.Compare(a.size, b.size) })
	for _, j := range jobs {
		_, err := s.Delete(t.Context(), j.id)
		require.NoError(t, err)
	}
	require.NotEmpty(t, fullStore(t, s, func() int { return 1 << 20 }), "what was emptied can be filled again")
}
