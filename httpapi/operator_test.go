package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// newOperator serves what is beside the API on loopback until the end of the test.
func newOperator(t testing.TB, store *jobstore.Store, opts *httpapi.Options) *httptest.Server {
	server := httptest.NewServer(httpapi.NewOperator(store, opts))
	t.Cleanup(server.Close)
	return server
}

// putJob is a job as an import has it.
const putJob = `{"id":"job_%","kind":"video","status":"queued","input":"s3://a/b","options":{ "a": [1,  2] }}`

// numbered returns text with n in the place of its mark.
func numbered(text, n string) string { return strings.ReplaceAll(text, "%", n) }

func TestOperator(t *testing.T) {
	store := openStore(t)
	fill(t, store, 100)
	server := newOperator(t, store, nil)

	var stats httpapi.Stats
	require.NoError(t, json.Unmarshal([]byte(do(t, "GET", server.URL+"/store/stats", "").body), &stats))
	want, err := store.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, jobstore.Stats(stats))

	for query, n := range map[string]string{
		"": "100", "?kind=video": "20", "?kind=video&kind=audio&status=failed": "8", "?input=s3://no/ne": "0", "?limit=7&order=asc": "100",
	} {
		assert.Equal(t, `{"count":`+n+`}`, do(t, "GET", server.URL+"/store/count"+query, "").body, query)
	}
	assert.Equal(t, `{"index":"kind","branches":1,"matches":20,"examined":4,"fetched":3,"returned":3,"skipped":0}`,
		do(t, "GET", server.URL+"/store/explain?kind=video&limit=3", "").body)

	got := do(t, "POST", server.URL+"/store/check", "")
	assert.Equal(t, 200, got.StatusCode)
	assert.Equal(t, "application/x-ndjson", got.Header.Get("Content-Type"))
	assert.Regexp(t, `^\{"progress":\{"done":0,"total":400\}\}\n(\{"progress":.*\}\n)*\{"outcome":\{"problems":0\}\}\n$`, got.body)

	lines := numbered(putJob, "1") + "\n\n" + numbered(putJob, "2")
	array := "[\n" + numbered(putJob, "2") + ",\n" + numbered(putJob, "3") + "]"
	assert.Equal(t, `{"imported":2}`, do(t, "PUT", server.URL+"/store/jobs", lines, "Content-Type: application/x-ndjson").body)
	assert.Equal(t, `{"imported":2}`, do(t, "PUT", server.URL+"/store/jobs", array).body)
	for _, id := range []jobstore.ID{"job_1", "job_2", "job_3"} {
		job, err := store.Get(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, `{ "a": [1,  2] }`, string(job.Options), "just as it was sent")
		assert.True(t, job.CreatedAt.IsZero(), "nothing is stamped")
	}

	const far = `{"before":32503680000000` // in the year 3000
	for _, c := range []struct {
		body    string
		deleted int
	}{
		{`{"before":0}`, 0},
		{far + `,"dry_run":true}`, 60},
		{far + `,"dry_run":true,"kind":["video","audio"]}`, 24},
		{far + `,"dry_run":true,"status":["queued"]}`, 20}, // the age of those put here is not known
		{far + `,"dry_run":false,"status":["failed"]}`, 20},
		{far + `}`, 40},
		{far + `}`, 0},
	} {
		got := do(t, "POST", server.URL+"/store/prune", c.body)
		assert.Equal(t, 200, got.StatusCode, c.body)
		assert.Regexp(t, fmt.Sprintf(`^(\{"progress":.*\}\n)+\{"outcome":\{"deleted":%d\}\}\n$`, c.deleted), got.body, c.body)
	}
}

// TestOperatorRefusals tells one by one what an operator can do wrong.
func TestOperatorRefusals(t *testing.T) {
	store := openStore(t)
	server := newOperator(t, store, &httpapi.Options{Token: token, MaxBody: maxBody, MaxURL: maxURL})
	good := numbered(putJob, "1")
	ndjson := "Content-Type: application/x-ndjson"
	for _, c := range []struct {
		line, header, body string
		status             int
		told               string
	}{
		{"GET /store", "", "", 404, `"kind":"not_found"`},
		{"GET /store/", "", "", 404, `"kind":"not_found"`},
		{"GET /jobs", "", "", 404, `"kind":"not_found"`},
		{"GET /store/nothing", "", "", 404, `"kind":"not_found"`},
		{"POST /store/stats", "", "", 405, `"kind":"method_not_allowed"`},
		{"GET /store/check", "", "", 405, "only OPTIONS, POST"},
		{"GET /store/prune", "", "", 405, "only OPTIONS, POST"},
		{"POST /store/jobs", "", "[]", 405, "only GET, HEAD, OPTIONS, PUT"},
		{"DELETE /store/jobs", "", "", 405, "only GET, HEAD, OPTIONS, PUT"},
		{"GET /store/count?kind=film", "", "", 400, "kind \\\"film\\\" must be"},
		{"GET /store/count?%zz", "", "", 400, "the query of the URL cannot be read"},
		{"GET /store/explain?limit=101", "", "", 400, "limit \\\"101\\\" must be"},
		{"GET /store/count?input=" + strings.Repeat("a", maxURL), "", "", 414, `"kind":"url_too_long"`},

		{"PUT /store/jobs", "Content-Type: text/plain", good, 415, "application/json or application/x-ndjson"},
		{"PUT /store/jobs", "Content-Encoding: gzip", good, 415, `"kind":"media_type_unsupported"`},
		{"PUT /store/jobs", ndjson, good + strings.Repeat(" ", maxBody), 413, `"kind":"body_too_large"`},
		{"PUT /store/jobs", ndjson, good + "\n\n{\"id\":7}\n", 400, "body:3: id must be a string"},
		{"PUT /store/jobs", ndjson, good + "\n" + strings.Replace(good, "video", "film", 1), 400, "body:2: kind \\\"film\\\" must be"},
		{"PUT /store/jobs", ndjson, good + "\n" + strings.Replace(good, "{", `{"colour":1,`, 1), 400, "body:2: unknown field \\\"colour\\\"\""},
		{"PUT /store/jobs", ndjson, good + "\nnull", 400, "body:2: a job must be a JSON object"},
		{"PUT /store/jobs", "", "[" + good + ",\n" + strings.Replace(good, `"job_1"`, `"1"`, 1) + "]", 400, "body:2: element 2: id \\\"1\\\" must be"},
		{"PUT /store/jobs", "", "[" + good, 400, "body:1: the array ends without its bracket"},

		{"POST /store/prune", "Content-Type: text/plain", `{"before":0}`, 415, "media_type_unsupported"},
		{"POST /store/prune", "", "", 415, "media_type_unsupported"},
		{"POST /store/prune", "", "{}", 400, "before is missing"},
		{"POST /store/prune", "", `{"before":"2026-01-31"}`, 400, "before must be a whole number of Unix milliseconds"},
		{"POST /store/prune", "", `{"before":null}`, 400, "before must be a whole number"},
		{"POST /store/prune", "", `{"before":1.5}`, 400, "before must be a whole number"},
		{"POST /store/prune", "", `{"before":0,"stauts":["failed"]}`, 400, "stauts"},
		{"POST /store/prune", "", `{"before":0,"status":[]}`, 400, "status is an empty array"},
		{"POST /store/prune", "", `{"before":0,"status":[ ]}`, 400, "status is an empty array"},
		{"POST /store/prune", "", `{"before":0,"kind":null}`, 400, "kind must be an array of kinds"},
		{"POST /store/prune", "", `{"before":0,"kind":"video"}`, 400, "kind must be an array of kinds"},
		{"POST /store/prune", "", `{"before":0,"kind":["film"]}`, 400, "kind \\\"film\\\" must be"},
		{"POST /store/prune", "", `{"before":0,"kind":[""]}`, 400, "kind is missing"},
		{"POST /store/prune", "", `{"before":0,"dry_run":"yes"}`, 400, "dry_run must be true or false"},
	} {
		method, target, _ := strings.Cut(c.line, " ")
		headers := []string{"Authorization: Bearer " + token}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		got := do(t, method, server.URL+target, c.body, headers...)
		assert.Equal(t, c.status, got.StatusCode, "%s %.80s: %s", c.line, c.body, got.body)
		assert.Contains(t, got.body, c.told, "%s %.80s", c.line, c.body)

		if !strings.Contains(target, "/store/") || c.status == 414 {
			continue
		}
		got = do(t, method, server.URL+target, c.body)
		assert.Equal(t, 401, got.StatusCode, c.line)
		assert.Contains(t, got.body, `"kind":"token_missing"`)
		got = do(t, method, server.URL+target, c.body, "Authorization: Bearer wrong")
		assert.Contains(t, got.body, `"kind":"token_invalid"`)
	}
	n, err := store.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Zero(t, n, "something of what was refused is there")
}

// A checkedStore is a store whose CheckProgress does what it is told.
type checkedStore struct {
	*jobstore.Store
	check func(ctx context.Context, tell func(done, total int64), find func(jobstore.Problem, error) bool)
}

func (s *checkedStore) CheckProgress(ctx context.Context, tell func(done, total int64)) iter.Seq2[jobstore.Problem, error] {
	return func(yield func(jobstore.Problem, error) bool) { s.check(ctx, tell, yield) }
}

// serveCheck serves a check within time-outs that are much shorter than a check.
func serveCheck(t *testing.T, log *slog.Logger, check func(context.Context, func(done, total int64), func(jobstore.Problem, error) bool)) string {
	t.Helper()
	h := httpapi.NewOperator(&checkedStore{openStore(t), check}, &httpapi.Options{
		Logger: log, MaxConcurrent: 1, MaxWait: time.Millisecond,
	})
	server := httptest.NewUnstartedServer(h)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/store/check"
}

// TestLongCheck goes on while the server's time-outs pass.
func TestLongCheck(t *testing.T) {
	url := serveCheck(t, nil, func(ctx context.Context, tell func(done, total int64), find func(jobstore.Problem, error) bool) {
		for i := range int64(5) {
			tell(i, 5)
			select {
			case <-ctx.Done():
				find(jobstore.Problem{}, ctx.Err())
				return
			case <-time.After(110 * time.Millisecond):
			}
		}
		find(jobstore.Problem{Bucket: "jobs", ID: "job_1", Detail: "is <off>"}, nil)
		find(jobstore.Problem{Bucket: "counts", Detail: "too"}, nil)
		find(jobstore.Problem{}, jobstore.ErrClosed)
	})
	body := doBroken(t, url, "")
	lines := strings.Split(body, "\n")
	require.Len(t, lines, 9, body)
	assert.Equal(t, `{"progress":{"done":4,"total":5}}`, lines[4])
	assert.Equal(t, `{"problem":{"bucket":"jobs","id":"job_1","detail":"is \u003coff\u003e"}}`, lines[5])
	assert.Equal(t, `{"problem":{"bucket":"counts","detail":"too"}}`, lines[6])
	assert.Equal(t, `{"outcome":{"problems":2,"error":{"kind":"unavailable","message":"the store is closed"}}}`, lines[7])
}

// TestCheckEndsWithItsClient lets the client go away while the check runs.
func TestCheckEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	url := serveCheck(t, nil, func(ctx context.Context, tell func(done, total int64), _ func(jobstore.Problem, error) bool) {
		tell(1, 2)
		<-ctx.Done()
		ended <- ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()

	// Meanwhile the one slot is taken.
	busy := do(t, "POST", url, "")
	assert.Equal(t, 503, busy.StatusCode)
	assert.Equal(t, "1", busy.Header.Get("Retry-After"))
	select {
	case <-ended:
		assert.Fail(t, "the check ended by itself")
	case <-time.After(150 * time.Millisecond): // past the server's time-outs
	}
	cancel()
	select {
	case err := <-ended:
		assert.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		assert.Fail(t, "the check goes on for nobody")
	}
}

// TestCheckFails refuses before the answer has begun, and breaks it off after.
func TestCheckFails(t *testing.T) {
	var log bytes.Buffer
	fail := func(jobstore.Problem, error) bool { panic("secret detail") }
	url := serveCheck(t, slog.New(slog.NewTextHandler(&log, nil)),
		func(_ context.Context, tell func(done, total int64), find func(jobstore.Problem, error) bool) {
			fail(jobstore.Problem{}, nil)
		})
	got := do(t, "POST", url, "")
	assert.Equal(t, 500, got.StatusCode)
	assert.Contains(t, got.body, "internal_error")
	assert.NotContains(t, got.body, "secret")
	assert.Contains(t, log.String(), "secret detail")

	url = serveCheck(t, nil, func(_ context.Context, _ func(done, total int64), find func(jobstore.Problem, error) bool) {
		find(jobstore.Problem{}, jobstore.ErrClosed)
	})
	got = do(t, "POST", url, "")
	assert.Equal(t, 503, got.StatusCode)
	assert.Contains(t, got.body, `"kind":"unavailable"`)

	url = serveCheck(t, nil, func(_ context.Context, tell func(done, total int64), _ func(jobstore.Problem, error) bool) {
		tell(1, 2)
		panic("half way")
	})
	assert.NotContains(t, doBroken(t, url, ""), "outcome")
}

// doBroken sends a POST whose answer must begin well and end with a broken
// connection, and returns what has come of it.
func doBroken(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s", text)
	assert.NoError(t, resp.Body.Close())
	return string(text)
}

// TestOperatorOfReadOnlyStore refuses to write and goes on reading.
func TestOperatorOfReadOnlyStore(t *testing.T) {
	path := t.TempDir() + "/jobs.db"
	store, err := jobstore.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, store.Create(t.Context(), newJob(1)))
	require.NoError(t, store.Close())
	store, err = jobstore.Open(path, &jobstore.Options{ReadOnly: true})
	require.NoError(t, err)
	server := newOperator(t, store, nil)
	for _, got := range []answer{
		do(t, "PUT", server.URL+"/store/jobs", "["+numbered(putJob, "1")+"]"),
		do(t, "POST", server.URL+"/store/prune", `{"before":0}`),
	} {
		assert.Equal(t, 403, got.StatusCode)
		assert.Contains(t, got.body, `"kind":"read_only"`)
	}
	assert.Contains(t, do(t, "POST", server.URL+"/store/prune", `{"before":0,"dry_run":true}`).body, `{"outcome":{"deleted":0}}`)
	assert.Equal(t, `{"count":1}`, do(t, "GET", server.URL+"/store/count", "").body)
	require.NoError(t, store.Close())
	for _, line := range []string{"GET /store/stats", "GET /store/count", "GET /store/explain", "POST /store/check"} {
		method, target, _ := strings.Cut(line, " ")
		got := do(t, method, server.URL+target, "")
		assert.Equal(t, 503, got.StatusCode, line)
		assert.Contains(t, got.body, `"kind":"unavailable"`, line)
	}
}

// A partlyPruned store fails when it has deleted some jobs.
type partlyPruned struct{ *jobstore.Store }

func (partlyPruned) Prune(context.Context, jobstore.PruneOptions) (int64, error) {
	return 200, fmt.Errorf("far down: %w", jobstore.ErrFull)
}

// TestPruneSaysWhatItHasDone also when an error ends it.
func TestPruneSaysWhatItHasDone(t *testing.T) {
	var log bytes.Buffer
	server := httptest.NewServer(httpapi.NewOperator(partlyPruned{openStore(t)}, &httpapi.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	assert.Equal(t, `{"outcome":{"deleted":200,"error":{"kind":"store_full","message":"the store has no room for this"}}}`+"\n",
		doBroken(t, server.URL+"/store/prune", `{"before":1}`))
	server.Close()
	assert.Contains(t, log.String(), "level=ERROR msg=request")
	assert.Contains(t, log.String(), "far down")
}
