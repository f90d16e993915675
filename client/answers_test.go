package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
)

const (
	whole      = `{"id":"job_1","object":"job","kind":"video","input":"s3://a/b","status":"queued"}`
	other      = `{"id":"job_2","object":"job","kind":"video","input":"s3://a/b","status":"queued"}`
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// calls are the methods of a client by what they ask, with the answers to each that
// the API documents.
var calls = map[string]struct {
	call      func(context.Context, *client.Client) error
	status    int
	mediaType string
	body      string
	changing  bool
}{
	"list": {func(ctx context.Context, c *client.Client) error {
		return second(c.List(ctx, jobstore.Query{}))
	}, 200, jsonType, "[" + whole + "]", false},
	"get": {func(ctx context.Context, c *client.Client) error { return second(c.Get(ctx, "job_1")) }, 200, jsonType, whole, false},
	"create": {func(ctx context.Context, c *client.Client) error {
		return c.Create(ctx, newJob())
	}, 201, jsonType, whole, true},
	"delete": {func(ctx context.Context, c *client.Client) error {
		return second(c.Delete(ctx, "job_1"))
	}, 204, "", "", true},
	"stats": {func(ctx context.Context, c *client.Client) error { return second(c.Stats(ctx)) }, 200, jsonType,
		`{"jobs":1,"by_kind":{"video":1},"by_status":{"queued":1},"file_bytes":1,"free_bytes":0,"format":1}`, false},
	"count": {func(ctx context.Context, c *client.Client) error {
		return second(c.Count(ctx, jobstore.Query{}))
	}, 200, jsonType, `{"count":1}`, false},
	"explain": {func(ctx context.Context, c *client.Client) error {
		return second(c.Explain(ctx, jobstore.Query{}))
	}, 200, jsonType, `{"index":"jobs","branches":1}`, false},
	"put": {func(ctx context.Context, c *client.Client) error {
		job := newJob()
		job.ID, job.Status = "job_1", jobstore.StatusQueued
		return c.Put(ctx, job)
	}, 200, jsonType, `{"imported":1}`, true},
	"export": {func(ctx context.Context, c *client.Client) error {
		return lastOf(c.Export(ctx, jobstore.Query{}))
	}, 200, ndjsonType, whole + "\n" + `{"outcome":{"jobs":1}}` + "\n", false},
	"check": {func(ctx context.Context, c *client.Client) error { return lastOf(c.Check(ctx)) }, 200, ndjsonType,
		`{"progress":{"done":1,"total":2}}` + "\n" + `{"outcome":{"problems":0}}` + "\n", false},
	"prune": {func(ctx context.Context, c *client.Client) error {
		return second(c.Prune(ctx, jobstore.PruneOptions{Before: time.Now()}))
	}, 200, ndjsonType, `{"outcome":{"deleted":1}}` + "\n", true},
}

// TestBelievesDocumentedAnswersOnly gives every method the documented answer, and
// then all that could be taken for one.
func TestBelievesDocumentedAnswersOnly(t *testing.T) {
	more := http.Header{"Has-More": {"false"}}
	for name, c := range calls {
		err := c.call(t.Context(), serve(t, answer(c.status, c.mediaType, c.body, more), nil))
		assert.NoError(t, err, name)

		wrong := map[string]http.HandlerFunc{
			"202":      answer(202, c.mediaType, c.body, more),
			"206":      answer(206, c.mediaType, c.body, more),
			"a page":   answer(200, "text/html", "<html>"+c.body, more),
			"a status": answer(404, "text/html", "<html>", more),
			"teapot":   answer(418, jsonType, "{}", more),
			"304":      answer(304, "", "", more),
			"a reset":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		}
		if c.status != 200 {
			wrong["200"] = answer(200, jsonType, whole, more)
		}
		if c.status != 204 {
			wrong["204"] = answer(204, "", "", more)
			wrong["no type"] = answer(c.status, "text/plain", c.body, more)
			wrong["nothing"] = answer(c.status, c.mediaType, "", more)
			wrong["null"] = answer(c.status, c.mediaType, "null", more)
			wrong["empty"] = answer(c.status, c.mediaType, "{}", more)
			wrong["an array"] = answer(c.status, c.mediaType, "[null]", more)
			wrong["half"] = answer(c.status, c.mediaType, c.body[:len(c.body)/2], more)
			wrong["more"] = answer(c.status, c.mediaType, strings.Repeat(c.body+"}", 2), more)
		}
		for what, h := range wrong {
			if name == "count" && (what == "a status") || what == "more" && c.mediaType == ndjsonType {
				continue // asks for pages then; the outcome has come
			}
			err := c.call(t.Context(), serve(t, h, nil))
			assert.Error(t, err, "%s takes %s", name, what)
		}
		// A failure inside the server leaves open what was done.
		err = c.call(t.Context(), serve(t, answer(500, jsonType, `{"kind":"internal_error","message":"see the log"}`, more), nil))
		assert.Equal(t, c.changing, isUnknown(err), name)
		err = c.call(t.Context(), serve(t, wrong["a reset"], nil))
		assert.Equal(t, c.changing, isUnknown(err), name)
	}
	for what, body := range map[string]string{
		"another job": other, "no status": `{"id":"job_1","kind":"video","input":"s3://a/b"}`,
	} {
		assert.Error(t, calls["get"].call(t.Context(), serve(t, answer(200, jsonType, body, nil), nil)), what)
	}
	for what, body := range map[string]string{
		"the order": "[" + whole + "," + other + "]", "a job twice": "[" + whole + "," + whole + "]",
	} {
		assert.Error(t, calls["list"].call(t.Context(), serve(t, answer(200, jsonType, body, more), nil)), what)
	}
	assert.Error(t, calls["list"].call(t.Context(), serve(t, answer(200, jsonType, "[]", nil), nil)), "no Has-More")
	for what, body := range map[string]string{
		"no outcome": whole + "\n", "another number": whole + "\n" + `{"outcome":{"jobs":2}}`, "an error": whole + "\n" + `{"outcome":{"jobs":1,"error":{"kind":"internal_error","message":"gone"}}}`,
		"no number": `{"outcome":{}}`, "no job": "{}\n" + `{"outcome":{"jobs":1}}`, "null": `{"outcome":null}`,
	} {
		assert.Error(t, calls["export"].call(t.Context(), serve(t, answer(200, ndjsonType, body, nil), nil)), what)
	}
	assert.Error(t, calls["put"].call(t.Context(), serve(t, answer(200, jsonType, `{"imported":0}`, nil), nil)))
	deleted, err := serve(t, answer(404, jsonType, `{"kind":"not_found","message":"nothing here"}`, nil), nil).Delete(t.Context(), "job_1")
	assert.Error(t, err, "a path that is not there is no job that is not there")
	assert.Zero(t, deleted)
}

func isUnknown(err error) bool { return errors.Is(err, client.ErrOutcomeUnknown) }

// TestRedirects are followed by what reads, and by nothing that changes.
func TestRedirects(t *testing.T) {
	for name, c := range calls {
		for _, status := range []int{301, 302, 303, 307, 308} {
			arrived := atomic.Int32{}
			target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrived.Add(1)
				answer(c.status, c.mediaType, c.body, http.Header{"Has-More": {"false"}})(w, r)
			}))
			from := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, target.URL+r.URL.Path, status)
			}), nil)
			err := c.call(t.Context(), from)
			if c.changing || name == "check" {
				assert.ErrorContains(t, err, "a redirect to "+target.URL, "%s %d", name, status)
				assert.Zero(t, arrived.Load(), "%s %d", name, status)
				assert.False(t, isUnknown(err), "%s %d", name, status)
			} else {
				assert.NoError(t, err, "%s %d", name, status)
			}
			target.Close()
		}
	}
}

// TestInterrupted ends the context while the server has a change: its answer is
// waited for, but not for long.
func TestInterrupted(t *testing.T) {
	for _, patient := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			if patient {
				time.Sleep(50 * time.Millisecond)
			} else {
				<-release
			}
			answer(201, jsonType, whole, nil)(w, r)
		}), nil)
		began := time.Now()
		err := c.Create(ctx, newJob())
		close(release)
		if patient {
			require.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, client.ErrOutcomeUnknown)
		assert.Less(t, time.Since(began), 30*time.Second, "it gives up by itself")
	}
}

// TestSilence gives up a server that says nothing more.
func TestSilence(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, c := range calls {
		silent := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.mediaType == ndjsonType {
				w.Header().Set("Content-Type", ndjsonType)
				_ = http.NewResponseController(w).Flush()
			}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}), &client.Options{Timeout: 20 * time.Millisecond})
		err := c.call(t.Context(), silent)
		require.Error(t, err, name)
		assert.Regexp(t, "has not answered for|has said nothing for", err.Error(), name)
		assert.Equal(t, c.changing, isUnknown(err), name)
	}
}
