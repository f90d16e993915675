package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// TestFullOfLargeJobs fills MaxSize with jobs of one size and then with smaller
// ones, and empties it: one job at a time, in any order, and with Prune.
func TestFullOfLargeJobs(t *testing.T) {
	for _, c := range []struct{ maxSize, job int }{
		{32 << 20, 4<<20 - 100}, {12 << 20, 1 << 20}, {8 << 20, 300 << 10}, {4 << 20, 100 << 10}, {2 << 20, 30 << 10}, {2 << 20, 1000},
	} {
		for _, how := range []string{"oldest first", "newest first", "all at once", "prune"} {
			t.Run(fmt.Sprintf("%d KiB/%s", c.job>>10, how), func(t *testing.T) {
				s, err := jobstore.Open(filepath.Join(scratch(t), "jobs.db"), &jobstore.Options{NoSync: true, MaxSize: int64(c.maxSize)})
				require.NoError(t, err)
				rounds := 2
				if c.job > 1<<20 {
					rounds = 1
				}
				for round := range rounds {
					ids := slices.Concat(fill(t, s, c.job), fill(t, s, 8<<10), fill(t, s, 0))
					require.NotEmpty(t, ids, "round %d", round)
					empty(t, s, how, ids)
					n, err := s.Count(context.Background(), jobstore.Query{})
					require.NoError(t, err)
					require.Zero(t, n)
				}
				for problem, err := range s.Check(context.Background()) {
					require.NoError(t, err)
					t.Error(problem)
				}
				require.NoError(t, s.Close())
			})
		}
	}
}

// fill creates finished jobs with so much metadata until three of them had no room.
func fill(t *testing.T, s *jobstore.Store, size int) (ids []jobstore.ID) {
	for refused := 0; refused < 3; {
		job := jobstore.Job{Kind: jobstore.KindVideo, Status: jobstore.StatusSucceeded, Input: "x",
			Metadata: json.RawMessage(`{"m":"` + strings.Repeat("m", size) + `"}`)}
		err := s.Create(context.Background(), &job)
		if errors.Is(err, jobstore.ErrFull) {
			refused++
			continue
		}
		require.NoError(t, err)
		ids = append(ids, job.ID)
	}
	return ids
}

func empty(t *testing.T, s *jobstore.Store, how string, ids []jobstore.ID) {
	ctx := context.Background()
	switch how {
	case "prune":
		n, err := s.Prune(ctx, jobstore.PruneOptions{Before: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.EqualValues(t, len(ids), n)
	case "all at once":
		n, err := s.Delete(ctx, ids...)
		require.NoError(t, err)
		require.Equal(t, len(ids), n)
	default:
		if how == "newest first" {
			slices.Reverse(ids)
		}
		// One at a time while the store is full, and then together.
		for n := 1; len(ids) > 0; {
			chunk := ids[:min(n, len(ids))]
			deleted, err := s.Delete(ctx, chunk...)
			require.NoError(t, err, "with %d left", len(ids))
			require.Equal(t, len(chunk), deleted)
			if ids = ids[len(chunk):]; len(ids)%300 == 0 {
				n = 300
			}
		}
	}
}
