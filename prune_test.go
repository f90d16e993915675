package jobstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// agedStore has a job of every status and kind for each of 40 hours from start
// on, minted, and as many with IDs of their own. It returns what it holds.
func agedStore(t *testing.T, path string) (start time.Time, jobs []jobstore.Job) {
	t.Helper()
	clock := newHandClock()
	start = clock.Now()
	s := openStore(t, path, &jobstore.Options{NoSync: true, Now: clock.Now})
	for hour := range 40 {
		var minted, named []*jobstore.Job
		for i := range kinds * statuses {
			j := mixedJob(i)
			j.Tasks = nil
			minted = append(minted, j)
			n := *mixedJob(i)
			n.Tasks = nil
			// In an order that has nothing to do with their age.
			n.ID = jobstore.ID(fmt.Sprintf("job_%02d_of_hour_%d", (i*7+hour*3)%25, hour))
			n.CreatedAt = clock.Now()
			named = append(named, &n)
		}
		require.NoError(t, s.Create(t.Context(), minted...))
		require.NoError(t, s.Put(t.Context(), named...))
		clock.step(time.Hour)
	}
	// A minted ID tells the age of a job that has no other time.
	require.NoError(t, s.Put(t.Context(), &jobstore.Job{
		ID: jobstore.FirstID(start.Add(5 * time.Hour)), CreatedAt: clock.Now(),
		Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "x",
	}, &jobstore.Job{
		ID: jobstore.FirstID(start.Add(6 * time.Hour)), Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "x",
	}, &jobstore.Job{
		ID: "job_ageless", Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "x",
	}))
	jobs = everything(t, s)
	closeStore(t, s)
	return start, jobs
}

const final = jobstore.StatusSucceeded | jobstore.StatusFailed | jobstore.StatusCancelled

func TestPrune(t *testing.T) {
	for _, options := range []jobstore.PruneOptions{
		{},
		{Status: jobstore.StatusSucceeded},
		{Status: jobstore.StatusQueued | jobstore.StatusFailed},
		{Kind: jobstore.KindAudio},
		{Kind: jobstore.KindAudio | jobstore.KindImage, Status: jobstore.StatusFailed},
		{Status: final | jobstore.StatusQueued | jobstore.StatusProcessing},
	} {
		t.Run(fmt.Sprintf("%s %s", options.Kind, options.Status), func(t *testing.T) {
			path := storePath(t)
			start, jobs := agedStore(t, path)
			s := openStore(t, path, nil)
			// To the millisecond: the jobs of hour 30 are not older than that.
			options.Before = start.Add(30*time.Hour + 999*time.Microsecond)
			var kept []jobstore.Job
			for _, j := range jobs {
				status := options.Status
				if status == 0 {
					status = final
				}
				created := j.CreatedAt
				if created.IsZero() {
					created, _ = j.ID.Time()
				}
				if j.Status&status == 0 || options.Kind != 0 && j.Kind&options.Kind == 0 ||
					created.IsZero() || !created.Before(start.Add(30*time.Hour)) {
					kept = append(kept, j)
				}
			}
			options.DryRun = true
			n, err := s.Prune(t.Context(), options)
			require.NoError(t, err)
			require.EqualValues(t, len(jobs)-len(kept), n)
			require.Len(t, everything(t, s), len(jobs))

			options.DryRun = false
			var last [2]int64
			options.Progress = func(stage string, done, total int64) {
				require.Equal(t, "prune", stage)
				require.LessOrEqual(t, done, total)
				last = [2]int64{done, total}
			}
			n, err = s.Prune(t.Context(), options)
			require.NoError(t, err)
			require.EqualValues(t, len(jobs)-len(kept), n)
			require.NotZero(t, last[0])
			require.Equal(t, kept, everything(t, s))

			n, err = s.Prune(t.Context(), options)
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

// Each transaction is bounded, so that others get their turns.
func TestPruneIsBounded(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 3000)
	closeStore(t, s)
	var commits []jobstore.Commit
	s = openStore(t, path, &jobstore.Options{NoSync: true, OnCommit: func(c jobstore.Commit) { commits = append(commits, c) }})
	n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.EqualValues(t, 1800, n)
	require.Len(t, commits, 9)
	for _, c := range commits {
		require.Equal(t, 200, c.Jobs)
	}
}

// A job that somebody brings back to life while it waits to be deleted lives.
func TestPruneBesideWriters(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	jobs := fill(t, s, 4000)
	var saved []jobstore.ID
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := len(jobs) - 1; i >= 0; i -= 2 {
			_, err := s.Update(context.Background(), jobs[i].ID, func(j *jobstore.Job) error {
				j.Status = jobstore.StatusQueued
				return nil
			})
			switch {
			case err == nil:
				saved = append(saved, jobs[i].ID)
			case !errors.Is(err, jobstore.ErrNotFound):
				t.Error(err)
			}
		}
	})
	n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	writer.Wait()
	require.NotZero(t, n)
	require.NotEmpty(t, saved)
	for _, id := range saved {
		_, err := s.Get(t.Context(), id)
		require.NoError(t, err)
	}
	require.EqualValues(t, 4000-n, countAll(t, s))
}

func TestPruneCancelled(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	fill(t, s, 9000)
	ctx, cancel := context.WithCancel(t.Context())
	options := jobstore.PruneOptions{Before: time.Now().Add(time.Hour), Progress: func(string, int64, int64) { cancel() }}
	n, err := s.Prune(ctx, options)
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, n)
	require.Less(t, n, int64(5400))
	require.EqualValues(t, 9000-n, countAll(t, s))
	more, err := s.Prune(t.Context(), options)
	require.NoError(t, err)
	require.EqualValues(t, 5400, n+more)
}

// finishedJob returns a job that has succeeded. The inputs of such jobs stand in no
// order, so that each touches a page of its own.
func finishedJob(rng *rand.Rand, size int) *jobstore.Job {
	j := queuedVideo(fmt.Sprintf("https://example.com/%016x", rng.Uint64()))
	j.Status = jobstore.StatusSucceeded
	j.Metadata = fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", size))
	return j
}

// fillUp creates finished jobs, some at a time and then fewer, until not even one
// fits.
func fillUp(t *testing.T, s *jobstore.Store, rng *rand.Rand, atOnce, size int) {
	t.Helper()
	for n := atOnce; n > 0; n /= 2 {
		var err error
		for err == nil {
			jobs := make([]*jobstore.Job, n)
			for i := range jobs {
				jobs[i] = finishedJob(rng, size)
			}
			err = s.Create(t.Context(), jobs...)
		}
		require.ErrorIs(t, err, jobstore.ErrFull)
	}
}

// requireEmptied fills a store up, deletes jobs from it until none is left, and
// does it again: what the reserve is there for must be there the next time too.
func requireEmptied(t *testing.T, s *jobstore.Store, atOnce, size int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		fillUp(t, s, rng, atOnce, size)
		before := countAll(t, s)
		require.Greater(t, before, int64(20))
		page, err := s.List(t.Context(), jobstore.Query{Limit: 20})
		require.NoError(t, err)
		for _, j := range page.Jobs {
			n, err := s.Delete(t.Context(), j.ID)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, before-20, n)
	}
}

// However a store was filled to its MaxSize, it can be emptied and filled again.
func TestPruneOfAFullStore(t *testing.T) {
	for _, test := range []struct {
		maxSize      int64
		size, atOnce int
	}{
		{1 << 20, 300, 1}, {1 << 20, 300, 500}, {1 << 20, 9000, 1},
		{3 << 20, 300, 100}, {12 << 20, 3000, 100},
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			path := storePath(t)
			s := openStore(t, path, &jobstore.Options{NoSync: true, MaxSize: test.maxSize})
			requireEmptied(t, s, test.atOnce, test.size)
			size := fileSize(t, path)
			require.LessOrEqual(t, size, test.maxSize)
			require.Greater(t, size, test.maxSize*15/16, "the room was not used")
		})
	}
}

func TestPruneOfDamagedRecords(t *testing.T) {
	path := storePath(t)
	start, jobs := agedStore(t, path)
	var minted, named jobstore.ID
	for _, j := range jobs {
		if j.Status != jobstore.StatusFailed || !j.CreatedAt.Equal(start) {
			continue
		}
		if _, ok := j.ID.Time(); ok {
			minted = j.ID
		} else {
			named = j.ID
		}
	}
	damageRecord(t, path, minted)
	damageRecord(t, path, named)
	s := openDamaged(t, path)
	n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: start.Add(time.Hour)})
	require.ErrorIs(t, err, jobstore.ErrCorrupt)
	require.ErrorContains(t, err, "2 jobs")
	require.EqualValues(t, 30-2, n, "the others are deleted")
}

func TestPruneRefuses(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 100)
	options := jobstore.PruneOptions{Before: time.Now().Add(time.Hour)}
	for _, bad := range []jobstore.PruneOptions{
		{}, {Before: options.Before, Kind: 1 << 9}, {Before: options.Before, Status: 1 << 9},
	} {
		_, err := s.Prune(t.Context(), bad)
		require.ErrorIs(t, err, jobstore.ErrInvalid)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Prune(ctx, options)
	require.ErrorIs(t, err, context.Canceled)
	closeStore(t, s)
	_, err = s.Prune(t.Context(), options)
	require.ErrorIs(t, err, jobstore.ErrClosed)
	_, err = (*jobstore.Store)(nil).Prune(t.Context(), options)
	require.ErrorIs(t, err, jobstore.ErrClosed)
	s = openStore(t, path, &jobstore.Options{ReadOnly: true})
	_, err = s.Prune(t.Context(), options)
	require.ErrorIs(t, err, jobstore.ErrReadOnly)
	options.DryRun = true
	n, err := s.Prune(t.Context(), options)
	require.NoError(t, err)
	require.EqualValues(t, 60, n)
}

// A clock that was ahead for a while gives no later job a future age.
func TestPruneAfterClockWasAhead(t *testing.T) {
	clock := newHandClock()
	s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, Now: clock.Now})
	clock.step(20 * 365 * 24 * time.Hour)
	ahead := mixedJob(statuses - 1)
	ahead.Status = jobstore.StatusFailed
	require.NoError(t, s.Create(t.Context(), ahead))
	clock.step(-20 * 365 * 24 * time.Hour)
	later := mixedJob(1)
	later.Status = jobstore.StatusFailed
	require.NoError(t, s.Create(t.Context(), later))
	require.Greater(t, later.ID, ahead.ID)
	n, err := s.Prune(t.Context(), jobstore.PruneOptions{Before: clock.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = s.Get(t.Context(), later.ID)
	require.ErrorIs(t, err, jobstore.ErrNotFound)
}
