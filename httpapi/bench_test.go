package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// BenchmarkPage reads a page of 20 jobs over loopback, and as its floor the same
// number of bytes from a handler that has nothing to do.
func BenchmarkPage(b *testing.B) {
	store := openStore(b)
	var jobs []*jobstore.Job
	for job := range dataset.Realistic(1, 20_000) {
		jobs = append(jobs, job)
	}
	require.NoError(b, store.Put(b.Context(), jobs...))
	api := httpapi.New(store, nil)
	page := do(b, "GET", newServer(b, store, nil).URL+"/jobs", "", "Accept-Encoding: identity")
	body := []byte(page.body)
	floor := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	for _, c := range []struct {
		name         string
		handler      http.Handler
		target       string
		header, says string
	}{
		{"floor", floor, "/jobs", "", ""},
		{"list", api, "/jobs", "", ""},
		{"filtered", api, "/jobs?kind=video&status=failed", "", ""},
		{"gzip", api, "/jobs", "Accept-Encoding", "gzip"},
		{"unchanged", api, "/jobs", "If-None-Match", "*"},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			transport := &http.Transport{DisableCompression: true}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequest("GET", server.URL+c.target, nil)
			require.NoError(b, err)
			if c.header != "" {
				r.Header.Set(c.header, c.says)
			}
			b.ReportAllocs()
			for b.Loop() {
				resp, err := transport.RoundTrip(r)
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(b, err)
				_ = resp.Body.Close()
			}
		})
	}
}

// BenchmarkHandler is the handler alone, without a connection.
func BenchmarkHandler(b *testing.B) {
	store := openStore(b)
	var jobs []*jobstore.Job
	for job := range dataset.Realistic(1, 20_000) {
		jobs = append(jobs, job)
	}
	require.NoError(b, store.Put(b.Context(), jobs...))
	for name, accept := range map[string]string{"plain": "", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			h := httpapi.New(store, nil)
			r := httptest.NewRequest("GET", "/jobs", nil)
			r.Header.Set("Accept-Encoding", accept)
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
			}
		})
	}
}
