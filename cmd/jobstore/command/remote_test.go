package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
	"github.com/jobstore/jobstore/httpapi"
)

// newAPI serves the store at database until the end of the test, and returns the
// server's address.
func newAPI(t *testing.T, database, token string) string {
	t.Helper()
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	server := httptest.NewServer(httpapi.New(store, &httpapi.Options{Token: token}))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, store.Close())
	})
	return server.URL
}

// ask runs the command line on a server.
func ask(t *testing.T, server, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"--url", server, "--token", "secret"}, args...)
	got := outcome{code: command.Main(context.Background(), args, strings.NewReader(stdin), &out, &errs)}
	got.out, got.err = out.String(), errs.String()
	if got.code != 0 {
		requireOneLine(t, got.err)
	}
	return got
}

// TestRemoteReads asks a server and the file that it serves the same.
func TestRemoteReads(t *testing.T) {
	database := newExamples(t)
	calls := [][]string{
		{"list"}, {"list", "--json", "--limit", "7"}, {"list", "--ndjson", "--status", "failed,queued"},
		{"list", "--quiet", "--order", "asc", "--after", "job_abc123"}, {"list", "--before", "job_abc123"},
		{"list", "--all", "--quiet"}, {"list", "--all", "--quiet", "--order", "asc", "--kind", "video"},
		{"list", "--all", "--quiet", "--before", "job_abc123"}, {"list", "--all", "--quiet", "--order", "asc", "--before", "job_abc123"},
		{"list", "--since", "2026-01-10", "--until", "2026-02-10", "--json"},
		{"get", "job_abc123"}, {"count"}, {"count", "--kind", "video"}, {"count", "--input", "https://example.com/video.mp4"},
		{"export"}, {"export", "--array", "--no-tasks", "--order", "asc"},
	}
	var want []string
	for _, call := range calls {
		want = append(want, must(t, database, "", call...))
	}
	server := newAPI(t, database, "secret")
	for i, call := range calls {
		got := ask(t, server, "", call...)
		require.Equal(t, 0, got.code, got.err)
		assert.NotEmpty(t, got.out, call)
		// A server does not say whether a job has no tasks or an empty list of them.
		same := strings.ReplaceAll(want[i], `,"tasks":[]}`, "}") == got.out
		assert.True(t, same, call)
	}
	file := filepath.Join(t.TempDir(), "out.ndjson")
	assert.Equal(t, 0, ask(t, server+"/", "", "export", "-o", file).code)
	assert.FileExists(t, file)
}

// TestRemoteLifeOfAJob is what TestLifeOfAJob does to a file.
func TestRemoteLifeOfAJob(t *testing.T) {
	database := newDatabase(t)
	server := newAPI(t, database, "secret")
	created := ask(t, server, "", "create", "--body",
		`{"kind":"video","input":"s3://bucket/in.mov","options":{"format":"mp4"},"output":"s3://a/b","metadata":{"a":1}}`)
	require.Equal(t, 0, created.code, created.err)
	var job jobstore.Job
	require.NoError(t, json.Unmarshal([]byte(created.out), &job))
	id := string(job.ID)
	assert.Equal(t, `{"format":"mp4"}`, string(job.Options))

	updated := ask(t, server, "", "update", id, "--status", "failed", "--error", `{"code":"timeout"}`,
		"--metadata", `{"a":1}`, "--tasks", `[{"id":"task_1"}]`, "--output", "s3://bucket/out.mp4")
	require.Equal(t, 0, updated.code, updated.err)
	assert.Equal(t, updated, ask(t, server, "", "get", id))
	assert.Contains(t, updated.out, `"error":{"code":"timeout"}`)
	assert.Contains(t, updated.out, `"output":"s3://bucket/out.mp4"`)
	assert.Contains(t, updated.out, `"tasks":[{"id":"task_1"}]}`)

	again := ask(t, server, "", "update", id, "--status", "failed")
	assert.Equal(t, 0, again.code, again.err)
	cleared := ask(t, server, "", "update", id, "--error", "null", "--output", "", "--tasks", "")
	assert.Contains(t, cleared.out, `"error":null`)
	assert.Contains(t, cleared.out, `"output":null`)
	assert.NotContains(t, cleared.out, "tasks")

	assert.Equal(t, outcome{0, "deleted 1 of 2 jobs\n", ""}, ask(t, server, "", "delete", id, "job_none"))
	assert.Equal(t, outcome{0, "0\n", ""}, ask(t, server, "", "count"))
}

func TestRemoteMistakes(t *testing.T) {
	server := newAPI(t, newExamples(t), "secret")
	for call, want := range map[string]outcome{
		"get job_none":                         {1, "", "jobstore: " + server + ": there is no job with this ID (job_not_found)\n"},
		"update job_none --status queued":      {1, "", "jobstore: " + server + ": there is no job with this ID (job_not_found)\n"},
		"update job_abc123 --error {":          {2, "", `error "{" must be JSON`},
		"update job_abc123 --tasks {}":         {2, "", "tasks \"{}\" must be a JSON array"},
		`create --body {"input":"s3://a/b"}`:   {2, "", "kind is missing"},
		"list --explain":                       {1, "", server + " has no /store: it is not a jobstore serve"},
		"stats":                                {1, "", server + " has no /store"},
		"explain":                              {1, "", server + " has no /store"},
		"check":                                {1, "", server + " has no /store"},
		"prune --older-than 1d":                {1, "", server + " has no /store"},
		"import ../../../examples/jobs.ndjson": {1, "", server + " has no /store: it is not a jobstore serve; 0 jobs were committed"},
		"reindex":                              {2, "", "url cannot be used here: reindex works on a file itself, and no server does it"},
		"backup -":                             {2, "", "backup works on a file itself"},
		"compact":                              {2, "", "compact works on a file itself"},
		"salvage x.db":                         {2, "", "salvage works on a file itself"},
		"demo":                                 {2, "", "demo works on a file itself"},
		"serve":                                {2, "", "serve works on a file itself"},
		"list --db x.db":                       {2, "", "--db and --url name two stores; give one of them"},
		"list --all --limit 3":                 {2, "", "none of the others can be"},
		"list --json --quiet":                  {2, "", "none of the others can be"},
		"list --watch --every 1ms":             {2, "", "every \"1ms\" must be 100ms or longer"},
	} {
		got := ask(t, server, "", strings.Fields(call)...)
		assert.Equal(t, want.code, got.code, call)
		assert.Contains(t, got.err, want.err, call)
		assert.Empty(t, got.out, call)
	}
	got := runPlain(context.Background(), "--url", server, "list")
	assert.Equal(t, outcome{1, "", "jobstore: " + server + ": send the header Authorization: Bearer <token> (token_missing)\n"}, got)
	t.Setenv("JOBSTORE_TOKEN", "secret")
	assert.Equal(t, 0, runPlain(context.Background(), "--url", server, "list").code)
	for _, address := range []string{"127.0.0.1:8080", "ftp://a", "http://", "http://%zz", "jobs.db"} {
		got := ask(t, address, "", "list")
		assert.Equal(t, 2, got.code, address)
		assert.Contains(t, got.err, "must be http:// or https:// and a host", address)
	}
	assert.Equal(t, 1, ask(t, server+"/nowhere", "", "list").code)
}
