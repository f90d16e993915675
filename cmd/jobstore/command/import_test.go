package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/cmd/jobstore/command"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// ndjson returns n jobs, one a line.
func ndjson(n int) []string {
	var list []string
	for job := range dataset.Realistic(1, n) {
		list = append(list, string(job.AppendJSON(nil)))
	}
	return list
}

// count returns the number of jobs in a store, 0 where there is none.
func count(t *testing.T, database string) int {
	t.Helper()
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(must(t, database, "", "count")))
	require.NoError(t, err)
	return n
}

// jobsWere returns how an error counts n jobs.
func jobsWere(n int) string {
	if n == 1 {
		return "1 job was"
	}
	return fmt.Sprintf("%d jobs were", n)
}

// TestBadLine puts each kind of mistake in the middle of a batch, and of a file.
func TestBadLine(t *testing.T) {
	all := ndjson(1600)
	for bad, want := range map[string]string{
		`{"id":"job_1","kind":"vide","status":"queued","input":"s3://a/b"}`:                                    `kind "vide" must be video,`,
		`{"id":"job_1","status":"queued","input":"s3://a/b"}`:                                                  "kind is missing",
		`{"id":"job_1","kind":"video","input":"s3://a/b"}`:                                                     "status is missing",
		`{"id":"job_1","kind":"video","status":"queued"}`:                                                      "input is missing",
		`{"kind":"video","status":"queued","input":"s3://a/b"}`:                                                "id is missing",
		`{"id":"1","kind":"video","status":"queued","input":"s3://a/b"}`:                                       `id "1" must be job_`,
		`{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b","options":[]}`:                      `options "[]" must be a JSON object`,
		`{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b","created_at":""}`:                   `created_at "string" must be`,
		`{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b","object":"task"}`:                   `object "task" must be "job"`,
		`{"id":"job_1","kind":"video","status":"queued","input":"s3://a/b","colour":"red"}`:                    `unknown field "colour"; --ignore-unknown`,
		`{"ID":"job_1","kind":"video","status":"queued","input":"s3://a/b"}`:                                   `unknown field "ID"`,
		`{"id":"job_1","kind":"video","status":"queued","input":"s3://a/` + "\xff" + `"}`:                      "not valid UTF-8",
		`{"id":"job_1","kind":"video","status":"queued","metadata":{"a":"` + "\xc3" + `"},"input":"s3://a/b"}`: "not valid UTF-8",
		`{"id":"job_1","kind":"video","status":"queued","input":"` + strings.Repeat("x", 16<<10+1) + `"}`:      "is too long: 16385 bytes",
		`{"id":"job_1","kind":"vid`: "unexpected end of JSON input",
		`{"id":"job_1"} {}`:         "after top-level value",
		`null`:                      "a job must be a JSON object",
		`[]`:                        "a job must be a JSON object",
		`id,kind,status`:            "a job must be a JSON object",
	} {
		good, places := all[:60], []int{37}
		if strings.Contains(bad, "vide\"") {
			good, places = all, []int{0, 1, 999, 1000, 1001, 1503, 1600}
		}
		for _, at := range places {
			database := newDatabase(t)
			text := strings.Join(good[:at], "\n") + "\n" + bad + "\n" + strings.Join(good[at:], "\n")
			if at == 0 {
				text = text[1:]
			}
			got := run(t, database, text, "import", "-")
			assert.Equal(t, 1, got.code)
			assert.Contains(t, got.err, fmt.Sprintf("jobstore: standard input:%d: ", at+1))
			assert.Contains(t, got.err, want)
			assert.True(t, strings.HasSuffix(got.err, fmt.Sprintf("; %s committed\n", jobsWere(at))), got.err)
			assert.Equal(t, at, count(t, database))
		}
	}
}

// TestBadElement is TestBadLine for arrays, whose elements may have many lines.
func TestBadElement(t *testing.T) {
	const good = "{\n\"id\":\"job_%d\",\n\"kind\":\"video\",\"status\":\"queued\",\n\"input\":\"s3://a/b\"}"
	list := []string{fmt.Sprintf(good, 1), fmt.Sprintf(good, 2), fmt.Sprintf(good, 3)}
	array := "\n[" + strings.Join(list, ",\n ") + "\n]\n"
	database := newDatabase(t)
	assert.Equal(t, "imported 3 jobs\n", must(t, database, array, "import", "-"))
	must(t, database, "", "delete", "job_1", "job_2", "job_3")

	for text, want := range map[string]string{
		strings.Replace(array, `job_3`, `3`, 1):         `standard input:10: element 3: id "3" must be`,
		strings.Replace(array, `{`, `{"x":1,`, 1):       `standard input:2: element 1: unknown field "x"`,
		strings.Replace(array, "\"job_2\"", "job_2", 1): "standard input:6: element 2: invalid character 'j'",
		strings.Replace(array, ",\n {", "\n {", 1):      "standard input:6: element 2: expected comma after array element",
		strings.Replace(array, "]", "", 1):              "standard input:15: the array ends without its bracket",
		strings.TrimSuffix(array, "\"}\n]\n"):           "standard input:10: element 3: the array ends without its bracket",
		strings.Replace(array, "\n]", ",\n]", 1):        "standard input:14: element 4: invalid character ']'",
		array + "{}":                                    "standard input:15: something follows the array",
		strings.Replace(array, "{", "5, {", 1):          "standard input:2: element 1: a job must be a JSON object",
		"[":                                             "standard input:1: the array ends without its bracket",
	} {
		database := newDatabase(t)
		got := run(t, database, text, "import", "-")
		assert.Equal(t, 1, got.code, text)
		assert.Contains(t, got.err, "jobstore: "+want, text)
		assert.True(t, strings.HasSuffix(got.err, fmt.Sprintf("; %s committed\n", jobsWere(count(t, database)))), got.err)
	}
}

// TestLongArray puts the mistake far behind what is read at once.
func TestLongArray(t *testing.T) {
	database := newDatabase(t)
	list := ndjson(1800)
	list[1499] = strings.Replace(list[1499], `"id":`, "\n\n\"id\":7,\n\"di\":", 1)
	got := run(t, database, "[\n"+strings.Join(list, ",\n")+"\n]", "import", "-")
	assert.Contains(t, got.err, "jobstore: standard input:1501: element 1500: ")
	assert.Equal(t, 1499, count(t, database))
	list[1499] = strings.ReplaceAll(list[1499], "\"id\":7,\n\"di\":", `"id":`)
	list[1700] = "oops"
	got = run(t, database, "[\n"+strings.Join(list, ",\n")+"\n]", "import", "-")
	assert.Contains(t, got.err, "jobstore: standard input:1704: element 1701: invalid character 'o'")
	assert.Equal(t, 1700, count(t, database))
}

func TestImportForms(t *testing.T) {
	const job = `{"id":"job_%d","kind":"video","status":"queued","input":"s3://a/b"}`
	a, b := fmt.Sprintf(job, 1), fmt.Sprintf(job, 2)
	for text, want := range map[string]int{
		"":                              0,
		" \n\r\n\t":                     0,
		"[]":                            0,
		" [ ]\n":                        0,
		a:                               1,
		a + "\n" + b:                    2,
		a + "\r\n\r\n  " + b + "\r\n":   2,
		"\ufeff" + a + "\n":             1,
		"\ufeff[" + a + "]":             1,
		"\n\n[" + a + " , " + b + "]\n": 2,
		a + "\n" + a + "\n" + b:         3, // the last one counts
	} {
		database := newDatabase(t)
		assert.Equal(t, fmt.Sprintf("imported %d %s\n", want, map[bool]string{true: "job", false: "jobs"}[want == 1]), must(t, database, text, "import", "-"), "%q", text)
		assert.Equal(t, min(want, 2), count(t, database), "%q", text)
	}
	database := newDatabase(t)
	unknown := strings.Replace(a, "{", `{"colour":"red","ID":7,`, 1)
	assert.Equal(t, 1, run(t, database, strings.ReplaceAll(unknown, `"ID":7,`, ""), "import", "-").code)
	must(t, database, strings.ReplaceAll(unknown, `"ID":7,`, ""), "import", "--ignore-unknown", "-")
	assert.NotContains(t, must(t, database, "", "get", "job_1"), "colour")
}

// TestLongLines goes up to the bounds of a job, and past those of a line.
func TestLongLines(t *testing.T) {
	database := newDatabase(t)
	escaped := strings.Repeat(`\u0061`, 16<<10) // 16 KiB of text in 96 KiB of JSON
	large := `{"x":"` + strings.Repeat("y", 4<<20-8) + `"}`
	line := fmt.Sprintf(`{"id":"job_1","kind":"video","status":"queued","input":"%s","output":"%s","options":%s}`, escaped, escaped, large)
	must(t, database, line+"\n"+line+"\n["[:0], "import", "-")
	must(t, database, "["+line+"\n,\n"+line+"]", "import", "-")
	assert.Contains(t, must(t, database, "", "get", "job_1"), large)

	tooLong := strings.Replace(line, "{", "{"+strings.Repeat(" ", 16<<20), 1)
	got := run(t, database, line+"\n"+tooLong, "import", "-")
	assert.Equal(t, "jobstore: standard input:2: longer than 16777216 bytes; 1 job was committed\n", got.err)
	got = run(t, database, "["+line+",\n\n"+tooLong+"]", "import", "-")
	assert.Equal(t, "jobstore: standard input:3: element 2: longer than 16777216 bytes; 1 job was committed\n", got.err)
}

// TestUnreadable imports from what fails in the middle.
func TestUnreadable(t *testing.T) {
	for _, opening := range []string{"", "["} {
		database := newDatabase(t)
		text := opening + strings.Join(ndjson(3), map[string]string{"": "\n", "[": ","}[opening]) + "\n"
		broken := io.MultiReader(strings.NewReader(text), errorReader{})
		var out, errs bytes.Buffer
		code := command.Main(context.Background(), []string{"--db", database, "import", "-"}, broken, &out, &errs)
		assert.Equal(t, 1, code)
		assert.Equal(t, "jobstore: standard input: the cable is out; 3 jobs were committed\n", errs.String())
	}
	database := newDatabase(t)
	got := run(t, database, "", "import", t.TempDir())
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "is a directory; 0 jobs were committed")
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("the cable is out") }

// TestInterruptedImport ends the context while the input has nothing to give.
func TestInterruptedImport(t *testing.T) {
	database := newDatabase(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in, feed := io.Pipe()
	defer func() { _ = in.Close() }()
	go func() {
		// The importer takes a batch only when the one before is committed.
		_, _ = io.WriteString(feed, strings.Join(ndjson(4500), "\n"))
		cancel()
	}()
	var out, errs bytes.Buffer
	code := command.Main(ctx, []string{"--db", database, "import", "-"}, in, &out, &errs)
	assert.Equal(t, 130, code)
	requireOneLine(t, errs.String())
	n := count(t, database)
	assert.Equal(t, fmt.Sprintf("jobstore: standard input: interrupted; %d jobs were committed\n", n), errs.String())
	assert.Zero(t, n%1000, "only whole batches")
	assert.GreaterOrEqual(t, n, 2000)
}

// TestImportNamesTheFile checks the name that errors and editors use.
func TestImportNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.ndjson")
	require.NoError(t, os.WriteFile(path, []byte("\n{}\n"), 0o600))
	got := run(t, newDatabase(t), "", "import", path)
	assert.Equal(t, "jobstore: "+path+":2: id is missing: must be job_ and 1 to 64 characters of 0-9, A-Z, a-z, _ and -; 0 jobs were committed\n", got.err)
}

// TestShippedJobs takes in what a reader meets first.
func TestShippedJobs(t *testing.T) {
	database := newDatabase(t)
	assert.Equal(t, "imported 251 jobs\n", must(t, database, "", "import", shippedFile))
	assert.Contains(t, must(t, database, "", "get", "job_abc123"), `"input":"https://example.com/video.mp4"`)
	for _, kind := range []string{"video", "audio", "image", "animation", "adaptive_video"} {
		assert.GreaterOrEqual(t, strings.Count(must(t, database, "", "list", "--all", "--quiet", "--kind", kind), "\n"), 50, kind)
	}
}
