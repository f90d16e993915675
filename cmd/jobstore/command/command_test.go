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

	"github.com/jobstore/jobstore"
)

func TestLifeOfAJob(t *testing.T) {
	database := newDatabase(t)
	created := must(t, database, "", "create", "--body",
		`{"kind":"video","input":"s3://bucket/in.mov","options":{"format":"mp4"}}`)
	var job struct {
		ID, Kind, Status, Input string
		StartedAt               *int64 `json:"started_at"`
		FinishedAt              *int64 `json:"finished_at"`
		Error                   any
		Metadata                map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(created), &job))
	assert.Equal(t, "video queued s3://bucket/in.mov", strings.Join([]string{job.Kind, job.Status, job.Input}, " "))
	assert.Nil(t, job.StartedAt)
	assert.Equal(t, created, must(t, database, "", "get", job.ID), "get prints what create printed")

	must(t, database, "", "update", job.ID, "--status", "processing")
	must(t, database, "", "update", job.ID, "--status", "failed", "--error", `{"code":"timeout"}`,
		"--metadata", `{"a":1}`, "--tasks", `[{"id":"task_1"}]`, "--output", "s3://bucket/out.mp4")
	got := must(t, database, "", "get", job.ID)
	require.NoError(t, json.Unmarshal([]byte(got), &job))
	assert.Equal(t, "failed", job.Status)
	assert.NotNil(t, job.StartedAt)
	assert.NotNil(t, job.FinishedAt)
	assert.Equal(t, map[string]any{"code": "timeout"}, job.Error)
	assert.Equal(t, map[string]any{"a": 1.0}, job.Metadata)
	assert.Contains(t, got, `"output":"s3://bucket/out.mp4"`)
	assert.Contains(t, got, `"tasks":[{"id":"task_1"}]}`)
	assert.NotContains(t, must(t, database, "", "list", "--json"), "tasks")

	must(t, database, "", "update", job.ID, "--error", "null")
	assert.Contains(t, must(t, database, "", "get", job.ID), `"error":null`)

	assert.Equal(t, "deleted 1 of 2 jobs\n", must(t, database, "", "delete", job.ID, "job_none"))
	assert.Equal(t, "0\n", must(t, database, "", "count"))
	assert.Equal(t, "[]\n", must(t, database, "", "list", "--json"))
	assert.Equal(t, outcome{1, "", "jobstore: job not found: " + job.ID + "\n"}, run(t, database, "", "get", job.ID))
	assert.Equal(t, 1, run(t, database, "", "update", job.ID, "--status", "queued").code)
}

func TestCreateFromStandardInput(t *testing.T) {
	database := newDatabase(t)
	got := must(t, database, " {\n \"input\": \"https://example.com/a.png\",\n \"kind\": \"image\" }\n", "create", "--body", "-")
	assert.Contains(t, got, `"kind":"image","input":"https://example.com/a.png"`)
	assert.Equal(t, 1, strings.Count(got, "\n"))
	assert.Equal(t, "1\n", must(t, database, "", "count"))
}

// TestReadingCommands runs every command that reads, beside another reader.
func TestReadingCommands(t *testing.T) {
	database := newExamples(t)
	before, err := os.ReadFile(database)
	require.NoError(t, err)
	reader, err := jobstore.Open(database, &jobstore.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()

	table := must(t, database, "", "list", "--status", "failed,cancelled", "--kind", "audio", "--limit", "3")
	rows := strings.Split(table, "\n")
	assert.Len(t, rows, 5)
	assert.Equal(t, "id\tkind\tstatus\tinput\tage\tduration", rows[0])
	assert.Equal(t, "job_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\taudio\tcancelled\ts3://ids/shared.wav\t-\t-", rows[1])

	explained := run(t, database, "", "list", "--input", "s3://ids/shared.wav", "--explain", "--json")
	assert.Len(t, ids(t, explained.out), 17)
	assert.Regexp(t, `^plan: index=input branches=\d+ matches=\d+ examined=\d+ fetched=17 returned=17\n$`, explained.err)

	assert.Equal(t, "67\n", must(t, database, "", "count", "--status", "cancelled"))
	assert.Equal(t, "17\n", must(t, database, "", "count", "--input", "s3://ids/shared.wav"))
	assert.Contains(t, must(t, database, "", "explain", "--kind", "video", "--limit", "7"), "call      /jobs?kind=video&limit=7\nindex     kind\nbranches  1\nmatches   72\n")
	assert.Equal(t, "no problems\n", must(t, database, "", "check"))
	assert.Contains(t, must(t, database, "", "stats"), "jobs    306\n")
	assert.Regexp(t, `(?m)^  adaptive_video +51  16.7%$`, must(t, database, "", "stats"))

	var stats struct {
		Jobs      int64
		ByKind    map[string]int64 `json:"by_kind"`
		ByStatus  map[string]int64 `json:"by_status"`
		FileBytes int64            `json:"file_bytes"`
		Format    int
	}
	require.NoError(t, json.Unmarshal([]byte(must(t, database, "", "stats", "--json")), &stats))
	assert.Equal(t, int64(306), stats.Jobs)
	assert.Equal(t, map[string]int64{"queued": 72, "processing": 51, "succeeded": 59, "failed": 57, "cancelled": 67}, stats.ByStatus)
	assert.Len(t, stats.ByKind, 5)
	assert.Equal(t, int64(len(before)), stats.FileBytes)

	after, err := os.ReadFile(database)
	require.NoError(t, err)
	assert.True(t, string(before) == string(after), "a reading command wrote to the file")
}

// TestHostileText lists inputs that would break a table or a terminal.
func TestHostileText(t *testing.T) {
	database := newDatabase(t)
	must(t, database, `{"id":"job_1","kind":"video","status":"queued","input":"https://x/\u001b[2J\ta\nb\u202e\u2028é🎬"}`, "import", "-")
	assert.Contains(t, must(t, database, "", "list"), "\thttps://x/\\x1b[2J\\ta\\nb\\u202e\\u2028é🎬\t")
}

func TestUsage(t *testing.T) {
	database := newExamples(t)
	for call, want := range map[string]string{
		"lst":                                        `unknown command "lst" for "jobstore" Did you mean this?`,
		"--nonsense":                                 "unknown flag: --nonsense",
		"list --nonsense":                            "unknown flag: --nonsense",
		"list extra":                                 `unknown command "extra" for "jobstore list"`,
		"list --kind vide":                           `kind "vide" must be video, audio, image, animation or adaptive_video`,
		"list --kind video,vide":                     `kind "vide" must be`,
		"list --status done":                         `status "done" must be queued,`,
		"list --limit 0":                             `limit "0" must be a whole number from 1 to 100`,
		"list --limit 101":                           `limit "101" must be`,
		"list --limit ten":                           `limit "ten" must be`,
		"list --order up":                            `order "up" must be asc or desc`,
		"list --after nonsense":                      `after "nonsense" must be job_`,
		"list --before job_":                         `before "job_" must be job_`,
		"list --since yesterday":                     `since "yesterday" must be a date`,
		"list --until -5m":                           `until "-5m" must be a date`,
		"list --since 2026-02-30":                    `since "2026-02-30" must be a date`,
		"list --until 1h --after job_a":              "until and after name the same end of the range in desc order",
		"list --since 1h --before job_a":             "since and before name the same end",
		"list --order asc --since 1h --after job_a":  "since and after name the same end of the range in asc order",
		"list --order asc --until 1h --before job_a": "until and before name the same end",
		"list --limit":                               "flag needs an argument: --limit",
		"get":                                        "accepts 1 arg(s), received 0",
		"get nonsense":                               `id "nonsense" must be job_`,
		"get job_a job_b":                            "accepts 1 arg(s), received 2",
		"delete":                                     "requires at least 1 arg(s)",
		"delete job_a nonsense":                      `id "nonsense" must be job_`,
		"update job_abc123":                          "at least one of the flags in the group [status output error metadata tasks] is required",
		"update job_abc123 --status done":            `status "done" must be`,
		"update job_abc123 --metadata []":            `metadata "[]" must be a JSON object`,
		"update job_abc123 --tasks {}":               `tasks "{}" must be a JSON array`,
		"update job_abc123 --error {":                `error "{" must be JSON`,
		"create":                                     `required flag(s) "body" not set`,
		"create --body {":                            "the body must be a JSON object: unexpected end of JSON input",
		"create --body []":                           "the body must be a JSON object",
		"create --body -":                            "the body must be a JSON object: unexpected end of JSON input",
		`create --body {"kind":"video"}`:             `input is missing`,
		`create --body {"input":"s3://a/b"}`:         "kind is missing: must be video,",
		`create --body {"kind":"vide","input":"s3://a/b"}`:               `kind "vide" must be`,
		`create --body {"kind":"video","input":"ftp://a/b"}`:             `input must use http://, https://, or s3:// scheme`,
		`create --body {"kind":"video","input":"s3://a/b","id":"job_1"}`: `"id" is not a field that can be given, only input, kind, options, output, metadata`,
		`create --body {"kind":"video","input":"s3://a/b","options":[]}`: `options "[]" must be a JSON object`,
		"count --limit 3":         "unknown flag: --limit",
		"import":                  "accepts 1 arg(s), received 0",
		"export --limit 3":        "unknown flag: --limit",
		"demo --jobs 0":           `jobs "0" must be at least 1`,
		"demo --jobs many":        `invalid argument "many" for "--jobs" flag`,
		"demo --keep " + database: "exists already; name a new file",
		"export -o " + database:   "is the store itself",
		"--db= list":              "path is missing",
		"backup":                  "accepts 1 arg(s), received 0",
		"backup " + database:      "is the store itself",
		"compact extra":           `unknown command "extra" for "jobstore compact"`,
		"compact --output=":       "output is missing",
		"compact -o " + database:  "is the store itself",
		"prune":                   "at least one of the flags in the group [older-than before] is required",
		"prune --status failed":   "at least one of the flags in the group [older-than before] is required",
		"prune --older-than 1d --before 2026-01-31": "[before older-than] were all set",
		"prune --older-than old":                    `older-than "old" must be an age`,
		"prune --older-than -1h":                    `older-than "-1h" must be an age`,
		"prune --older-than 2026-01-31":             `older-than "2026-01-31" must be an age`,
		"prune --older-than=":                       "older-than is missing",
		"prune --before then":                       `before "then" must be a date`,
		"prune --before 0001-01-01":                 `before "0001-01-01" must be a date`,
		"prune --older-than 1d --status=":           "status is missing",
		"prune --older-than 1d --kind=":             "kind is missing",
		"prune --older-than 1d --status done":       `status "done" must be`,
	} {
		got := run(t, database, "", strings.Fields(call)...)
		assert.Equal(t, 2, got.code, call)
		assert.Contains(t, got.err, want, call)
		assert.Empty(t, got.out, call)
	}
	assert.Equal(t, "306\n", must(t, database, "", "count"), "a mistake in the call changed the store")
}

func TestFailures(t *testing.T) {
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing.db")
	for _, args := range [][]string{
		{"list"}, {"get", "job_a"}, {"count"}, {"stats"}, {"explain"}, {"check"}, {"export"},
		{"update", "job_a", "--status", "queued"}, {"delete", "job_a"},
		{"backup", "-"}, {"backup", filepath.Join(folder, "copy.db")}, {"compact"}, {"reindex"},
		{"compact", "-o", filepath.Join(folder, "copy.db")}, {"prune", "--older-than", "1d"},
	} {
		got := run(t, missing, "", args...)
		assert.Equal(t, 1, got.code, args)
		assert.Equal(t, "jobstore: there is no store at "+missing+"; --db or $JOBSTORE_DB names another file\n", got.err)
		assert.NoFileExists(t, missing, args)
	}
	got := run(t, missing, "", "import", filepath.Join(folder, "none.ndjson"))
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "none.ndjson: no such file or directory")
	assert.NoFileExists(t, missing, "there is nothing to import")

	foreign := filepath.Join(folder, "foreign.db")
	require.NoError(t, os.WriteFile(foreign, []byte("no store"), 0o600))
	assert.Equal(t, 1, run(t, foreign, "", "list").code)
	assert.Equal(t, 1, run(t, foreign, `{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b"}`, "import", "-").code)
}

func TestLocked(t *testing.T) {
	t.Parallel()
	database := newExamples(t)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	got := run(t, database, "", "count")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, database)
	assert.Contains(t, got.err, "another process has the store open")
}

// TestCheckFindsDamage overwrites a record and expects to be told.
func TestCheckFindsDamage(t *testing.T) {
	database := filepath.Join(t.TempDir(), "damaged.db")
	must(t, database, "", "import", examplesFile)
	text, err := os.ReadFile(database)
	require.NoError(t, err)
	at := strings.Index(string(text), "https://store.ittybit.net/org_123/video.mp4")
	require.Positive(t, at)
	for ; at >= 0; at = strings.Index(string(text), "https://store.ittybit.net/org_123/video.mp4") {
		text[at+8] = 'S'
	}
	require.NoError(t, os.WriteFile(database, text, 0o600))

	got := run(t, database, "", "check")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, "jobs: job_abc123: ")
	assert.Equal(t, "jobstore: "+database+" has problems: 1\n", got.err)
	got = run(t, database, "", "get", "job_abc123")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "file is damaged")
}

func TestDatabaseVariable(t *testing.T) {
	database := newExamples(t)
	t.Setenv("JOBSTORE_DB", database)
	got := runPlain(context.Background(), "count")
	assert.Equal(t, outcome{0, "306\n", ""}, got)
	t.Setenv("JOBSTORE_DB", "")
	t.Chdir(t.TempDir())
	got = runPlain(context.Background(), "count")
	assert.Contains(t, got.err, "there is no store at jobs.db")
}

func TestInterrupted(t *testing.T) {
	database := newExamples(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"list"}, {"check"}, {"export"}, {"count"}, {"demo", "--jobs", "10"}} {
		got := runPlain(ctx, append([]string{"--db", database}, args...)...)
		assert.Equal(t, outcome{130, got.out, "jobstore: interrupted\n"}, got, args)
	}
}

func TestHelp(t *testing.T) {
	got := runPlain(context.Background())
	assert.Equal(t, 0, got.code)
	assert.Contains(t, got.out, "Available Commands:")
	assert.Empty(t, got.err)
	got = runPlain(context.Background(), "--version")
	assert.Equal(t, 0, got.code)
	assert.Contains(t, got.out, "jobstore version ")
}

func TestCompletion(t *testing.T) {
	for typed, want := range map[string][]string{
		"list --kind ":           {"video", "audio", "image", "animation", "adaptive_video"},
		"list --kind a":          {"audio", "animation", "adaptive_video"},
		"count --kind video,a":   {"video,audio", "video,animation", "video,adaptive_video"},
		"count --status queued,": {"queued,processing", "queued,succeeded", "queued,failed", "queued,cancelled"},
		"update job_1 --status ": {"queued", "processing", "succeeded", "failed", "cancelled"},
		"export --order ":        {"asc", "desc"},
		"get ":                   nil,
		"prune --status f":       {"failed"},
		"prune --before ":        nil,
		"exp":                    {"explain\tShow how a page of jobs is read and what that costs", "export\tWrite jobs as NDJSON or as a JSON array"},
	} {
		words := strings.Split(typed, " ")
		got := runPlain(context.Background(), append([]string{"__complete"}, words...)...)
		offered := strings.Split(strings.TrimSpace(got.out), "\n")
		assert.Equal(t, append(want, ":4"), offered, typed)
	}
	got := runPlain(context.Background(), "completion", "bash")
	assert.Equal(t, 0, got.code)
	assert.NotEmpty(t, got.out)
}
