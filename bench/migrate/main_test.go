package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

const table = `CREATE TABLE jobs (id TEXT PRIMARY KEY, type TEXT, source TEXT, result TEXT, state TEXT,
	params TEXT, failure TEXT, created_at TIMESTAMP, started_at TIMESTAMP, finished_at TIMESTAMP, updated_at TIMESTAMP)`

// TestMigrationKeepsIDsAndTimes moves rows of SQLite and reads them from the store.
func TestMigrationKeepsIDsAndTimes(t *testing.T) {
	ctx, folder := t.Context(), t.TempDir()
	from, to := filepath.Join(folder, "jobs.sqlite"), filepath.Join(folder, "jobs.db")
	noon := time.Date(2019, time.May, 1, 12, 0, 0, 0, time.UTC)
	db, err := sql.Open("sqlite", from)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(ctx, table)
	require.NoError(t, err)
	insert := func(values ...any) {
		_, err := db.ExecContext(ctx, `INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?)`, values...)
		require.NoError(t, err)
	}
	insert("17", "video", "https://example.com/a.mp4", "s3://out/a.mp4", "done", `{"quality":"high"}`, nil,
		noon, noon.Add(time.Minute), noon.Add(time.Hour), noon.Add(2*time.Hour))
	insert("18", "audio", "https://example.com/b.mp3", nil, "error", nil, `no "track"`,
		noon.Add(time.Second), noon.Add(time.Minute), noon.Add(time.Hour), noon.Add(time.Hour))
	insert("job_abc123", "image", "https://example.com/c.png", nil, "pending", nil, nil,
		noon.Add(time.Hour), nil, nil, noon.Add(time.Hour))

	n, err := run(ctx, from, to)
	require.NoError(t, err)
	assert.Equal(t, 3, n)

	store, err := jobstore.Open(to, nil)
	require.NoError(t, err)
	defer store.Close()
	var jobs []jobstore.Job
	for job, err := range store.All(ctx, jobstore.Query{Kind: jobstore.KindVideo | jobstore.KindAudio, Order: jobstore.Asc}) {
		require.NoError(t, err)
		jobs = append(jobs, job)
	}
	require.Len(t, jobs, 2)
	for i, want := range []time.Time{noon, noon.Add(time.Second)} {
		minted, ok := jobs[i].ID.Time()
		assert.True(t, ok)
		assert.Equal(t, want, minted, "the ID sorts by the age of the job")
		assert.Equal(t, want, jobs[i].CreatedAt)
	}
	first, second := jobs[0], jobs[1]
	assert.Equal(t, noon.Add(time.Minute), first.StartedAt)
	assert.Equal(t, noon.Add(time.Hour), first.FinishedAt)
	assert.Equal(t, noon.Add(2*time.Hour), first.UpdatedAt)
	assert.Equal(t, jobstore.StatusSucceeded, first.Status)
	assert.Equal(t, "s3://out/a.mp4", first.Output)
	assert.JSONEq(t, `{"quality":"high"}`, string(first.Options))
	assert.JSONEq(t, `{"old_id":"17"}`, string(first.Metadata))
	assert.JSONEq(t, `"no \"track\""`, string(second.Error))

	kept, err := store.Get(ctx, "job_abc123")
	require.NoError(t, err)
	assert.Equal(t, noon.Add(time.Hour), kept.CreatedAt)
	assert.Zero(t, kept.StartedAt)

	_, err = move(context.Background(), db, store)
	assert.ErrorContains(t, err, "has to be empty")
}

// TestMigrationNamesTheRow says which row cannot be moved.
func TestMigrationNamesTheRow(t *testing.T) {
	folder := t.TempDir()
	from := filepath.Join(folder, "jobs.sqlite")
	db, err := sql.Open("sqlite", from)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), table)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO jobs (id, type, source, state, created_at) VALUES ('19', 'video', 'https://example.com/a.mp4', 'lost', ?)`, time.Now())
	require.NoError(t, err)
	n, err := run(t.Context(), from, filepath.Join(folder, "jobs.db"))
	assert.Zero(t, n)
	assert.ErrorContains(t, err, `row 19: no status for the state "lost"`)
}
