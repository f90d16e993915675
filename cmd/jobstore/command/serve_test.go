package command_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// A server is a run of the serve command.
type server struct {
	url  string
	stop func() (code int, errs string)
}

// startServe runs serve on a free port until the test ends, or stop is called.
func startServe(t *testing.T, database string, args ...string) server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		args = append([]string{"--db", database, "serve", "--addr", "127.0.0.1:0"}, args...)
		code <- command.Main(ctx, args, strings.NewReader(""), out, &errs)
		_ = out.Close()
	}()
	line, err := io.ReadAll(io.LimitReader(in, int64(len("listening on http://127.0.0.1:"))))
	require.NoError(t, err, "%s", line)
	port := make([]byte, 6)
	n, err := in.Read(port)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, in) }()
	stop := sync.OnceValues(func() (int, string) {
		cancel()
		return <-code, errs.String()
	})
	t.Cleanup(func() { stop() })
	return server{"http://127.0.0.1:" + strings.TrimSpace(string(port[:n])), stop}
}

// fetch sends a request with headers, given as "Name: value", and returns the
// status and the body.
func fetch(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}

const newVideo = `{"kind":"video","input":"https://example.com/a.mp4"}`

func TestServe(t *testing.T) {
	database := newExamples(t)
	s := startServe(t, database)
	status, body := fetch(t, "GET", s.url+"/jobs?limit=3", "")
	assert.Equal(t, 200, status)
	assert.Len(t, ids(t, body), 3)
	status, body = fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
	assert.Equal(t, 201, status, body)
	status, body = fetch(t, "GET", s.url+"/healthz", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, "ok\n", body)

	// The file is taken, and the message says how to get at it all the same.
	got := run(t, database, "", "count")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "file is locked")
	assert.Contains(t, got.err, "give its address with --url")
	assert.Equal(t, outcome{0, "307\n", ""}, ask(t, s.url, "", "count"))

	// Another name than the machine's own is a web page's.
	for host, status := range map[string]int{
		"evil.example": 421, "127.0.0.1.evil.example": 421, "10.0.0.1": 421, "": 200,
		"localhost": 200, "LOCALHOST:80": 200, "localhost.": 200, "[::1]:8080": 200, "127.0.0.2": 200,
	} {
		got, body := fetch(t, "GET", s.url+"/jobs", "", "Host: "+host)
		assert.Equal(t, status, got, "%s: %s", host, body)
	}

	code, errs := s.stop()
	assert.Equal(t, 0, code)
	assert.Contains(t, errs, "level=INFO msg=request")
	assert.Contains(t, errs, "method=POST path=/jobs status=201")
	assert.Equal(t, "307\n", must(t, database, "", "count"))
}

func TestServeToken(t *testing.T) {
	t.Setenv("JOBSTORE_TOKEN", "from the environment")
	s := startServe(t, newExamples(t), "--token", "secret")
	for _, at := range []string{"/jobs", "/metrics"} {
		status, body := fetch(t, "GET", s.url+at, "")
		assert.Equal(t, 401, status, at)
		assert.NotContains(t, body, "job_", at)
		status, _ = fetch(t, "GET", s.url+at, "", "Authorization: Bearer from the environment")
		assert.Equal(t, 401, status, at)
		status, _ = fetch(t, "GET", s.url+at, "", "Authorization: Bearer secret", "Host: jobs.example")
		assert.Equal(t, 200, status, at)
	}
	status, _ := fetch(t, "GET", s.url+"/healthz", "")
	assert.Equal(t, 200, status)

	s = startServe(t, newExamples(t))
	status, _ = fetch(t, "GET", s.url+"/jobs", "", "Authorization: Bearer from the environment")
	assert.Equal(t, 200, status)
}

func TestServeReadOnly(t *testing.T) {
	database := newExamples(t)
	s := startServe(t, database, "--read-only")
	status, body := fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
	assert.Equal(t, 403, status)
	assert.Contains(t, body, "read_only")
	assert.Equal(t, "306\n", must(t, database, "", "count"), "beside other readers")
}

func TestServeRefusals(t *testing.T) {
	database := newDatabase(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for call, want := range map[string]outcome{
		"serve --addr 0.0.0.0:0":                  {2, "", "token is required to listen on 0.0.0.0:0: set --token, --token-file or $JOBSTORE_TOKEN"},
		"serve --addr :0":                         {2, "", "token is required"},
		"serve --addr [::]:0":                     {2, "", "token is required"},
		"serve --addr 127.0.0.1:99999":            {1, "", "invalid port"},
		"serve --addr " + taken.Addr().String():   {1, "", "address already in use"},
		"serve --addr 127.0.0.1:0 --read-only":    {1, "", "there is no store at"},
		"serve --addr 127.0.0.1:0 now":            {2, "", `unknown command "now"`},
		"serve --url http://127.0.0.1:1 --addr x": {2, "", ""},
	} {
		got := run(t, database, "", strings.Fields(call)...)
		assert.Equal(t, want.code, got.code, call)
		assert.Contains(t, got.err, want.err, call)
		assert.Empty(t, got.out, call)
	}
	assert.NoFileExists(t, database)
}

// TestMetrics reads the figures after a known number of requests.
func TestMetrics(t *testing.T) {
	s := startServe(t, newDatabase(t))
	for range 3 {
		fetch(t, "POST", s.url+"/jobs", newVideo, "Content-Type: application/json")
	}
	fetch(t, "GET", s.url+"/jobs?limit=2", "")
	fetch(t, "GET", s.url+"/jobs?limit=0", "")
	fetch(t, "GET", s.url+"/jobs/job_none", "")
	fetch(t, "BREW", s.url+"/jobs", "")
	fetch(t, "GET", s.url+"/nothing/"+strings.Repeat("x", 50), "")

	_, text := fetch(t, "GET", s.url+"/metrics", "")
	for _, want := range []string{
		`jobstore_http_requests_total{code="201",route="POST /jobs"} 3`,
		`jobstore_http_requests_total{code="200",route="GET /jobs"} 1`,
		`jobstore_http_requests_total{code="400",route="GET /jobs"} 1`,
		`jobstore_http_requests_total{code="404",route="GET /jobs/{id}"} 1`,
		`jobstore_http_requests_total{code="405",route="/jobs"} 1`,
		`jobstore_http_requests_total{code="404",route="/"} 1`,
		`jobstore_http_request_duration_seconds_count{route="POST /jobs"} 3`,
		`jobstore_jobs_by_kind{kind="video"} 3`,
		`jobstore_jobs_by_kind{kind="audio"} 0`,
		`jobstore_jobs_by_status{status="queued"} 3`,
		`jobstore_commit_duration_seconds_count 3`,
		`jobstore_commit_jobs_sum 3`,
		`jobstore_commit_failures_total 0`,
		`jobstore_usable 1`,
		`jobstore_page_returned_jobs_sum 2`,
		`jobstore_page_examined_keys_sum 3`,
		`jobstore_file_bytes `,
		`jobstore_free_bytes `,
		`go_goroutines `,
	} {
		assert.Contains(t, text, "\n"+want)
	}
}

// TestWatch sees a page again once it has changed, and a server come back.
func TestWatch(t *testing.T) {
	database := newExamples(t)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a/b"}
	require.NoError(t, store.Create(t.Context(), job))
	require.NoError(t, store.Close())

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan outcome, 1)
	go func() {
		var errs bytes.Buffer
		code := command.Main(ctx, []string{"--db", database, "list", "--watch", "--every", "100ms", "--ndjson", "--limit", "1"},
			strings.NewReader(""), in, &errs)
		ended <- outcome{code, "", errs.String()}
	}()
	next := func() string {
		line := make([]byte, 1<<16)
		n, err := out.Read(line)
		require.NoError(t, err)
		return string(line[:n])
	}
	first := next()
	assert.Equal(t, 1, strings.Count(first, "\n"))
	must(t, database, "", "update", "job_abc123", "--status", "queued") // not on the page
	top := ids(t, must(t, database, "", "list", "--json", "--limit", "1"))[0]
	must(t, database, "", "update", top, "--status", "cancelled")
	second := next()
	assert.Contains(t, second, `"status":"cancelled"`)
	assert.NotEqual(t, first, second)
	cancel()
	assert.Equal(t, outcome{0, "", ""}, <-ended)

	got := runPlain(context.Background(), "--db", database+".missing", "list", "--watch")
	assert.Equal(t, 1, got.code)
	assert.NoFileExists(t, database+".missing")
}

func TestCreateQuiet(t *testing.T) {
	database := newDatabase(t)
	id := must(t, database, "", "create", "--quiet", "--body", newVideo)
	assert.Regexp(t, `^job_\w{26}\n$`, id)
	assert.Contains(t, must(t, database, "", "get", strings.TrimSpace(id)), `"kind":"video"`)
}

// TestListAll prints more than a program is made to wait for.
func TestListAll(t *testing.T) {
	database := newDatabase(t)
	must(t, database, strings.Join(ndjson(2500), "\n"), "import", "-")
	table := must(t, database, "", "list", "--all")
	assert.Equal(t, 2501, strings.Count(table, "\n"))
	assert.Equal(t, 1, strings.Count(table, "duration"), "one header")
	quiet := must(t, database, "", "list", "--all", "--quiet", "--order", "asc")
	assert.Equal(t, 2500, strings.Count(quiet, "\n"))
	assert.Equal(t, 2500, strings.Count(must(t, database, "", "list", "--all", "--ndjson"), "\n"))
	assert.Len(t, ids(t, must(t, database, "", "list", "--all", "--json")), 2500)
	assert.Empty(t, must(t, database, "", "list", "--quiet", "--status", "cancelled", "--kind", "adaptive_video", "--input", "s3://no/ne"))
}
