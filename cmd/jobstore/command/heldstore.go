package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// A heldStore is the store of a server that runs for months. It refuses to write
// when somebody has deleted or replaced its file: the open file would take the jobs
// and vanish with them. What was read into memory can still be read.
type heldStore struct {
	*jobstore.Store
	path string
	file os.FileInfo
	size atomic.Int64 // the longest that the file was; it never gets shorter
}

func holdFile(store *jobstore.Store, path string) (*heldStore, error) {
	file, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	s := &heldStore{Store: store, path: path, file: file}
	s.size.Store(file.Size())
	return s, nil
}

// present returns an error when the file of the store is not at its path any more.
func (s *heldStore) present() error {
	file, err := os.Stat(s.path)
	switch {
	case err != nil:
		return fmt.Errorf("%w: its file is gone: %w", httpapi.ErrUnavailable, err)
	case !os.SameFile(file, s.file):
		return fmt.Errorf("%w: its file %s was replaced by another", httpapi.ErrUnavailable, s.path)
	}
	size, longest := file.Size(), s.size.Load()
	if size < longest {
		return fmt.Errorf("%w: its file %s was %d bytes long and is %d", httpapi.ErrUnavailable, s.path, longest, size)
	}
	s.size.CompareAndSwap(longest, size)
	return nil
}

// check returns an error when the store cannot be read, or its file is not there.
func (s *heldStore) check(ctx context.Context) error {
	if err := s.present(); err != nil {
		return err
	}
	_, err := s.Get(ctx, "job_0") // which is not there, but the way to it is read
	if errors.Is(err, jobstore.ErrNotFound) {
		err = nil
	}
	return err
}

// Create is jobstore.Store.Create.
func (s *heldStore) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	if err := s.present(); err != nil {
		return err
	}
	return s.Store.Create(ctx, jobs...)
}

// CreateOnce is jobstore.Store.CreateOnce.
func (s *heldStore) CreateOnce(ctx context.Context, key string, job *jobstore.Job) (created bool, err error) {
	if err := s.present(); err != nil {
		return false, err
	}
	return s.Store.CreateOnce(ctx, key, job)
}

// Update is jobstore.Store.Update.
func (s *heldStore) Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (jobstore.Job, error) {
	if err := s.present(); err != nil {
		return jobstore.Job{}, err
	}
	return s.Store.Update(ctx, id, fn)
}

// Delete is jobstore.Store.Delete.
func (s *heldStore) Delete(ctx context.Context, ids ...jobstore.ID) (deleted int, err error) {
	if err := s.present(); err != nil {
		return 0, err
	}
	return s.Store.Delete(ctx, ids...)
}

// Put is jobstore.Store.Put.
func (s *heldStore) Put(ctx context.Context, jobs ...*jobstore.Job) error {
	if err := s.present(); err != nil {
		return err
	}
	return s.Store.Put(ctx, jobs...)
}

// Prune is jobstore.Store.Prune.
func (s *heldStore) Prune(ctx context.Context, options jobstore.PruneOptions) (deleted int64, err error) {
	if err := s.present(); err != nil {
		return 0, err
	}
	return s.Store.Prune(ctx, options)
}
