package command_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// page is the page that documents the list call, as far as its response goes.
const page = `[{"id":"job_abc123","object":"job","kind":"video","input":"https://example.com/video.mp4",
"output":"https://store.ittybit.net/org_123/video.mp4","options":{"format":"mp4","quality":"high"},"metadata":{},
"status":"succeeded","error":null,"created_at":1711900000000,"started_at":1711900001000,
"finished_at":1711900045000,"updated_at":1711900045000}]`

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	database := newDatabase(t)
	got := runPlain(context.Background(), "demo", "--jobs", "3000", "--keep", database)
	require.Equal(t, 0, got.code, got.err)

	_, rest, ok := strings.Cut(got.out, "GET /jobs?kind=video&limit=10\n")
	require.True(t, ok)
	videos, rest, ok := strings.Cut(rest, "\nGET /jobs?status=failed&limit=20\n")
	require.True(t, ok)
	failed, _, ok := strings.Cut(rest, "\n\n")
	require.True(t, ok)
	assert.JSONEq(t, page, videos)
	assert.Equal(t, "[]", failed)

	table := map[string][]string{}
	for line := range strings.Lines(got.out) {
		if cells := strings.Split(strings.TrimSpace(line), "\t"); len(cells) == 8 {
			table[cells[0]+" "+cells[1]] = cells
		}
	}
	assert.Len(t, table, 20, "19 calls under a header")
	assert.Equal(t, []string{"10", "kind", "1"}, table["documented kind=video&limit=10"][2:5])
	assert.Equal(t, "3001", table["count "][2])
	assert.Equal(t, "1", table["unique input "+findCall(table, "unique input ")][2])

	assert.Equal(t, 3001, count(t, database))
	assert.Contains(t, got.out, "--db "+database+" list --status failed --limit 10 --explain\n")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)

	// The same seed gives the same store.
	again := newDatabase(t)
	require.Equal(t, 0, runPlain(context.Background(), "demo", "--jobs", "3000", "--keep", again).code)
	assert.True(t, must(t, database, "", "export") == must(t, again, "", "export"))
}

func findCall(table map[string][]string, prefix string) string {
	for call := range table {
		if strings.HasPrefix(call, prefix) {
			return strings.TrimPrefix(call, prefix)
		}
	}
	return ""
}

// TestDemoLeavesNothing runs the demo to its end, breaks it off, and takes its
// output away.
func TestDemoLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, jobs := range []string{"1", "2", "1500"} {
		got := runPlain(context.Background(), "demo", "--jobs", jobs)
		assert.Equal(t, 0, got.code, got.err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	keep := filepath.Join(t.TempDir(), "kept.db")
	for _, args := range [][]string{{"demo"}, {"demo", "--keep", keep}} {
		ctx, cancel := context.WithCancel(ctx)
		var errs strings.Builder
		// The line that says that filling has begun ends the context.
		code := mainUntil(ctx, cancel, "Filling the store", &errs, args...)
		assert.Equal(t, 130, code)
		assert.Equal(t, "jobstore: interrupted\n", errs.String())
	}
	assert.NoFileExists(t, keep)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestDocumentedJobIsThePages(t *testing.T) {
	database := newExamples(t)
	var got, want any
	require.NoError(t, json.Unmarshal([]byte("["+must(t, database, "", "get", "job_abc123")+"]"), &got))
	require.NoError(t, json.Unmarshal([]byte(page), &want))
	assert.Equal(t, want, got)
}
