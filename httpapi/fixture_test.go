package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// openStore opens an empty store that is checked and closed at the end of the test.
func openStore(t testing.TB) *jobstore.Store {
	store, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		for problem, err := range store.Check(context.Background()) {
			assert.NoError(t, err)
			assert.Fail(t, problem.String())
		}
		assert.NoError(t, store.Close())
	})
	return store
}

// fill creates n jobs of all kinds, statuses and 10 inputs, oldest first.
func fill(t testing.TB, store *jobstore.Store, n int) []*jobstore.Job {
	jobs := make([]*jobstore.Job, n)
	for i := range jobs {
		jobs[i] = newJob(i)
	}
	require.NoError(t, store.Create(context.Background(), jobs...))
	return jobs
}

func newJob(i int) *jobstore.Job {
	job := &jobstore.Job{
		Kind:     jobstore.KindVideo << (i % 5),
		Status:   jobstore.StatusQueued << (i / 5 % 5),
		Input:    "https://example.com/" + string(rune('a'+i%10)) + ".mp4?sig=a%2Fb+c&x=1",
		Options:  json.RawMessage(`{"format": "mp4", "quality": "high"}`),
		Metadata: json.RawMessage(`{"who":"zoë & <co>"}`),
		Tasks:    json.RawMessage(`[{"object":"task"}]`),
	}
	if job.Status == jobstore.StatusFailed {
		job.Error = json.RawMessage(`{"kind":"decode_failed"}`)
	}
	return job
}

// newServer serves store on loopback until the end of the test.
func newServer(t testing.TB, store *jobstore.Store, opts *httpapi.Options) *httptest.Server {
	server := httptest.NewServer(httpapi.New(store, opts))
	t.Cleanup(server.Close)
	return server
}

// An answer is a response that was read whole.
type answer struct {
	*http.Response
	body string
}

// do sends a request with the headers, given as "Name: value".
func do(t testing.TB, method, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	read, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return answer{resp, string(read)}
}

// jobs returns the jobs of a list's body.
func (a answer) jobs(t testing.TB) (jobs []jobstore.Job) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &jobs), a.body)
	return jobs
}

// job returns the job of a body.
func (a answer) job(t testing.TB) (job jobstore.Job) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), &job), a.body)
	return job
}

// link returns the URL of a rel in the Link header, or "".
func (a answer) link(rel string) string {
	for part := range strings.SplitSeq(a.Header.Get("Link"), ", ") {
		if url, ok := strings.CutSuffix(part, `>; rel="`+rel+`"`); ok {
			return strings.TrimPrefix(url, "<")
		}
	}
	return ""
}

// ids returns the IDs of jobs.
func ids(jobs []jobstore.Job) []jobstore.ID {
	list := []jobstore.ID{}
	for _, j := range jobs {
		list = append(list, j.ID)
	}
	return list
}
