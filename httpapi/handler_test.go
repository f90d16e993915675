package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// A slowStore is a store whose Create waits to be let on.
type slowStore struct {
	*jobstore.Store
	entered chan struct{}
	leave   chan error
}

func newSlowStore(s *jobstore.Store) *slowStore {
	return &slowStore{s, make(chan struct{}), make(chan error)}
}

func (s *slowStore) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	s.entered <- struct{}{}
	if err := <-s.leave; err != nil {
		return err
	}
	return s.Store.Create(ctx, jobs...)
}

// A brokenStore is a store whose Get does what it is told.
type brokenStore struct {
	*jobstore.Store
	get func() error
}

func (s *brokenStore) Get(context.Context, jobstore.ID) (jobstore.Job, error) {
	return jobstore.Job{}, s.get()
}

func TestToken(t *testing.T) {
	server := newServer(t, openStore(t), &httpapi.Options{Token: "s3cret token"})
	for _, header := range []string{"Bearer s3cret token", "bearer  s3cret token "} {
		assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/jobs", "", "Authorization: "+header).StatusCode, header)
	}
	// The description is for everybody.
	assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/openapi.json", "").StatusCode)
	// Who needs no token may have one.
	server = newServer(t, openStore(t), nil)
	assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/jobs", "", "Authorization: Bearer any").StatusCode)
}

// TestOverload holds two requests at the store; a third is refused and takes
// nothing from them.
func TestOverload(t *testing.T) {
	slow := newSlowStore(openStore(t))
	server := httptest.NewServer(httpapi.New(slow, &httpapi.Options{MaxConcurrent: 2, MaxWait: time.Millisecond}))
	defer server.Close()
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- do(t, "POST", server.URL+"/jobs", good) }()
		<-slow.entered
	}
	got := do(t, "GET", server.URL+"/jobs", "")
	assert.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Contains(t, got.body, `"kind":"overloaded"`)
	assert.Equal(t, "1", got.Header.Get("Retry-After"))
	for range 2 {
		slow.leave <- nil
		assert.Equal(t, http.StatusCreated, (<-answers).StatusCode)
	}
	assert.Len(t, do(t, "GET", server.URL+"/jobs", "").jobs(t), 2)
}

// TestErrorsOfTheStore says what clients see of them, and what the log does.
func TestErrorsOfTheStore(t *testing.T) {
	var log bytes.Buffer
	broken := &brokenStore{Store: openStore(t)}
	server := httptest.NewServer(httpapi.New(broken, &httpapi.Options{
		Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	}))
	defer server.Close()
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{jobstore.ErrNotFound, 404, "job_not_found"},
		{jobstore.ErrExists, 409, "job_exists"},
		{jobstore.ErrReadOnly, 403, "read_only"},
		{jobstore.ErrFull, 507, "store_full"},
		{jobstore.ErrClosed, 503, "unavailable"},
		{context.DeadlineExceeded, 503, "unavailable"},
		{context.Canceled, 499, "client_closed_request"},
		{&jobstore.FieldError{Field: "input", Reason: "is odd"}, 400, "request_invalid"},
		{jobstore.ErrCorrupt, 500, "internal_error"},
		{jobstore.ErrCommitUnknown, 500, "internal_error"},
		{errors.New("secret detail of the disk"), 500, "internal_error"},
	} {
		log.Reset()
		broken.get = func() error { return c.err }
		got := do(t, "GET", server.URL+"/jobs/job_abc", "")
		assert.Equal(t, c.status, got.StatusCode, c.err)
		assert.Contains(t, got.body, `{"kind":"`+c.kind+`"`, c.err)
		assert.NotContains(t, got.body, "secret")
		assert.Contains(t, log.String(), c.err.Error())
	}
}

// TestPanic answers for a handler that panics, and keeps the connection.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	broken := &brokenStore{Store: openStore(t), get: func() error { panic("secret detail") }}
	server := httptest.NewServer(httpapi.New(broken, &httpapi.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	defer server.Close()
	got := do(t, "GET", server.URL+"/jobs/job_abc", "")
	assert.Equal(t, http.StatusInternalServerError, got.StatusCode)
	assert.Equal(t, `{"kind":"internal_error","message":"something went wrong, see the server's log"}`, got.body)
	assert.Contains(t, log.String(), "secret detail")
	assert.Contains(t, log.String(), "brokenStore", "the stack")
	assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+"/jobs", "").StatusCode)

	// The one panic that is meant for the server reaches it.
	broken.get = func() error { panic(http.ErrAbortHandler) }
	resp, err := http.Get(server.URL + "/jobs/job_abc")
	if !assert.Error(t, err) {
		_ = resp.Body.Close()
	}
}

func TestReadOnlyStore(t *testing.T) {
	path := t.TempDir() + "/jobs.db"
	store, err := jobstore.Open(path, nil)
	require.NoError(t, err)
	job := newJob(1)
	require.NoError(t, store.Create(t.Context(), job))
	require.NoError(t, store.Close())
	store, err = jobstore.Open(path, &jobstore.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { _ = store.Close() }()
	server := newServer(t, store, nil)

	at := server.URL + "/jobs/" + string(job.ID)
	assert.Len(t, do(t, "GET", server.URL+"/jobs", "").jobs(t), 1)
	for _, got := range []answer{
		do(t, "POST", server.URL+"/jobs", good),
		do(t, "PATCH", at, `{"status":"queued"}`),
		do(t, "DELETE", at, ""),
	} {
		assert.Equal(t, http.StatusForbidden, got.StatusCode)
		assert.Contains(t, got.body, `"kind":"read_only"`)
	}
	require.NoError(t, store.Close())
	got := do(t, "GET", server.URL+"/jobs", "")
	assert.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	assert.Contains(t, got.body, `"kind":"unavailable"`)
}

// TestLog reads the one line of a request.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	server := newServer(t, openStore(t), &httpapi.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	got := do(t, "GET", server.URL+"/jobs?input=https://example.com/?signature=secret", "", "X-Request-Id: trace-1.a_B")
	assert.Equal(t, "trace-1.a_B", got.Header.Get("X-Request-Id"))
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line), log.String())
	assert.Subset(t, line, map[string]any{
		"level": "INFO", "msg": "request", "id": "trace-1.a_B", "method": "GET", "path": "/jobs",
		"status": 200.0, "bytes": 2.0,
	})
	assert.Contains(t, line, "took")
	assert.Contains(t, line, "remote")
	assert.NotContains(t, log.String(), "secret")

	for _, id := range []string{"", "two words", "a\"b", strings.Repeat("a", 65)} {
		own := do(t, "GET", server.URL+"/jobs", "", "X-Request-Id: "+id).Header.Get("X-Request-Id")
		assert.Regexp(t, "^[0-9a-f]{16}$", own)
	}
}

// TestPattern is what a middleware, such as one that counts, relies on.
func TestPattern(t *testing.T) {
	h := httpapi.New(openStore(t), nil)
	for target, pattern := range map[string]string{
		"GET /jobs?limit=1": "GET /jobs", "HEAD /jobs": "GET /jobs", "GET /jobs/job_abc": "GET /jobs/{id}",
		"DELETE /jobs/job_abc": "DELETE /jobs/{id}", "BREW /jobs": "/jobs", "GET /other": "/",
	} {
		method, at, _ := strings.Cut(target, " ")
		r := httptest.NewRequest(method, at, nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, pattern, r.Pattern, target)
	}
}
