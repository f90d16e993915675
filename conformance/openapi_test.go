package conformance

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// failingStore is a store that fails with err, when that is set.
type failingStore struct {
	*jobstore.Store
	err error
}

func (s *failingStore) List(ctx context.Context, q jobstore.Query) (jobstore.Page, error) {
	if s.err != nil {
		return jobstore.Page{}, s.err
	}
	return s.Store.List(ctx, q)
}

func (s *failingStore) Get(ctx context.Context, id jobstore.ID) (jobstore.Job, error) {
	if s.err != nil {
		return jobstore.Job{}, s.err
	}
	return s.Store.Get(ctx, id)
}

func (s *failingStore) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.Create(ctx, jobs...)
}

func (s *failingStore) Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (jobstore.Job, error) {
	if s.err != nil {
		return jobstore.Job{}, s.err
	}
	return s.Store.Update(ctx, id, fn)
}

func (s *failingStore) Delete(ctx context.Context, ids ...jobstore.ID) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.Store.Delete(ctx, ids...)
}

// An openAPI is a server with its own description, to which it is held.
type openAPI struct {
	store  *failingStore
	server *httptest.Server
	doc    *openapi3.T
	router routers.Router
	seen   map[string]bool // operation and status
}

func newOpenAPI(t *testing.T) *openAPI {
	store, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	a := &openAPI{store: &failingStore{Store: store}, seen: map[string]bool{}}
	a.server = httptest.NewServer(httpapi.New(a.store, &httpapi.Options{Token: "secret"}))
	t.Cleanup(a.server.Close)

	resp, err := http.Get(a.server.URL + "/openapi.json")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a.doc, err = openapi3.NewLoader().LoadFromData(data)
	require.NoError(t, err)
	require.True(t, a.doc.IsOpenAPI31OrLater())
	require.NoError(t, a.doc.Validate(t.Context()))
	a.doc.Servers = openapi3.Servers{{URL: a.server.URL}}
	a.router, err = gorillamux.NewRouter(a.doc)
	require.NoError(t, err)
	return a
}

// do sends a request, which must be as described when the answer is a success,
// and checks that the answer is.
func (a *openAPI) do(t *testing.T, status int, method, target, body string, headers ...string) (header http.Header, read string) {
	t.Helper()
	newRequest := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, a.server.URL+target, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer secret")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		return r
	}
	r := newRequest()
	route, params, err := a.router.FindRoute(r)
	require.NoError(t, err)
	a.seen[route.Operation.OperationID+" "+http.StatusText(status)] = true
	options := &openapi3filter.Options{
		IncludeResponseStatus: true,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	}
	in := &openapi3filter.RequestValidationInput{Request: newRequest(), PathParams: params, Route: route, Options: options}
	if status < 300 {
		require.NoError(t, openapi3filter.ValidateRequest(t.Context(), in), "%s %s", method, target)
	}

	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, status, resp.StatusCode, "%s %s: %s", method, target, data)
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: options,
	}
	out.SetBodyBytes(data)
	assert.NoError(t, openapi3filter.ValidateResponse(t.Context(), out), "%s %s", method, target)
	return resp.Header, string(data)
}

// TestOpenAPI holds real answers of every operation, with every status that it
// is described with, to the description.
func TestOpenAPI(t *testing.T) {
	a := newOpenAPI(t)
	a.do(t, 200, "GET", "/openapi.json", "")
	a.do(t, 400, "GET", "/openapi.json?x=1", "")
	a.do(t, 200, "GET", "/", "")
	a.do(t, 400, "GET", "/?x=1", "")
	a.do(t, 200, "GET", "/jobs", "")
	made, _ := a.do(t, 201, "POST", "/jobs", `{"kind":"video","input":"https://example.com/a.mp4"}`)
	at := strings.TrimPrefix(made.Get("Location"), a.server.URL)
	full := `{"kind":"image","input":"s3://a/b","options":{"x":[1,null]},"output":"s3://b/c","metadata":{"é":"ü"}}`
	a.do(t, 201, "POST", "/jobs", full, "Idempotency-Key: k")
	a.do(t, 200, "POST", "/jobs", full, "Idempotency-Key: k")
	a.do(t, 409, "POST", "/jobs", `{"kind":"video","input":"https://a"}`, "Idempotency-Key: k")
	a.do(t, 201, "POST", "/jobs", `{"kind":"audio","input":"http://a","options":null,"output":null,"metadata":null}`)

	for _, report := range []string{
		`{"status":"processing","tasks":[{"object":"task","progress":null}]}`,
		`{"status":"failed","error":{"kind":"x"},"output":"https://example.com/out.mp4"}`,
		`{"error":"text","metadata":{"a":1}}`,
		`{"error":null,"output":null,"tasks":null,"metadata":null}`,
	} {
		a.do(t, 200, "PATCH", at, report)
		a.do(t, 200, "GET", at, "")
		a.do(t, 200, "GET", "/jobs", "")
	}
	for _, query := range []string{
		"?limit=1", "?limit=100&order=asc", "?kind=video&kind=audio&status=failed&status=queued", "?input=s3%3A%2F%2Fa%2Fb",
		"?input_sha256=" + strings.Repeat("0a", 32),
		"?after=job_abc123&order=asc&limit=1", "?before=job_abc123", "?status=cancelled",
	} {
		list, _ := a.do(t, 200, "GET", "/jobs"+query, "")
		a.do(t, 304, "GET", "/jobs"+query, "", "If-None-Match: "+list.Get("ETag"))
	}
	a.do(t, 304, "GET", at, "", "If-None-Match: *")

	long := strings.Repeat("a", httpapi.DefaultMaxURL)
	for _, c := range []struct{ method, target, good string }{
		{"GET", "/", ""}, {"GET", "/openapi.json", ""}, {"GET", "/jobs", ""}, {"POST", "/jobs", full}, {"GET", at, ""},
		{"PATCH", at, `{"status":"queued"}`}, {"DELETE", at, ""},
	} {
		a.do(t, 414, c.method, c.target+"?"+long, c.good)
		if !strings.HasPrefix(c.target, "/jobs") {
			continue
		}
		a.do(t, 401, c.method, c.target, c.good, "Authorization: Bearer wrong")
		if c.method != "GET" {
			a.do(t, 403, c.method, c.target, c.good, "Origin: https://other.example")
		}
		for status, err := range map[int]error{
			500: jobstore.ErrCorrupt, 503: jobstore.ErrClosed, 403: jobstore.ErrReadOnly, 507: jobstore.ErrFull,
		} {
			if c.method == "GET" && (status == 403 || status == 507) {
				continue
			}
			a.store.err = err
			a.do(t, status, c.method, c.target, c.good)
			a.store.err = nil
		}
		if c.good != "" {
			a.do(t, 400, c.method, c.target, `{"input":1}`)
			a.do(t, 413, c.method, c.target, strings.Repeat(" ", httpapi.DefaultMaxBody+1))
			a.do(t, 415, c.method, c.target, c.good, "Content-Type: text/plain")
		}
		if strings.HasPrefix(c.target, "/jobs/") {
			if c.method != "GET" {
				a.do(t, 412, c.method, c.target, c.good, `If-Match: W/"1"`)
			}
			a.do(t, 400, c.method, "/jobs/abc", c.good)
			a.do(t, 404, c.method, "/jobs/job_missing", c.good)
		}
	}
	a.do(t, 400, "GET", "/jobs?limit=0", "")
	a.do(t, 400, "POST", "/jobs", `{"kind":"video","input":"ftp://a"}`)
	_, deleted := a.do(t, 200, "POST", "/jobs", full, "Idempotency-Key: k")
	var job jobstore.Job
	require.NoError(t, job.UnmarshalJSON([]byte(deleted)))
	a.do(t, 204, "DELETE", "/jobs/"+string(job.ID), "")
	a.do(t, 404, "POST", "/jobs", full, "Idempotency-Key: k")

	a.assertAllSeen(t)
}

// assertAllSeen checks that what is described has happened. A body that does not
// arrive in time is left out: it takes half a minute.
func (a *openAPI) assertAllSeen(t *testing.T) {
	var missing []string
	for path, item := range a.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				code := map[string]int{
					"200": 200, "201": 201, "204": 204, "304": 304, "400": 400, "401": 401, "403": 403, "404": 404,
					"409": 409, "412": 412, "413": 413, "414": 414, "415": 415, "500": 500, "503": 503, "507": 507,
				}[status]
				if status != "408" && !a.seen[operation.OperationID+" "+http.StatusText(code)] {
					missing = append(missing, method+" "+path+" "+status)
				}
			}
		}
	}
	slices.Sort(missing)
	assert.Empty(t, missing)
}

// TestOpenAPIRefusesOthers makes sure that the description says something: an
// answer with a field more, less, or of another type is not as described.
func TestOpenAPIRefusesOthers(t *testing.T) {
	a := newOpenAPI(t)
	_, good := a.do(t, 201, "POST", "/jobs", `{"kind":"video","input":"https://example.com/a.mp4"}`)
	r := httptest.NewRequest("GET", a.server.URL+"/jobs/job_abc123", nil)
	route, params, err := a.router.FindRoute(r)
	require.NoError(t, err)
	for from, to := range map[string]string{
		`{"id"`: `{"extra":1,"id"`, `"error":null,`: ``, `"created_at":`: `"created_at":"now`, `"status":"queued"`: `"status":"done"`,
		`"object":"job"`: `"object":"task"`, `"tasks":[]`: `"tasks":null`, `"id":"job_`: `"id":"jab_`,
	} {
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
			Status:                 200,
			Header: http.Header{
				"Content-Type": {"application/json"}, "Etag": {`W/"1"`}, "Cache-Control": {"private, no-cache"}, "X-Request-Id": {"1"},
			},
		}
		require.Contains(t, good, from)
		out.SetBodyBytes([]byte(good))
		require.NoError(t, openapi3filter.ValidateResponse(t.Context(), out))
		out.SetBodyBytes([]byte(strings.Replace(good, from, to, 1)))
		assert.Error(t, openapi3filter.ValidateResponse(t.Context(), out), "%s to %s", from, to)
	}
}
