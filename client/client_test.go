package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
	"github.com/jobstore/jobstore/httpapi"
)

// openStore opens an empty store until the end of the test.
func openStore(t testing.TB) *jobstore.Store {
	t.Helper()
	store, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

// serve answers with h until the end of the test, and returns a client of it.
func serve(t testing.TB, h http.Handler, opts *client.Options) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return connect(t, server.URL, opts)
}

func connect(t testing.TB, address string, opts *client.Options) *client.Client {
	t.Helper()
	c, err := client.New(address, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// site is what jobstore serve has of a store.
func site(store *jobstore.Store) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/store/", httpapi.NewOperator(store, nil))
	mux.Handle("/", httpapi.New(store, nil))
	return mux
}

// fill creates n jobs of all kinds, oldest first, every third with tasks.
func fill(t testing.TB, store *jobstore.Store, n int) (jobs []*jobstore.Job) {
	t.Helper()
	for i := range n {
		job := &jobstore.Job{Kind: jobstore.KindVideo << (i % 5), Status: jobstore.StatusQueued << (i % 3), Input: "s3://a/b"}
		if i%3 == 0 {
			job.Tasks = json.RawMessage(`[ {"id":"task_1"} ]`)
		}
		jobs = append(jobs, job)
	}
	require.NoError(t, store.Create(t.Context(), jobs...))
	return jobs
}

// collect returns the IDs that a walk gives, in its order.
func collect(t testing.TB, walk func(func(jobstore.Job, error) bool)) (ids []jobstore.ID) {
	t.Helper()
	for job, err := range walk {
		require.NoError(t, err)
		ids = append(ids, job.ID)
	}
	return ids
}

// TestReadsAsTheStoreDoes asks a server and the store behind it the same.
func TestReadsAsTheStoreDoes(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 250)
	c := serve(t, site(store), nil)
	ctx := t.Context()
	for _, q := range []jobstore.Query{
		{}, {Limit: 7}, {Order: jobstore.Asc}, {Kind: jobstore.KindVideo | jobstore.KindAudio}, {Status: jobstore.StatusQueued, Limit: 100},
		{Input: "s3://a/b"}, {Input: "s3://no/ne"}, {After: jobs[100].ID}, {Before: jobs[100].ID}, {Before: jobs[100].ID, Order: jobstore.Asc},
		{After: jobs[100].ID, Before: jobs[90].ID}, {After: jobs[90].ID, Before: jobs[100].ID},
	} {
		want, err := store.List(ctx, q)
		require.NoError(t, err)
		for range 2 { // the second comes as unchanged
			got, err := c.List(ctx, q)
			require.NoError(t, err)
			assert.Equal(t, want.HasMore, got.HasMore, q)
			require.Len(t, got.Jobs, len(want.Jobs), q)
			for i := range want.Jobs {
				assert.Equal(t, string(want.Jobs[i].AppendJSON(nil)), string(got.Jobs[i].AppendJSON(nil)))
			}
		}
		assert.Equal(t, collect(t, store.All(ctx, q)), collect(t, c.All(ctx, q)), q)
		assert.Equal(t, collect(t, store.All(ctx, q)), collect(t, c.Export(ctx, q)), q)
		n, err := store.Count(ctx, q)
		require.NoError(t, err)
		told, err := c.Count(ctx, q)
		require.NoError(t, err)
		assert.Equal(t, n, told, q)
		plan, err := store.Explain(ctx, q)
		require.NoError(t, err)
		explained, err := c.Explain(ctx, q)
		require.NoError(t, err)
		assert.Equal(t, plan, explained, q)
	}
	stats, err := store.Stats(ctx)
	require.NoError(t, err)
	told, err := c.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, stats, told)
	for problem, err := range c.Check(ctx) {
		assert.NoError(t, err)
		assert.Fail(t, problem.String())
	}
	for job, err := range c.Export(ctx, jobstore.Query{}) {
		require.NoError(t, err)
		want, err := store.Get(ctx, job.ID)
		require.NoError(t, err)
		assert.Equal(t, want, job)
		break // the connection is given up
	}
}

// TestLifeOfAJob takes raw JSON to the store and back byte for byte.
func TestLifeOfAJob(t *testing.T) {
	store := openStore(t)
	c := serve(t, site(store), nil)
	ctx := t.Context()
	const options, metadata = "{ \"a\" :\n[1,  2], \"<&>\": \"\u2028\" }", "{\t}"
	job := &jobstore.Job{
		Kind: jobstore.KindVideo, Input: "https://example.com/<a>&b=" + strings.Repeat("<", 1000), Output: "s3://a/b",
		Options: json.RawMessage(options), Metadata: json.RawMessage(metadata),
	}
	require.NoError(t, c.Create(ctx, job))
	assert.Equal(t, jobstore.StatusQueued, job.Status)
	stored, err := store.Get(ctx, job.ID)
	require.NoError(t, err)
	assert.Equal(t, stored, *job)
	assert.Equal(t, options+metadata, string(stored.Options)+string(stored.Metadata))

	const failed = "{ \"code\":\r\n\"<timeout>\" }"
	updated, err := c.Update(ctx, job.ID, func(j *jobstore.Job) error {
		j.Status, j.Error, j.Output = jobstore.StatusFailed, json.RawMessage(failed), ""
		j.Tasks = json.RawMessage("[ 1 ]")
		return nil
	})
	require.NoError(t, err)
	stored, err = store.Get(ctx, job.ID)
	require.NoError(t, err)
	assert.Equal(t, stored, updated)
	assert.Equal(t, failed+"[ 1 ]", string(stored.Error)+string(stored.Tasks))
	assert.Equal(t, metadata, string(stored.Metadata), "what was not changed stays")

	for field, change := range map[string]func(*jobstore.Job){
		"input":      func(j *jobstore.Job) { j.Input = "s3://other" },
		"kind":       func(j *jobstore.Job) { j.Kind = jobstore.KindAudio },
		"options":    func(j *jobstore.Job) { j.Options = nil },
		"created_at": func(j *jobstore.Job) { j.CreatedAt = time.Now() },
		"error":      func(j *jobstore.Job) { j.Error = json.RawMessage("{") },
		"tasks":      func(j *jobstore.Job) { j.Tasks = json.RawMessage("{}") },
	} {
		_, err := c.Update(ctx, job.ID, func(j *jobstore.Job) error { change(j); return nil })
		refused, ok := errors.AsType[*jobstore.FieldError](err)
		require.True(t, ok, field)
		assert.Equal(t, field, refused.Field)
	}
	for field, bad := range map[string]jobstore.Job{
		"id": {ID: "job_1"}, "status": {Status: jobstore.StatusFailed}, "tasks": {Tasks: json.RawMessage("[1]")},
		"created_at": {CreatedAt: time.Now()}, "options": {Options: json.RawMessage("[]")},
	} {
		bad.Kind, bad.Input = jobstore.KindVideo, "s3://a/b"
		refused, ok := errors.AsType[*jobstore.FieldError](c.Create(ctx, &bad))
		require.True(t, ok, field)
		assert.Equal(t, field, refused.Field)
	}

	once := &jobstore.Job{Kind: jobstore.KindAudio, Input: "s3://a/once"}
	again := *once
	created, err := c.CreateOnce(ctx, "key", once)
	require.NoError(t, err)
	assert.True(t, created)
	created, err = c.CreateOnce(ctx, "key", &again)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, once.ID, again.ID)
	_, err = c.CreateOnce(ctx, "key", &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a/b"})
	assert.ErrorIs(t, err, jobstore.ErrConflict)
	_, err = c.CreateOnce(ctx, "é", once)
	assert.ErrorIs(t, err, jobstore.ErrInvalid)

	n, err := c.Delete(ctx, job.ID, "job_none")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = c.Get(ctx, job.ID)
	assert.ErrorIs(t, err, jobstore.ErrNotFound)
	_, err = c.Get(ctx, "../store/stats")
	assert.ErrorIs(t, err, jobstore.ErrInvalid)
	_, err = c.Delete(ctx, again.ID, "nonsense")
	assert.ErrorIs(t, err, jobstore.ErrInvalid)
	_, err = c.Get(ctx, again.ID)
	assert.NoError(t, err, "nothing is deleted when an ID is wrong")
}

func TestPutAndPrune(t *testing.T) {
	store := openStore(t)
	c := serve(t, site(store), nil)
	ctx := t.Context()
	old := &jobstore.Job{
		ID: "job_old", Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: "ftp://any/input",
		CreatedAt: time.UnixMilli(5).UTC(), Options: json.RawMessage("{ }"),
	}
	young := *old
	young.ID, young.CreatedAt = "job_young", time.Now().Truncate(time.Millisecond).UTC()
	require.NoError(t, c.Put(ctx, old, &young))
	got, err := store.Get(ctx, "job_old")
	require.NoError(t, err)
	assert.Equal(t, string(old.AppendJSON(nil)), string(got.AppendJSON(nil)))
	assert.ErrorIs(t, c.Put(ctx, &jobstore.Job{ID: "job_1"}), jobstore.ErrInvalid)
	require.NoError(t, c.Put(ctx))

	_, err = c.Prune(ctx, jobstore.PruneOptions{})
	assert.ErrorIs(t, err, jobstore.ErrInvalid)
	n, err := c.Prune(ctx, jobstore.PruneOptions{Before: time.UnixMilli(0)})
	require.NoError(t, err)
	assert.Zero(t, n, "nothing is older than 1970")
	n, err = c.Prune(ctx, jobstore.PruneOptions{Before: time.UnixMilli(6), Status: jobstore.StatusFailed, Kind: jobstore.KindVideo, DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, int64(1), n)
	n, err = c.Prune(ctx, jobstore.PruneOptions{Before: time.UnixMilli(6)})
	require.NoError(t, err)
	assert.Equal(t, int64(1), n)
	assert.Equal(t, []jobstore.ID{"job_young"}, collect(t, store.All(ctx, jobstore.Query{})))
}

// TestExportIsOneRequest counts the requests of an export, and those of one from a
// server that has the API alone.
func TestExportIsOneRequest(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 250)
	requests := 0
	count := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			h.ServeHTTP(w, r)
		})
	}
	want := collect(t, store.All(t.Context(), jobstore.Query{}))
	assert.Equal(t, want, collect(t, serve(t, count(site(store)), nil).Export(t.Context(), jobstore.Query{})))
	assert.Equal(t, 1, requests)
	c := serve(t, count(httpapi.New(store, nil)), nil)
	assert.Equal(t, want, collect(t, c.Export(t.Context(), jobstore.Query{})))
	assert.Greater(t, requests, len(jobs))
	for _, err := range []error{
		lastOf(c.Check(t.Context())), c.Put(t.Context(), jobs[0]), second(c.Stats(t.Context())),
		second(c.Prune(t.Context(), jobstore.PruneOptions{Before: time.Now()})), second(c.Explain(t.Context(), jobstore.Query{})),
	} {
		assert.ErrorIs(t, err, client.ErrNoStore)
	}
	n, err := c.Count(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Equal(t, int64(250), n)
}

func second[T any](_ T, err error) error { return err }

func lastOf[T any](walk func(func(T, error) bool)) (err error) {
	for _, e := range walk {
		err = e
	}
	return err
}

// TestAddress joins the paths of the API to addresses of all forms.
func TestAddress(t *testing.T) {
	var asked *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Has-More", "false")
		_, _ = w.Write([]byte("[]"))
	}))
	defer server.Close()
	for address, want := range map[string]string{
		"":                   "/jobs?kind=video",
		"/":                  "/jobs?kind=video",
		"/media/v1":          "/media/v1/jobs?kind=video",
		"/media/v1/":         "/media/v1/jobs?kind=video",
		"/a%2Fb/":            "/a%2Fb/jobs?kind=video",
		"?key=a%26b":         "/jobs?key=a%26b&kind=video",
		"/v1/?key=1#top":     "/v1/jobs?key=1&kind=video",
		"#jobs?x":            "/jobs?kind=video",
		"/v1?":               "/v1/jobs?kind=video",
		"/jobs/../x?a=1&a=2": "/x/jobs?a=1&a=2&kind=video",
	} {
		c := connect(t, server.URL+address, nil)
		_, err := c.List(t.Context(), jobstore.Query{Kind: jobstore.KindVideo})
		require.NoError(t, err, address)
		assert.Equal(t, want, asked.RequestURI, address)
	}
	c := connect(t, strings.Replace(server.URL, "http://", "HTTP://user:pass@", 1), nil)
	_, err := c.List(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	name, password, _ := asked.BasicAuth()
	assert.Equal(t, "user pass", name+" "+password)
	assert.NotContains(t, c.String(), "pass")
	_, err = connect(t, server.URL, &client.Options{Token: "secret"}).List(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	assert.Equal(t, "Bearer secret", asked.Header.Get("Authorization"))

	for _, address := range []string{"", "127.0.0.1:8080", "ftp://a", "http://", "http://:80", "http://%zz", "http:a/b", "//a/b", "http://a/?%zz"} {
		_, err := client.New(address, nil)
		assert.ErrorIs(t, err, jobstore.ErrInvalid, address)
	}
	_, err = client.New(server.URL, &client.Options{Token: "a\nb"})
	assert.ErrorIs(t, err, jobstore.ErrInvalid)
}

// TestErrorsAreThoseOfAStore keeps what a server says, and its meaning.
func TestErrorsAreThoseOfAStore(t *testing.T) {
	for kind, want := range map[string]error{
		"job_not_found": jobstore.ErrNotFound, "request_invalid": jobstore.ErrInvalid, "read_only": jobstore.ErrReadOnly,
		"store_full": jobstore.ErrFull, "idempotency_conflict": jobstore.ErrConflict,
	} {
		c := serve(t, answer(400, "application/json", `{"kind":"`+kind+`","message":"<why>"}`, nil), nil)
		err := c.Create(t.Context(), newJob())
		assert.ErrorIs(t, err, want)
		assert.NotErrorIs(t, err, client.ErrOutcomeUnknown)
		assert.Equal(t, c.String()+": <why> ("+kind+")", err.Error())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := serve(t, answer(200, "application/json", "{}", nil), nil)
	_, err := c.Get(ctx, "job_1")
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, slices.Contains([]error{context.Canceled}, lastOf(c.Export(ctx, jobstore.Query{}))))
}

func newJob() *jobstore.Job { return &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a/b"} }

// answer returns a handler that always gives one answer.
func answer(status int, mediaType, body string, header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
