package httpapi_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// The API is mounted under a prefix, and asked over HTTP.
func ExampleNew() {
	folder, err := os.MkdirTemp("", "httpapi-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	store, err := jobstore.Open(filepath.Join(folder, "jobs.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	mux := http.NewServeMux()
	mux.Handle("/media/v1/", http.StripPrefix("/media/v1", httpapi.New(store, &httpapi.Options{Token: "secret"})))
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, token := range []string{"secret", "guessed"} {
		req, err := http.NewRequest("POST", server.URL+"/media/v1/jobs", strings.NewReader(`{"kind":"video","input":"https://example.com/video.mp4"}`))
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 201 Created
	// 401 Unauthorized
}
