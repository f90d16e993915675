package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
	"github.com/jobstore/jobstore/httpapi"
)

// A server is one of those that are measured.
type server struct {
	name string
	*httptest.Server
	stores []io.Closer
}

func (s *server) close() {
	s.Close()
	for _, store := range s.stores {
		_ = store.Close()
	}
}

// start starts the servers: the floor, the library, then SQLite.
func start(ctx context.Context, folder *cache.Folder, set dataset.Set, clients int) (servers []*server, err error) {
	dir, err := folder.Dir(ctx, set, embedded.New())
	if err != nil {
		return nil, err
	}
	store, err := jobstore.Open(filepath.Join(dir, embedded.FileName), nil)
	if err != nil {
		return nil, err
	}
	library := &server{"jobstore", httptest.NewServer(httpapi.New(store, nil)), []io.Closer{store}}
	body, _, err := library.get("/jobs")
	if err != nil {
		return []*server{library}, err
	}
	servers = []*server{{name: "floor", Server: httptest.NewServer(sends(body))}, library}
	for _, p := range []peer.Peer{sqlite.New(sqlite.Mattn, sqlite.Composites), sqlite.New(sqlite.Modernc, sqlite.Composites)} {
		s, err := startPeer(ctx, folder, set, p, clients)
		if err != nil {
			return servers, fmt.Errorf("%s: %w", p.Name(), err)
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// sends is the floor: a handler that has the body of a page ready.
func sends(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}

func startPeer(ctx context.Context, folder *cache.Folder, set dataset.Set, p peer.Peer, clients int) (*server, error) {
	dir, err := folder.Dir(ctx, set, p)
	if err != nil {
		return nil, err
	}
	store, err := p.Open(dir, peer.Reading)
	if err != nil {
		return nil, err
	}
	a := adapter{readers: make(chan peer.Reader, clients)}
	s := &server{name: p.Name()}
	for range clients {
		reader, err := store.Reader()
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		a.readers <- reader
		s.stores = append(s.stores, reader)
	}
	s.stores = append(s.stores, store)
	s.Server = httptest.NewServer(httpapi.New(a, nil))
	return s, nil
}

// An adapter puts a peer under the library's handler, for lists alone. A reader is
// for one request at a time.
type adapter struct{ readers chan peer.Reader }

func (a adapter) List(ctx context.Context, q jobstore.Query) (jobstore.Page, error) {
	reader := <-a.readers
	defer func() { a.readers <- reader }()
	limit := cmp.Or(q.Limit, jobstore.DefaultLimit)
	q.Limit = limit + 1 // one more tells whether there is more
	jobs, err := reader.List(ctx, q)
	if err != nil || len(jobs) <= limit {
		return jobstore.Page{Jobs: jobs}, err
	}
	if q.Before != "" && q.After == "" {
		return jobstore.Page{Jobs: jobs[1:], HasMore: true}, nil
	}
	return jobstore.Page{Jobs: jobs[:limit], HasMore: true}, nil
}

func (adapter) Get(context.Context, jobstore.ID) (jobstore.Job, error) {
	return jobstore.Job{}, peer.ErrUnsupported
}

func (adapter) Create(context.Context, ...*jobstore.Job) error { return peer.ErrUnsupported }

func (adapter) CreateOnce(context.Context, string, *jobstore.Job) (bool, error) {
	return false, peer.ErrUnsupported
}

func (adapter) Update(context.Context, jobstore.ID, func(*jobstore.Job) error) (jobstore.Job, error) {
	return jobstore.Job{}, peer.ErrUnsupported
}

func (adapter) Delete(context.Context, ...jobstore.ID) (int, error) { return 0, peer.ErrUnsupported }

// get returns the body of target and what its header says of more.
func (s *server) get(target string) (body []byte, more string, err error) {
	resp, err := s.Client().Get(s.URL + target)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, resp.Header.Get("Has-More"), err
}

// compareAnswers checks that all servers but the floor answer the same.
func compareAnswers(servers []*server, queries []jobstore.Query) error {
	for _, q := range queries[:min(len(queries), 50)] {
		want, wantMore, err := servers[1].get(target(q))
		if err != nil {
			return err
		}
		for _, s := range servers[2:] {
			got, more, err := s.get(target(q))
			if err != nil {
				return err
			}
			if !bytes.Equal(got, want) || more != wantMore {
				return fmt.Errorf("%s answers %s differently", s.name, target(q))
			}
		}
	}
	return nil
}

func target(q jobstore.Query) string { return "/jobs?" + q.Values().Encode() }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// progress says what is being built.
func progress(title string, _ int) (add func(int), done func()) {
	_, _ = fmt.Fprintln(os.Stderr, title)
	return func(int) {}, func() {}
}
