package jobstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// The hooks say what was committed and how pages were read.
func TestHooks(t *testing.T) {
	var commits []jobstore.Commit
	var plans []jobstore.Plan
	s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{
		OnCommit: func(c jobstore.Commit) { commits = append(commits, c) },
		OnPage:   func(p jobstore.Plan) { plans = append(plans, p) },
	})
	require.NoError(t, err)
	ctx := context.Background()
	one := jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/1.mp4"}
	two := jobstore.Job{Kind: jobstore.KindImage, Input: "https://example.com/2.png"}
	require.NoError(t, s.Create(ctx, &one, &two))
	require.ErrorIs(t, s.Create(ctx, &one), jobstore.ErrExists)
	_, err = s.Delete(ctx, one.ID)
	require.NoError(t, err)

	page, err := s.List(ctx, jobstore.Query{Kind: jobstore.KindImage})
	require.NoError(t, err)
	require.Len(t, page.Jobs, 1)
	for range s.All(ctx, jobstore.Query{}) {
	}
	require.NoError(t, s.Close())

	require.Len(t, commits, 2, "what was refused is no commit")
	require.Equal(t, []int{2, 1}, []int{commits[0].Jobs, commits[1].Jobs})
	require.Equal(t, 1, commits[0].Operations)
	require.NoError(t, commits[0].Err)
	require.Positive(t, commits[0].Duration)
	require.Len(t, plans, 2)
	require.Equal(t, 1, plans[0].Returned)
}
