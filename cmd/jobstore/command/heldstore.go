package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// A heldStore is the store of a server that runs for months. It refuses to write
// when somebody has deleted, replaced or written its file: the open file would take
// the jobs and vanish with them. What was read into memory can still be read.
type heldStore struct {
	*jobstore.Store
	path string
	file *os.File // for looking at it

	mu       sync.Mutex
	writing  int       // calls that write
	length   int64     // of the file, when it was looked at last; it never gets shorter
	written  time.Time // when the file was written last, by its own account
	start    []byte    // of the file: the pages that every commit writes
	overtook error     // somebody else has written the file, and it stays so
}

// holdFile returns store, whose file is at path, as a heldStore.
func holdFile(store *jobstore.Store, path string) (*heldStore, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &heldStore{Store: store, path: path, file: file}
	if err := s.look(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// letGo ends what holdFile has begun. It does not close the store.
func (s *heldStore) letGo() { _ = s.file.Close() }

// look remembers how the file is while nobody writes.
func (s *heldStore) look() error {
	info, err := s.file.Stat()
	if err == nil {
		s.length, s.written = info.Size(), info.ModTime()
		s.start, err = s.readStart()
	}
	return err
}

// readStart reads the first two pages of the file. They hold the number of the last
// commit.
func (s *heldStore) readStart() ([]byte, error) {
	start := make([]byte, 2*os.Getpagesize())
	n, err := s.file.ReadAt(start, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return start[:n], err
}

// present returns an error when the file of the store is not as the store has left it
// at its path. It must be called with mu held.
func (s *heldStore) present() error {
	if s.overtook != nil {
		return s.overtook
	}
	held, err := s.file.Stat()
	var at os.FileInfo
	if err == nil {
		at, err = os.Stat(s.path)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: its file is gone: %w", httpapi.ErrUnavailable, err)
	case !os.SameFile(held, at):
		return fmt.Errorf("%w: its file %s was replaced by another", httpapi.ErrUnavailable, s.path)
	case held.Size() < s.length:
		s.overtook = fmt.Errorf("%w: its file %s was %d bytes long and is %d", httpapi.ErrUnavailable, s.path, s.length, held.Size())
		return s.overtook
	case s.writing > 0 || held.ModTime().Equal(s.written):
		return nil
	}
	// Somebody else has written to the file, or has only set its time.
	start, err := s.readStart()
	if err != nil || !bytes.Equal(start, s.start) {
		s.overtook = errors.Join(fmt.Errorf("%w: somebody else has written its file %s", httpapi.ErrUnavailable, s.path), err)
		return s.overtook
	}
	return s.look()
}

// write runs fn, which writes, if the file is as the store has left it.
func (s *heldStore) write(fn func() error) error {
	s.mu.Lock()
	err := s.present()
	if err == nil {
		s.writing++
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.writing--; s.writing == 0 {
			_ = s.look() // if it fails, present will say so
		}
	}()
	return fn()
}

// check returns an error when the store cannot be read, or its file is not there.
func (s *heldStore) check(ctx context.Context) error {
	s.mu.Lock()
	err := s.present()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = s.Get(ctx, "job_0") // which is not there, but the way to it is read
	if errors.Is(err, jobstore.ErrNotFound) {
		err = nil
	}
	return err
}

// Create is jobstore.Store.Create.
func (s *heldStore) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	return s.write(func() error { return s.Store.Create(ctx, jobs...) })
}

// CreateOnce is jobstore.Store.CreateOnce.
func (s *heldStore) CreateOnce(ctx context.Context, key string, job *jobstore.Job) (created bool, err error) {
	err = s.write(func() error {
		created, err = s.Store.CreateOnce(ctx, key, job)
		return err
	})
	return created, err
}

// Update is jobstore.Store.Update.
func (s *heldStore) Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (job jobstore.Job, err error) {
	err = s.write(func() error {
		job, err = s.Store.Update(ctx, id, fn)
		return err
	})
	return job, err
}

// Delete is jobstore.Store.Delete.
func (s *heldStore) Delete(ctx context.Context, ids ...jobstore.ID) (deleted int, err error) {
	err = s.write(func() error {
		deleted, err = s.Store.Delete(ctx, ids...)
		return err
	})
	return deleted, err
}

// Put is jobstore.Store.Put.
func (s *heldStore) Put(ctx context.Context, jobs ...*jobstore.Job) error {
	return s.write(func() error { return s.Store.Put(ctx, jobs...) })
}

// Prune is jobstore.Store.Prune.
func (s *heldStore) Prune(ctx context.Context, options jobstore.PruneOptions) (deleted int64, err error) {
	err = s.write(func() error {
		deleted, err = s.Store.Prune(ctx, options)
		return err
	})
	return deleted, err
}
