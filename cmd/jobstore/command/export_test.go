package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// decode returns the JSON values in text, one a line or in an array, by their
// ID. Numbers are kept as they are written.
func decode(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var list []map[string]any
	if strings.HasPrefix(text, "[") {
		require.NoError(t, dec.Decode(&list))
	} else {
		for dec.More() {
			var job map[string]any
			require.NoError(t, dec.Decode(&job))
			list = append(list, job)
		}
	}
	jobs := map[string]map[string]any{}
	for _, job := range list {
		id := job["id"].(string)
		require.NotContains(t, jobs, id, "twice")
		jobs[id] = job
	}
	return jobs
}

// documented fills in what the documented object has for fields that were not
// given, and says whether tasks were.
func documented(job map[string]any) (hasTasks bool) {
	job["object"] = "job"
	for _, name := range []string{"options", "metadata"} {
		if job[name] == nil {
			job[name] = map[string]any{}
		}
	}
	if job["output"] == "" {
		job["output"] = nil
	}
	for _, name := range []string{"output", "error", "created_at", "started_at", "finished_at", "updated_at"} {
		if job[name] == nil {
			job[name] = nil
		}
	}
	if job["tasks"] == nil {
		delete(job, "tasks")
		return false
	}
	return true
}

// TestExamplesAreUnchanged takes the shipped jobs in, and out by every way.
func TestExamplesAreUnchanged(t *testing.T) {
	text, err := os.ReadFile(examplesFile)
	require.NoError(t, err)
	want, bare := decode(t, string(text)), decode(t, string(text))
	require.Len(t, want, 306)
	tasks := 0
	for id, job := range want {
		if documented(job) {
			tasks++
		}
		documented(bare[id])
		delete(bare[id], "tasks")
	}
	require.Greater(t, tasks, 50)

	database := newDatabase(t)
	must(t, database, "", "import", examplesFile)
	exported := must(t, database, "", "export")
	assert.Equal(t, 306, strings.Count(exported, "\n"), "one line a job")
	assert.Equal(t, want, decode(t, exported))
	assert.Equal(t, want, decode(t, must(t, database, "", "export", "--array")))
	assert.Equal(t, bare, decode(t, must(t, database, "", "export", "--no-tasks")))

	listed := map[string]map[string]any{}
	for after := ""; ; {
		page := must(t, database, "", "list", "--json", "--limit", "100", "--after", after)
		jobs := decode(t, page)
		if len(jobs) == 0 {
			break
		}
		for id, job := range jobs {
			listed[id] = job
			if after == "" || id < after {
				after = id
			}
		}
	}
	assert.Equal(t, bare, listed)
	for id := range want {
		if strings.Contains(id, "json") {
			assert.Equal(t, want[id], decode(t, must(t, database, "", "get", id))[id])
		}
	}
}

// TestExportsAreIdentical goes from store to store, as NDJSON and as an array.
func TestExportsAreIdentical(t *testing.T) {
	database := newExamples(t)
	first := must(t, database, "", "export")
	for _, form := range []string{"--array=false", "--array", "--order=asc"} {
		copied := newDatabase(t)
		assert.Equal(t, "imported 306 jobs\n", must(t, copied, must(t, database, "", "export", form), "import", "-"))
		assert.True(t, first == must(t, copied, "", "export"), form)
	}
	asc := strings.SplitAfter(must(t, database, "", "export", "--order", "asc"), "\n")
	slices.Reverse(asc)
	assert.Equal(t, first, strings.Join(asc, ""))
}

// TestOneLineAJob exports a job whose options came with line breaks.
func TestOneLineAJob(t *testing.T) {
	database := newDatabase(t)
	must(t, database, `[{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b","options":{
		"text": "a b\n",
		"list": [ 1, 2 ]
	}}]`, "import", "-")
	exported := must(t, database, "", "export")
	assert.Equal(t, 1, strings.Count(exported, "\n"))
	assert.Contains(t, exported, "\"options\":{ \t\t\"text\": \"a b\\n\", \t\t\"list\": [ 1, 2 ] \t},", "a line end is a space, the rest stays")
	assert.Equal(t, exported, strings.ReplaceAll(must(t, database, "", "get", "job_1"), "\n\t", " \t"))
}

func TestExportFilters(t *testing.T) {
	database := newExamples(t)
	assert.Equal(t, 67, strings.Count(must(t, database, "", "export", "--status", "cancelled"), "\n"))
	assert.Equal(t, "[]\n", must(t, database, "", "export", "--array", "--input", "s3://none"))
	assert.Empty(t, must(t, database, "", "export", "--input", "s3://none"))
}

func TestExportToFile(t *testing.T) {
	database := newExamples(t)
	want := must(t, database, "", "export")
	folder := t.TempDir()
	path := filepath.Join(folder, "jobs.ndjson")
	assert.Empty(t, must(t, database, "", "export", "-o", path))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, want == string(got))

	// An old file is replaced whole, through a link too, and keeps its mode.
	require.NoError(t, os.Chmod(path, 0o640))
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink(path, link))
	must(t, database, "", "export", "--status", "queued", "-o", link, "--force")
	got, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 72, bytes.Count(got, []byte("\n")))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode())

	assert.Contains(t, run(t, database, "", "export", "-o", folder).err, "is no regular file")
	assert.Contains(t, run(t, database, "", "export", "-o", filepath.Join(folder, "none", "jobs")).err, "no such file or directory")
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 2, "a temporary file stayed behind")
}

// TestInterruptedExport breaks an export off half-way: the old file stays.
func TestInterruptedExport(t *testing.T) {
	database := newExamples(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "jobs.ndjson")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	var errs bytes.Buffer
	ctx := &endingContext{Context: context.Background(), looks: 100}
	code := command.Main(ctx, []string{"--db", database, "export", "--force", "-o", path}, strings.NewReader(""), io.Discard, &errs)
	assert.Equal(t, 130, code)
	assert.Equal(t, "jobstore: interrupted\n", errs.String())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(text))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1, "a temporary file stayed behind")
}

// An endingContext is cancelled once it has been looked at so many times.
type endingContext struct {
	context.Context
	looks int
}

func (c *endingContext) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

// TestFullDisk writes to a device on which nothing fits.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() { _ = full.Close() }()
	database := newExamples(t)
	for _, args := range [][]string{
		{"export"}, {"list"}, {"list", "--json"}, {"get", "job_abc123"}, {"count"}, {"stats"}, {"explain"}, {"check"},
		{"backup", "-"}, {"compact"}, {"reindex"}, {"prune", "--older-than", "1d", "--dry-run"},
	} {
		var errs bytes.Buffer
		code := mainTo(full, &errs, append([]string{"--db", database}, args...)...)
		assert.Equal(t, 1, code, args)
		assert.Contains(t, errs.String(), "no space left on device", args)
	}
}
