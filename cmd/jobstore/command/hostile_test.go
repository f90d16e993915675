package command_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// serveAnswers starts a server that has text in all that it says.
func serveAnswers(t *testing.T, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		quoted, _ := json.Marshal(text)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/store/explain":
			_, _ = w.Write([]byte(`{"index":` + string(quoted) + `}`))
		case "/store/check":
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = w.Write([]byte(`{"problem":{"bucket":` + string(quoted) + `,"id":` + string(quoted) + `,"detail":` + string(quoted) + `}}` + "\n"))
			_, _ = w.Write([]byte(`{"outcome":{"problems":1,"error":{"kind":` + string(quoted) + `,"message":` + string(quoted) + `}}}` + "\n"))
		case "/store/stats":
			http.Error(w, text, http.StatusTeapot)
		case "/jobs/job_1":
			w.Header().Set("Location", "http://example.com/"+text)
			w.WriteHeader(http.StatusFound)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"kind":` + string(quoted) + `,"message":` + string(quoted) + `}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
