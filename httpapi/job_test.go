package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func TestCreate(t *testing.T) {
	store := openStore(t)
	server := newServer(t, store, nil)
	got := do(t, "POST", server.URL+"/jobs", `{
		"input": "https://example.com/ünïcode.mp4?a=\"b\"",
		"kind": "adaptive_video",
		"options": {"format": "hls", "deep": [{"a": 1.50}]},
		"output": "s3://bucket/a/key.m3u8",
		"metadata": {"user": "42"}
	}`)
	require.Equal(t, http.StatusCreated, got.StatusCode, got.body)
	job := got.job(t)
	_, minted := job.ID.Time()
	assert.True(t, minted)
	assert.Equal(t, jobstore.StatusQueued, job.Status)
	assert.Equal(t, jobstore.KindAdaptiveVideo, job.Kind)
	assert.Equal(t, `https://example.com/ünïcode.mp4?a="b"`, job.Input)
	assert.Equal(t, `{"format": "hls", "deep": [{"a": 1.50}]}`, string(job.Options))
	assert.False(t, job.CreatedAt.IsZero())
	assert.True(t, strings.HasSuffix(got.body, `,"tasks":[]}`))

	location := got.Header.Get("Location")
	assert.Equal(t, server.URL+"/jobs/"+string(job.ID), location)
	assert.Equal(t, got.body, do(t, "GET", location, "").body)
}

// TestCreateLeast sends what must be sent and nothing more, null being nothing.
func TestCreateLeast(t *testing.T) {
	server := newServer(t, openStore(t), nil)
	for _, body := range []string{
		`{"input":"s3://bucket/key","kind":"image"}`,
		`{"input":"s3://bucket/key","kind":"image","options":null,"output":null,"metadata":null}`,
		` {"kind":"image" , "input":"HTTP://x"}` + "\n",
	} {
		got := do(t, "POST", server.URL+"/jobs", body)
		require.Equal(t, http.StatusCreated, got.StatusCode, got.body)
		assert.Contains(t, got.body, `"output":null,"options":{},"metadata":{},"status":"queued","error":null`)
		assert.Equal(t, got.body, do(t, "GET", got.Header.Get("Location"), "").body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	store := openStore(t)
	server := newServer(t, store, nil)
	const body = `{"input":"s3://bucket/key","kind":"image"}`
	first := do(t, "POST", server.URL+"/jobs", body, "Idempotency-Key: 6f1c b2")
	again := do(t, "POST", server.URL+"/jobs", body, "Idempotency-Key: 6f1c b2")
	other := do(t, "POST", server.URL+"/jobs", body, "Idempotency-Key: other")
	assert.Equal(t, http.StatusCreated, first.StatusCode)
	assert.Equal(t, http.StatusOK, again.StatusCode)
	assert.Equal(t, http.StatusCreated, other.StatusCode)
	assert.Equal(t, first.body, again.body)
	assert.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	n, err := store.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Equal(t, int64(2), n)

	conflict := do(t, "POST", server.URL+"/jobs", good, "Idempotency-Key: other")
	assert.Equal(t, http.StatusConflict, conflict.StatusCode)
	assert.Contains(t, conflict.body, `"kind":"idempotency_conflict"`)

	// A late retry does not bring back what somebody removed.
	do(t, "DELETE", first.Header.Get("Location"), "")
	late := do(t, "POST", server.URL+"/jobs", body, "Idempotency-Key: 6f1c b2")
	assert.Equal(t, http.StatusNotFound, late.StatusCode)
	assert.Contains(t, late.body, `"kind":"job_not_found"`)
}

// TestReport is a job's life as its worker reports it.
func TestReport(t *testing.T) {
	server := newServer(t, openStore(t), nil)
	created := do(t, "POST", server.URL+"/jobs", `{"input":"s3://bucket/key","kind":"image","metadata":{"a":1}}`)
	at := created.Header.Get("Location")

	got := do(t, "PATCH", at, `{"status":"processing","tasks":[{"object":"task","progress":0}]}`)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	job := got.job(t)
	assert.Equal(t, jobstore.StatusProcessing, job.Status)
	assert.False(t, job.StartedAt.IsZero())
	assert.True(t, job.FinishedAt.IsZero())
	assert.Equal(t, `{"a":1}`, string(job.Metadata), "what is not named stays")

	got = do(t, "PATCH", at, `{"status":"failed","error":{"kind":"decode_failed"},"output":"https://cdn.example.com/x"}`)
	job = got.job(t)
	assert.False(t, job.FinishedAt.IsZero())
	assert.Equal(t, `{"kind":"decode_failed"}`, string(job.Error))
	assert.Equal(t, "https://cdn.example.com/x", job.Output)
	assert.Equal(t, `[{"object":"task","progress":0}]`, string(job.Tasks))
	assert.Equal(t, got.body, do(t, "GET", at, "").body)

	got = do(t, "PATCH", at, `{"error":null,"output":null,"tasks":null,"metadata":null}`,
		"Content-Type: application/merge-patch+json; charset=UTF-8")
	assert.Contains(t, got.body, `"output":null,"options":{},"metadata":{},"status":"failed","error":null`)
	assert.Contains(t, got.body, `"tasks":[]`)
	assert.Equal(t, got.body, do(t, "GET", at, "").body)
}

func TestDelete(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 3)
	server := newServer(t, store, nil)
	at := server.URL + "/jobs/" + string(jobs[1].ID)
	got := do(t, "DELETE", at, "")
	assert.Equal(t, http.StatusNoContent, got.StatusCode)
	assert.Empty(t, got.body)
	assert.Equal(t, http.StatusNotFound, do(t, "DELETE", at, "").StatusCode)
	assert.Equal(t, http.StatusNotFound, do(t, "GET", at, "").StatusCode)
	assert.Equal(t, []jobstore.ID{jobs[2].ID, jobs[0].ID}, ids(do(t, "GET", server.URL+"/jobs", "").jobs(t)))
}
