package command_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
	"github.com/jobstore/jobstore/httpapi"
)

// served runs serve, with the token that ask has, on the store at database.
func served(t *testing.T, database string, args ...string) server {
	t.Helper()
	return startServe(t, database, append([]string{"--token", "secret"}, args...)...)
}

// TestServedReads asks jobstore serve and the file that it serves the same.
func TestServedReads(t *testing.T) {
	database := newExamples(t)
	calls := [][]string{
		{"stats"}, {"stats", "--json"}, {"check"}, {"explain"}, {"explain", "--kind", "video", "--limit", "7"},
		{"explain", "--status", "failed,cancelled", "--order", "asc", "--since", "2026-01-01"},
		{"explain", "--input", "s3://ids/shared.wav", "--after", "job_abc123"},
		{"list", "--explain", "--input", "s3://ids/shared.wav", "--json"},
		{"count"}, {"count", "--kind", "video"}, {"count", "--status", "failed,queued", "--kind", "audio"},
		{"count", "--input", "s3://ids/shared.wav"}, {"count", "--input", "s3://no/ne"},
		{"prune", "--older-than", "1d", "--dry-run"}, {"prune", "--before", "2026-02-01", "--kind", "video", "--dry-run"},
		{"prune", "--before", "2000-01-01", "--status", "queued,failed", "--dry-run"},
	}
	var want []outcome
	for _, call := range calls {
		want = append(want, run(t, database, "", call...))
	}
	s := served(t, database)
	for i, call := range calls {
		assert.Equal(t, 0, want[i].code, want[i].err)
		assert.Equal(t, want[i], ask(t, s.url, "", call...), call)
	}
	_, metrics := fetch(t, "GET", s.url+"/metrics", "", "Authorization: Bearer secret")
	assert.Contains(t, metrics, `jobstore_http_requests_total{code="200",route="POST /store/check"} 1`)
}

// TestServedImport takes a store from one server to another, byte by byte.
func TestServedImport(t *testing.T) {
	database, copied := newExamples(t), newDatabase(t)
	large := `{"x":"` + strings.Repeat("y", 4<<20-100) + `"}`
	escaped := strings.Repeat(`\u2028`, 5461) // 16 KiB of text
	var odd strings.Builder
	for i := range 5 {
		fmt.Fprintf(&odd, `{"id":"job_large_%d","kind":"video","status":"queued","input":"%s","output":"%[2]s","options":%s}`+"\n", i, escaped, large)
	}
	odd.WriteString(`{"id":"job_spaces","kind":"video","status":"failed","input":"s3://a/\u003c\u0000","options":{ "a" : 1,  "b":[ ]},"error":"é\u2028","tasks":[ 1 ]}` + "\n")
	must(t, database, odd.String(), "import", "-")
	want := must(t, database, "", "export")

	s := served(t, copied)
	assert.Equal(t, outcome{0, fmt.Sprintf("imported %d jobs\n", strings.Count(want, "\n")), ""}, ask(t, s.url, want, "import", "-"))
	assert.True(t, want == ask(t, s.url, "", "export").out, "the export of what was imported is another")
	assert.Equal(t, 0, ask(t, s.url, odd.String(), "import", "-").code, "again, over what is there")
	assert.Equal(t, outcome{0, "imported 0 jobs\n", ""}, ask(t, s.url, "[]", "import", "-"))
	code, _ := s.stop()
	require.Equal(t, 0, code)
	assert.True(t, want == must(t, copied, "", "export"))

	// Raw fields keep their spaces, which export takes out.
	store, err := jobstore.Open(copied, nil)
	require.NoError(t, err)
	job, err := store.Get(t.Context(), "job_spaces")
	require.NoError(t, err)
	assert.Equal(t, `{ "a" : 1,  "b":[ ]}[ 1 ]`, string(job.Options)+string(job.Tasks))
	require.NoError(t, store.Close())
}

// TestServedBadLine names the line of the file, not that of a request.
func TestServedBadLine(t *testing.T) {
	all := ndjson(2500)
	database := newDatabase(t)
	s := served(t, database)
	for at, bad := range map[int]string{
		0: `{"id":"job_1","kind":"vide"}`, 999: `null`, 1503: `{"id":"job_1","kind":"vide","status":"queued","input":"s3://a/b"}`, 2500: `{`,
	} {
		text := strings.Join(append(append(append([]string{}, all[:at]...), bad), all[at:]...), "\n")
		got := ask(t, s.url, text, "import", "-")
		assert.Equal(t, 1, got.code)
		assert.Regexp(t, fmt.Sprintf(`^jobstore: standard input:%d: .*; %s committed\n$`, at+1, jobsWere(at)), got.err)
	}
	got := ask(t, s.url, strings.Replace(all[0], "{", `{"colour":1,`, 1), "import", "-")
	assert.Equal(t, "jobstore: standard input:1: unknown field \"colour\"; --ignore-unknown passes over such fields; 0 jobs were committed\n", got.err)
	assert.Equal(t, 0, ask(t, s.url, strings.Replace(all[0], "{", `{"colour":1,`, 1), "import", "--ignore-unknown", "-").code)
	assert.Equal(t, "2500\n", ask(t, s.url, "", "count").out)
}

// TestServedImportInterrupted ends the context while the server has a batch: its
// outcome is waited for, and what is said to be committed is.
func TestServedImportInterrupted(t *testing.T) {
	database := newDatabase(t)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	operator, batches := httpapi.NewOperator(store, nil), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if batches++; batches == 2 {
			cancel()
			time.Sleep(100 * time.Millisecond)
		}
		operator.ServeHTTP(w, r)
	}))
	in := strings.NewReader(strings.Join(ndjson(4500), "\n"))
	var out, errs bytes.Buffer
	code := command.Main(ctx, []string{"--url", server.URL, "import", "-"}, in, &out, &errs)
	assert.Equal(t, 130, code)
	assert.Equal(t, "jobstore: standard input: interrupted; 2000 jobs were committed\n", errs.String())
	server.Close()
	require.NoError(t, store.Close())
	assert.Equal(t, 2000, count(t, database))
}

func TestServedPrune(t *testing.T) {
	database := newDatabase(t)
	must(t, database, aged("a", "video", "succeeded", 40)+aged("b", "audio", "succeeded", 40)+
		aged("c", "video", "failed", 40)+aged("e", "video", "queued", 40)+aged("f", "video", "succeeded", 20), "import", "-")
	s := served(t, database)
	assert.Equal(t, outcome{0, "would delete 3 jobs\n", ""}, ask(t, s.url, "", "prune", "--older-than", "30d", "--dry-run"))
	assert.Equal(t, outcome{0, "deleted 1 job\n", ""}, ask(t, s.url, "", "prune", "--older-than", "30d", "--status", "succeeded", "--kind", "video"))
	assert.Equal(t, outcome{0, "deleted 2 jobs\n", ""}, ask(t, s.url, "", "prune", "--older-than", "30d"))
	assert.Equal(t, "job_f\njob_e\n", ask(t, s.url, "", "list", "--quiet").out)
	assert.Equal(t, 2, ask(t, s.url, "", "prune", "--before", "0001-01-01").code)
}

// TestServedDamage finds what is wrong with a store that is open.
func TestServedDamage(t *testing.T) {
	database := filepath.Join(t.TempDir(), "damaged.db")
	must(t, database, "", "import", examplesFile)
	damage(t, database)
	want := run(t, database, "", "check")
	s := served(t, database)
	got := ask(t, s.url, "", "check")
	assert.Equal(t, outcome{1, want.out, "jobstore: " + s.url + " has problems: 1\n"}, got)
	assert.Contains(t, got.out, "jobs: job_abc123: ")

	got = ask(t, s.url, "", "prune", "--older-than", "1d")
	assert.Equal(t, outcome{1, "", "jobstore: " + s.url + ": something went wrong, see the server's log (internal_error); deleted 154 jobs\n"}, got)
	_, log := s.stop()
	assert.Contains(t, log, "1 jobs cannot be read and were not deleted")
}

func TestServedRefusals(t *testing.T) {
	database := newExamples(t)
	s := served(t, database, "--read-only")
	refused := s.url + ": the store is read-only (read_only)"
	assert.Equal(t, outcome{1, "", "jobstore: " + examplesFile + ": " + refused + "; 0 jobs were committed\n"}, ask(t, s.url, "", "import", examplesFile))
	assert.Equal(t, outcome{1, "", "jobstore: " + refused + "\n"}, ask(t, s.url, "", "prune", "--older-than", "1d"))
	assert.Equal(t, outcome{0, "no problems\n", ""}, ask(t, s.url, "", "check"))

	for _, args := range [][]string{{"stats"}, {"count"}, {"explain"}, {"check"}, {"import", examplesFile}, {"prune", "--older-than", "1d", "--dry-run"}} {
		got := runPlain(context.Background(), append([]string{"--url", s.url}, args...)...)
		assert.Equal(t, 1, got.code)
		assert.Contains(t, got.err, "send the header Authorization: Bearer <token> (token_missing)", args)
		// Without a token, only for those who name this machine as their host.
		assert.Empty(t, got.out)
	}
	open := startServe(t, newExamples(t))
	for _, line := range []string{"GET /store/stats", "POST /store/check", "PUT /store/jobs"} {
		method, target, _ := strings.Cut(line, " ")
		status, _ := fetch(t, method, open.url+target, "", "Host: evil.example", "Content-Type: application/json")
		assert.Equal(t, 421, status, line)
	}

	code, _ := s.stop()
	require.Equal(t, 0, code)
	got := ask(t, s.url, "", "import", examplesFile)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "connection refused; 0 jobs were committed")
}

// TestServedCount also counts where there are only pages to count by.
func TestServedCount(t *testing.T) {
	database := newExamples(t)
	paths := make(chan string, 100)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	api := httpapi.New(store, &httpapi.Options{Token: "secret"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	assert.Equal(t, outcome{0, "306\n", ""}, ask(t, server.URL, "", "count"))
	assert.Equal(t, "/store/count", <-paths)
	assert.Len(t, paths, 4)
}

// An endlessStore is a store whose checks and prunes go on until they are told to
// stop, or break off.
type endlessStore struct {
	*jobstore.Store
	stopped chan struct{}
	breaks  bool
}

func (s *endlessStore) last(ctx context.Context) error {
	if s.breaks {
		panic(http.ErrAbortHandler)
	}
	<-ctx.Done()
	close(s.stopped)
	return ctx.Err()
}

func (s *endlessStore) CheckProgress(ctx context.Context, tell func(done, total int64)) iter.Seq2[jobstore.Problem, error] {
	return func(yield func(jobstore.Problem, error) bool) {
		tell(1, 2)
		if yield(jobstore.Problem{Bucket: "jobs", Detail: "is off"}, nil) {
			yield(jobstore.Problem{}, s.last(ctx))
		}
	}
}

func (s *endlessStore) Prune(ctx context.Context, o jobstore.PruneOptions) (int64, error) {
	o.Progress("prune", 1, 2)
	return 200, s.last(ctx)
}

// TestServedStops has a Ctrl-C stop what goes on in the server.
func TestServedStops(t *testing.T) {
	for call, want := range map[string]outcome{
		"check":                           {130, "", "jobstore: interrupted\n"},
		"prune --older-than 1d":           {130, "", "jobstore: interrupted; the server stops too, and what it has deleted by now stays deleted\n"},
		"prune --dry-run --older-than 1d": {130, "", "jobstore: interrupted\n"},
	} {
		store := &endlessStore{stopped: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		operator := httpapi.NewOperator(store, nil)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.AfterFunc(50*time.Millisecond, cancel)
			operator.ServeHTTP(w, r)
		}))
		got := runPlain(ctx, append([]string{"--url", server.URL}, strings.Fields(call)...)...)
		assert.Equal(t, want.code, got.code, call)
		assert.Equal(t, want.err, got.err, call)
		select {
		case <-store.stopped:
		case <-time.After(10 * time.Second):
			assert.Fail(t, "the server goes on for nobody", call)
		}
		server.Close()

		store.breaks = true
		server = httptest.NewServer(operator)
		got = runPlain(context.Background(), append([]string{"--url", server.URL}, strings.Fields(call)...)...)
		assert.Equal(t, 1, got.code)
		assert.True(t, strings.HasPrefix(got.err, "jobstore: "+server.URL+": the answer broke off"), got.err)
		assert.Equal(t, call == "prune --older-than 1d", strings.Contains(got.err, "not known whether the server has done it"), call)
		server.Close()
	}
}

// TestLockedSaysWhatToDo names --url to those commands alone that have it.
func TestLockedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	database := newExamples(t)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	folder := t.TempDir()
	for call, named := range map[string]bool{
		"list": true, "get job_abc123": true, "count": true, "stats": true, "explain": true, "check": true, "export": true,
		"create --body " + newVideo: true, "update job_abc123 --status queued": true, "delete job_abc123": true,
		"prune --older-than 1d": true, "import " + examplesFile: true,
		"backup " + folder + "/a": false, "compact": false, "compact -o " + folder + "/b": false, "reindex": false,
		"serve --addr 127.0.0.1:0": false, "salvage " + database: false,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			got := run(t, database, "", strings.Fields(call)...)
			assert.Equal(t, 1, got.code)
			assert.Contains(t, got.err, "another process has the store open")
			assert.Equal(t, named, strings.Contains(got.err, "if it is a server, give its address with --url"), got.err)
		})
	}
}

// TestUnreadableLine does not blame a line for a file that breaks off in it.
func TestUnreadableLine(t *testing.T) {
	database := newDatabase(t)
	text := strings.Join(ndjson(3), "\n")
	broken := io.MultiReader(strings.NewReader(text[:len(text)-10]), errorReader{})
	var out, errs bytes.Buffer
	code := command.Main(context.Background(), []string{"--db", database, "import", "-"}, broken, &out, &errs)
	assert.Equal(t, 1, code)
	assert.Equal(t, "jobstore: standard input: the cable is out; 2 jobs were committed\n", errs.String())
}
