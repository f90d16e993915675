package jobstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// A clock outside the years 1 to 9999 is an error of the call, which changes
// nothing. Within them, every job can be updated, and imported from its export.
func TestFarClocks(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		at time.Time
		ok bool
	}{
		{date(1, 1, 2), true}, {date(1960, 1, 1), true}, {date(9999, 12, 31), true},
		{date(9999, 12, 31).Add(24*time.Hour - time.Millisecond), true},
		{time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -5*3600)), false},
		{date(0, 12, 31), false}, {date(-5, 1, 1), false}, {date(10000, 1, 1), false}, {date(10890, 1, 1), false},
		{time.Unix(1<<53, 0), false}, {time.Unix(1<<62, 0), false}, {time.Unix(-1<<62, 0), false},
	} {
		t.Run(fmt.Sprint(c.at.Year(), c.at.Location()), func(t *testing.T) {
			now := c.at
			s := openStore(t, filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true, Now: func() time.Time { return now }})
			job := jobstore.Job{Kind: jobstore.KindVideo, Input: "x"}
			keyed := job
			err := s.Create(ctx, &job)
			_, onceErr := s.CreateOnce(ctx, "key", &keyed)
			if !c.ok {
				require.Error(t, err)
				require.Error(t, onceErr)
				require.Empty(t, job.ID, "the job is untouched")
				n, err := s.Count(ctx, jobstore.Query{})
				require.NoError(t, err)
				require.Zero(t, n)
			} else {
				require.NoError(t, err)
				require.NoError(t, onceErr)
			}
			now = date(2026, 6, 1)
			if c.ok {
				got, err := s.Update(ctx, job.ID, func(j *jobstore.Job) error { j.Status = jobstore.StatusProcessing; return nil })
				require.NoError(t, err)
				var back jobstore.Job
				require.NoError(t, back.UnmarshalJSON(got.AppendJSON(nil)))
				require.NoError(t, s.Put(ctx, &back))
			}
			next := jobstore.Job{Kind: jobstore.KindVideo, Input: "y"}
			require.NoError(t, s.Create(ctx, &next))
			require.Greater(t, next.ID, job.ID)
			again := jobstore.Job{Kind: jobstore.KindVideo, Input: "x"}
			created, err := s.CreateOnce(ctx, "key", &again)
			require.NoError(t, err)
			require.Equal(t, !c.ok || c.at.Before(now), created)
			require.Empty(t, problems(t, s))
		})
	}
}

// Times that a caller gives are held to the same years, in UTC.
func TestFarTimes(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true})
	west, east := time.FixedZone("", -5*3600), time.FixedZone("", 5*3600)
	for _, at := range []time.Time{
		time.Date(9999, 12, 31, 23, 0, 0, 0, west), time.Date(1, 1, 1, 1, 0, 0, 0, east), date(10000, 1, 1), date(0, 1, 1),
	} {
		for _, set := range []func(*jobstore.Job){
			func(j *jobstore.Job) { j.CreatedAt = at }, func(j *jobstore.Job) { j.StartedAt = at },
			func(j *jobstore.Job) { j.FinishedAt = at }, func(j *jobstore.Job) { j.UpdatedAt = at },
		} {
			job := jobstore.Job{ID: "job_1", Kind: jobstore.KindVideo, Status: jobstore.StatusQueued, Input: "x"}
			set(&job)
			require.ErrorIs(t, s.Put(context.Background(), &job), jobstore.ErrInvalid, "%v", at)
		}
	}
}

// After a clock that was ahead has been set right, IDs go on ascending, and the
// age of a job is that of its CreatedAt.
func TestClockSetBack(t *testing.T) {
	ctx := context.Background()
	now := date(2200, 1, 1)
	s := openStore(t, filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true, Now: func() time.Time { return now }})
	create := func() jobstore.Job {
		job := jobstore.Job{Kind: jobstore.KindVideo, Status: jobstore.StatusSucceeded, Input: "x"}
		require.NoError(t, s.Create(ctx, &job))
		return job
	}
	ahead := create()
	now = date(2026, 1, 1)
	last, old := ahead, []jobstore.ID{}
	for range 5 {
		job := create()
		require.Greater(t, job.ID, last.ID)
		require.Equal(t, now, job.CreatedAt.UTC())
		last, old = job, append(old, job.ID)
		now = now.Add(time.Hour)
	}
	n, err := s.Prune(ctx, jobstore.PruneOptions{Before: date(2027, 1, 1)})
	require.NoError(t, err)
	require.EqualValues(t, len(old), n)
	_, err = s.Get(ctx, ahead.ID)
	require.NoError(t, err, "a job of the year 2200 is not old yet")
}

// A lifetime of keys below a millisecond, which is what times are kept in, is refused.
func TestOnceForTooShort(t *testing.T) {
	for _, d := range []time.Duration{1, 900 * time.Microsecond, time.Millisecond - 1} {
		s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{OnceFor: d})
		if err == nil {
			_, err = s.CreateOnce(context.Background(), "key", &jobstore.Job{Kind: jobstore.KindVideo, Input: "x"})
			require.NoError(t, s.Close())
		}
		require.ErrorIs(t, err, jobstore.ErrInvalid, "%v", d)
	}
}
