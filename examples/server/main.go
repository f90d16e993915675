// Command server is an application that has the jobs API under a prefix of its
// own mux, beside its other pages and behind its own middleware.
//
//	go run ./examples/server &
//	curl 'http://127.0.0.1:8080/media/v1/jobs?limit=10' -H 'Authorization: Bearer secret'
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		err = run(ctx, l, "jobs.db", "secret")
	}
	stop()
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}

// run serves the application on l until ctx ends, and finishes what it has taken.
func run(ctx context.Context, l net.Listener, path, token string) (err error) {
	store, err := jobstore.Open(path, nil)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	const webPage = "https://app.example.com"
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(webPage); err != nil {
		return errors.Join(err, l.Close())
	}
	api := httpapi.New(store, &httpapi.Options{Token: token, Logger: slog.Default(), CrossOrigin: origins})
	mux := http.NewServeMux()
	mux.Handle("/media/v1/", http.StripPrefix("/media/v1", allowOrigin(webPage, api)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		n, err := store.Count(r.Context(), jobstore.Query{Status: jobstore.StatusQueued | jobstore.StatusProcessing})
		if err != nil {
			http.Error(w, "no count", http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintf(w, "%d jobs to do\n", n)
	})
	return httpapi.Serve(ctx, l, mux, slog.Default())
}

// allowOrigin is a middleware that lets the pages of one site read the answers of
// the API. That they may change something is up to Options.CrossOrigin.
func allowOrigin(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key")
			h.Set("Access-Control-Expose-Headers", "Link, Has-More, Limit, ETag")
		}
		next.ServeHTTP(w, r)
	})
}
