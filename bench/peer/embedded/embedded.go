// Package embedded is the library under test, as a peer of the others.
package embedded

import (
	"context"
	"iter"
	"path/filepath"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// FileName is the name of the store's file in the peer's folder.
const FileName = "jobs.db"

// New returns the library as a peer.
func New() peer.Peer { return library{} }

type library struct{}

func (library) Name() string  { return "jobstore" }
func (library) About() string { return "this library, default options" }
func (library) Files() string { return "jobstore" }
func (library) MaxSize() int  { return 0 }

func (library) Open(dir string, mode peer.Mode) (peer.Store, error) {
	s, err := jobstore.Open(filepath.Join(dir, FileName), &jobstore.Options{NoSync: mode == peer.Loading})
	if err != nil {
		return nil, err
	}
	return &store{s}, nil
}

type store struct{ *jobstore.Store }

func (s *store) Import(ctx context.Context, jobs []*jobstore.Job) error { return s.Put(ctx, jobs...) }

func (s *store) Create(ctx context.Context, job *jobstore.Job) error {
	return s.Store.Create(ctx, job)
}

func (s *store) SetStatus(ctx context.Context, id jobstore.ID, status jobstore.Status) error {
	_, err := s.Update(ctx, id, func(j *jobstore.Job) error {
		j.Status = status
		return nil
	})
	return err
}

func (s *store) Reader() (peer.Reader, error) { return reader{s.Store}, nil }

type reader struct{ store *jobstore.Store }

func (r reader) List(ctx context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	page, err := r.store.List(ctx, q)
	return page.Jobs, err
}

func (r reader) Count(ctx context.Context, q jobstore.Query) (int64, error) {
	return r.store.Count(ctx, q)
}

func (r reader) Get(ctx context.Context, id jobstore.ID) (jobstore.Job, error) {
	return r.store.Get(ctx, id)
}

func (r reader) Examined(ctx context.Context, q jobstore.Query) (int, error) {
	plan, err := r.store.Explain(ctx, q)
	return plan.Examined, err
}

func (r reader) Walk(ctx context.Context) iter.Seq2[jobstore.Job, error] {
	return r.store.All(ctx, jobstore.Query{})
}

// Name is that of the peer.
func (reader) Name() string { return library{}.Name() }

func (reader) Close() error { return nil }
