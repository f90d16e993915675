package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func TestListEmpty(t *testing.T) {
	server := newServer(t, openStore(t), nil)
	got := do(t, "GET", server.URL+"/jobs?kind=video", "")
	assert.Equal(t, http.StatusOK, got.StatusCode)
	assert.Equal(t, "[]", got.body)
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	assert.Equal(t, "false", got.Header.Get("Has-More"))
	assert.Equal(t, "20", got.Header.Get("Limit"))
	assert.Empty(t, got.Header.Get("Link"))
}

// TestSampleJob lists the job of the documentation's page.
func TestSampleJob(t *testing.T) {
	const sample = `{
    "id": "job_abc123",
    "object": "job",
    "kind": "video",
    "input": "https://example.com/video.mp4",
    "output": "https://store.ittybit.net/org_123/video.mp4",
    "options": { "format": "mp4", "quality": "high" },
    "metadata": {},
    "status": "succeeded",
    "error": null,
    "created_at": 1711900000000,
    "started_at": 1711900001000,
    "finished_at": 1711900045000,
    "updated_at": 1711900045000
  }`
	store := openStore(t)
	var job jobstore.Job
	require.NoError(t, json.Unmarshal([]byte(sample), &job))
	require.NoError(t, store.Put(t.Context(), &job))
	server := newServer(t, store, nil)

	assert.JSONEq(t, "["+sample+"]", do(t, "GET", server.URL+"/jobs?kind=video&limit=10", "").body)
	one := do(t, "GET", server.URL+"/jobs/job_abc123", "")
	assert.JSONEq(t, strings.TrimSuffix(sample, "}")+`, "tasks": []}`, one.body)
}

// TestListParameters holds every parameter to the store's own answer.
func TestListParameters(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 100)
	server := newServer(t, store, nil)
	for _, query := range []string{
		"",
		"kind=video",
		"kind=video&kind=audio",
		"status=failed&limit=20",
		"status=queued&status=processing&order=asc",
		"input=" + url.QueryEscape(jobs[3].Input),
		"input=" + url.QueryEscape(jobs[3].Input) + "&kind=animation&limit=3",
		"limit=1",
		"limit=100",
		"order=asc",
		"after=" + string(jobs[50].ID),
		"before=" + string(jobs[50].ID),
		"before=" + string(jobs[50].ID) + "&order=asc&limit=7",
		"after=" + string(jobs[60].ID) + "&before=" + string(jobs[40].ID),
		"kind=&status=&input=&limit=&after=&before=&order=",
	} {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		q, err := jobstore.ParseQuery(values)
		require.NoError(t, err)
		page, err := store.List(t.Context(), q)
		require.NoError(t, err)
		want := []byte("[")
		for i := range page.Jobs {
			want = append(page.Jobs[i].AppendJSON(want), ',')
		}
		want = append([]byte(strings.TrimSuffix(string(want), ",")), ']')

		got := do(t, "GET", server.URL+"/jobs?"+query, "")
		assert.Equal(t, http.StatusOK, got.StatusCode, query)
		assert.Equal(t, string(want), got.body, query)
		assert.Equal(t, page.HasMore, got.Header.Get("Has-More") == "true", query)
		next, hasNext := page.Next(q)
		assertLink(t, got.link("next"), server.URL+"/jobs", next, hasNext)
		prev, hasPrev := page.Prev(q)
		assertLink(t, got.link("prev"), server.URL+"/jobs", prev, hasPrev)
	}
}

// assertLink checks that link is the URL of q at base, if there is to be one.
func assertLink(t *testing.T, link, base string, q jobstore.Query, exists bool) {
	t.Helper()
	if !exists {
		assert.Empty(t, link)
		return
	}
	at, query, _ := strings.Cut(link, "?")
	assert.Equal(t, base, at)
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	got, err := jobstore.ParseQuery(values)
	require.NoError(t, err)
	assert.Equal(t, q, got)
}

// TestLinksCarryOn checks a Link header letter by letter.
func TestLinksCarryOn(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 100)
	server := newServer(t, store, nil)
	got := do(t, "GET", server.URL+"/jobs?order=asc&limit=2&status=queued&after="+string(jobs[1].ID), "")
	assert.Equal(t, "<"+server.URL+"/jobs?after="+string(jobs[3].ID)+"&limit=2&order=asc&status=queued>; rel=\"next\", "+
		"<"+server.URL+"/jobs?before="+string(jobs[2].ID)+"&limit=2&order=asc&status=queued>; rel=\"prev\"",
		got.Header.Get("Link"))
	assert.Equal(t, "2", got.Header.Get("Limit"))
}

// TestLinksUnderPrefix mounts the handler as an application would.
func TestLinksUnderPrefix(t *testing.T) {
	store := openStore(t)
	fill(t, store, 3)
	base, err := url.Parse("https://api.example.com/v1/")
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/media/v1/", http.StripPrefix("/media/v1", httpapi.New(store, nil)))
	mux.Handle("/proxied/", http.StripPrefix("/proxied", httpapi.New(store, &httpapi.Options{BaseURL: base})))
	server := httptest.NewServer(mux)
	defer server.Close()

	got := do(t, "GET", server.URL+"/media/v1/jobs?limit=1", "")
	assert.Regexp(t, "^"+server.URL+`/media/v1/jobs\?after=job_\w+&limit=1$`, got.link("next"))
	assert.Len(t, do(t, "GET", got.link("next"), "").jobs(t), 1)

	got = do(t, "GET", server.URL+"/proxied/jobs?limit=1", "")
	assert.Regexp(t, `^https://api\.example\.com/v1/jobs\?after=job_\w+&limit=1$`, got.link("next"))

	got = do(t, "POST", server.URL+"/media/v1/jobs", `{"kind":"video","input":"s3://b/k"}`)
	assert.Equal(t, server.URL+"/media/v1/jobs/"+string(got.job(t).ID), got.Header.Get("Location"))

	// No server has been between, as when a Lambda adapter makes the request.
	r := httptest.NewRequest("GET", "/jobs?limit=1", nil)
	r.RequestURI, r.Host = "", ""
	w := httptest.NewRecorder()
	httpapi.New(store, nil).ServeHTTP(w, r)
	assert.Regexp(t, `^</jobs\?after=job_\w+&limit=1>; rel="next"$`, w.Header().Get("Link"))
}

func TestLinksWithTLS(t *testing.T) {
	store := openStore(t)
	fill(t, store, 2)
	server := httptest.NewTLSServer(httpapi.New(store, nil))
	defer server.Close()
	resp, err := server.Client().Get(server.URL + "/jobs?limit=1")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Contains(t, resp.Header.Get("Link"), "<"+server.URL+"/jobs?")
}

// TestETag polls a list and a job: only what has changed is sent again.
func TestETag(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 30)
	server := newServer(t, store, nil)
	for _, at := range []string{"/jobs", "/jobs?status=queued", "/jobs/" + string(jobs[29].ID), "/openapi.json"} {
		first := do(t, "GET", server.URL+at, "")
		tag := first.Header.Get("ETag")
		require.Regexp(t, `^W/"\w+"$`, tag, at)
		assert.Equal(t, "private, no-cache", first.Header.Get("Cache-Control"))

		for _, given := range []string{
			tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*", ` * `, `"a,b" ,,	` + tag, tag + `,"x`, `W/"é", ` + tag, `"*", "", ` + tag + ",",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				again := do(t, method, server.URL+at, "", "If-None-Match: "+given)
				assert.Equal(t, http.StatusNotModified, again.StatusCode, given)
				assert.Empty(t, again.body)
				for _, name := range []string{"ETag", "Link", "Has-More", "Limit", "Vary", "Cache-Control"} {
					assert.Equal(t, first.Header.Get(name), again.Header.Get(name), name)
				}
			}
		}
		opaque := strings.Trim(tag, `W/"`)
		for _, given := range []string{
			`W/"other"`, `"x, *, y"`, `"*"`, `"a", *`, `*, "a"`, opaque, `w/` + tag[2:], `"x, ` + opaque + `"`, `"a b", ` + tag, `"a" ` + tag,
			`"unended, ` + tag, `W/ ` + tag[2:], "",
		} {
			assert.Equal(t, http.StatusOK, do(t, "GET", server.URL+at, "", "If-None-Match: "+given).StatusCode, given)
		}
	}

	// A page that is the same with other pages around it has another tag.
	last := do(t, "GET", server.URL+"/jobs?order=asc&limit=100", "")
	page := do(t, "GET", server.URL+"/jobs?order=asc&limit=30", "")
	require.Equal(t, "false", page.Header.Get("Has-More"))
	require.NoError(t, store.Create(context.Background(), newJob(1)))
	grown := do(t, "GET", server.URL+"/jobs?order=asc&limit=30", "", "If-None-Match: "+page.Header.Get("ETag"))
	assert.Equal(t, http.StatusOK, grown.StatusCode)
	assert.Equal(t, "true", grown.Header.Get("Has-More"))
	assert.Equal(t, last.body, grown.body)

	one := server.URL + "/jobs/" + string(jobs[0].ID)
	tag := do(t, "GET", one, "").Header.Get("ETag")
	do(t, "PATCH", one, `{"metadata":{"seen":true}}`)
	assert.Equal(t, http.StatusOK, do(t, "GET", one, "", "If-None-Match: "+tag).StatusCode)
}

func TestGzip(t *testing.T) {
	store := openStore(t)
	fill(t, store, 100)
	server := newServer(t, store, nil)
	plain := do(t, "GET", server.URL+"/jobs?limit=100", "", "Accept-Encoding: identity")
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	for accept, packed := range map[string]bool{
		"gzip": true, "gzip, deflate, br": true, "br;q=1.0, GZIP;q=0.5": true, "*": true, "*;q=0.1": true, "x-gzip": true,
		"gzip;q=0": false, "*, gzip;q=0": false, "br": false, "gzip;q=none": false, ",": false, "deflate;gzip": false,
	} {
		got := do(t, "HEAD", server.URL+"/jobs?limit=100", "", "Accept-Encoding: "+accept)
		assert.Equal(t, packed, got.Header.Get("Content-Encoding") == "gzip", accept)
		assert.Equal(t, packed, got.ContentLength < plain.ContentLength/4, accept)
		assert.Equal(t, "Accept-Encoding", got.Header.Get("Vary"))
		assert.Equal(t, plain.Header.Get("ETag"), got.Header.Get("ETag"))
	}
	// The client of net/http asks for gzip by itself and unpacks it.
	got := do(t, "GET", server.URL+"/jobs?limit=100", "")
	assert.True(t, got.Uncompressed)
	assert.Equal(t, plain.body, got.body)
	assert.False(t, do(t, "GET", server.URL+"/jobs?limit=1", "").Uncompressed, "too short to be worth it")
}

func TestHead(t *testing.T) {
	store := openStore(t)
	jobs := fill(t, store, 30)
	server := newServer(t, store, nil)
	for _, at := range []string{"/jobs", "/jobs/" + string(jobs[0].ID), "/openapi.json"} {
		get := do(t, "GET", server.URL+at, "", "Accept-Encoding: identity")
		head := do(t, "HEAD", server.URL+at, "", "Accept-Encoding: identity")
		assert.Equal(t, http.StatusOK, head.StatusCode)
		assert.Empty(t, head.body)
		assert.Equal(t, int64(len(get.body)), head.ContentLength)
		assert.Equal(t, get.Header.Get("Link"), head.Header.Get("Link"))
		assert.Equal(t, get.Header.Get("ETag"), head.Header.Get("ETag"))
	}
}

func TestOptions(t *testing.T) {
	server := newServer(t, openStore(t), &httpapi.Options{Token: "secret"})
	for at, allow := range map[string]string{
		"/jobs":         "GET, HEAD, OPTIONS, POST",
		"/jobs/job_abc": "DELETE, GET, HEAD, OPTIONS, PATCH",
		"/openapi.json": "GET, HEAD, OPTIONS",
	} {
		got := do(t, "OPTIONS", server.URL+at, "")
		assert.Equal(t, http.StatusNoContent, got.StatusCode)
		assert.Equal(t, allow, got.Header.Get("Allow"))
	}
}
