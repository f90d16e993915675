package jobstore_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// A full store can be emptied: whatever the sizes of its jobs, and in whatever order
// they are deleted.
func TestFullStoreCanBeEmptied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "jobstore-test-")
		require.NoError(t, err)
		defer func() { _ = os.RemoveAll(dir) }()
		path := filepath.Join(dir, "jobs.db")
		maxSize := int64(rapid.SampledFrom([]int{512, 1 << 10, 4 << 10, 16 << 10}).Draw(t, "MaxSize in KiB")) << 10
		options := &jobstore.Options{NoSync: true, MaxSize: maxSize}
		s, err := jobstore.Open(path, options)
		require.NoError(t, err)
		largest := min(int(maxSize)/8, 1<<20)
		sizes := rapid.SliceOfN(rapid.IntRange(0, largest), 1, 6).Draw(t, "sizes")
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		spread := rapid.SampledFrom([]int{1, 100, 20000}).Draw(t, "spread")
		for round := range 2 {
			jobs := fullStore(t, s, func() int { return sizes[rng.IntN(len(sizes))] + rng.IntN(spread) })
			if round == 0 && rapid.Bool().Draw(t, "open again") {
				require.NoError(t, s.Close())
				s, err = jobstore.Open(path, options)
				require.NoError(t, err)
			}
			switch rapid.SampledFrom([]string{"random", "smallest first", "largest first", "as created", "last first"}).Draw(t, "order") {
			case "random":
				rng.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
			case "smallest first":
				slices.SortStableFunc(jobs, func(a, b sizedJob) int { return cmp.Compare(a.size, b.size) })
			case "largest first":
				slices.SortStableFunc(jobs, func(a, b sizedJob) int { return cmp.Compare(b.size, a.size) })
			case "last first":
				slices.Reverse(jobs)
			}
			atOnce := rapid.SampledFrom([]int{1, 1, 3, 1000}).Draw(t, "at once")
			left := len(jobs)
			for len(jobs) > 0 {
				if len(jobs) < 200 && rapid.IntRange(0, 40).Draw(t, "prune") == 0 {
					n, err := s.Prune(context.Background(), jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
					require.NoError(t, err, "%d left", len(jobs))
					require.EqualValues(t, len(jobs), n)
					jobs = nil
					break
				}
				var ids []jobstore.ID
				for _, j := range jobs[:min(atOnce, len(jobs))] {
					ids = append(ids, j.id)
				}
				n, err := s.Delete(context.Background(), ids...)
				require.NoError(t, err, "%d left of %d", len(jobs), left)
				require.Equal(t, len(ids), n)
				jobs = jobs[len(ids):]
			}
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.LessOrEqual(t, info.Size(), maxSize)
		}
		for problem, err := range s.Check(context.Background()) {
			require.NoError(t, err)
			require.Fail(t, problem.String())
		}
		require.NoError(t, s.Close())
	})
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
