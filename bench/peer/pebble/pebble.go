// Package pebble keeps the library's keys in Pebble, an LSM tree: the same
// buckets as one-byte prefixes, the same records, the same branches merged by
// ID. It has no counters, so it looks for the branches and counts by walking.
package pebble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/index"
)

// cacheBytes is room for all blocks of a million jobs, as bbolt and SQLite have
// in the page cache of the system.
const cacheBytes = 2 << 30

// New returns Pebble as a peer.
func New() peer.Peer { return lsm{} }

type lsm struct{}

func (lsm) Name() string  { return "pebble" }
func (lsm) Files() string { return "pebble" }
func (lsm) MaxSize() int  { return 0 }

func (lsm) About() string {
	return "Pebble v2 with the library's keys and records, 2 GB block cache, bloom filters, Sync writes, compacted before it is read"
}

func (lsm) Open(dir string, mode peer.Mode) (peer.Store, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	options := &pebble.Options{
		Cache:              cache,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             quiet{},
		MemTableSize:       64 << 20,
		ReadOnly:           mode == peer.Reading,
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(filepath.Join(dir, "db"), options)
	if err != nil {
		return nil, err
	}
	sync := pebble.Sync
	if mode == peer.Loading {
		sync = pebble.NoSync
	}
	return &Store{db: db, sync: sync}, nil
}

// quiet keeps Pebble's own log out of the report.
type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(f string, a ...any) { log.New(io.Discard, "", 0).Printf(f, a...) }
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// A Store is an open Pebble.
type Store struct {
	db   *pebble.DB
	sync *pebble.WriteOptions
}

// prefixes stand before the keys of a bucket.
var prefixes = map[index.Name]byte{index.Jobs: 'j', index.Kind: 'k', index.Status: 's', index.Input: 'i'}

func appendKey(dst []byte, name index.Name, e *index.Entry) []byte {
	return e.AppendKey(append(dst, prefixes[name]), name)
}

func entryOf(j *jobstore.Job) index.Entry {
	return index.Entry{
		ID:   peer.Suffix(j.ID),
		Pair: index.Pair{Status: peer.StatusCode(j.Status), Kind: peer.KindCode(j.Kind)},
		Hash: index.HashInput(j.Input),
	}
}

// Import adds jobs in one batch.
func (s *Store) Import(_ context.Context, jobs []*jobstore.Job) error {
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	for _, j := range jobs {
		if err := set(batch, j); err != nil {
			return err
		}
	}
	return batch.Commit(s.sync)
}

func set(batch *pebble.Batch, j *jobstore.Job) error {
	value, err := peer.Encode(j)
	if err != nil {
		return err
	}
	e := entryOf(j)
	var key []byte
	for _, name := range index.Names {
		key = appendKey(key[:0], name, &e)
		if name != index.Jobs {
			value = nil
		}
		if err := batch.Set(key, value, nil); err != nil {
			return err
		}
	}
	return nil
}

// Create adds a job. Pebble commits those of many goroutines together.
func (s *Store) Create(ctx context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	job.CreatedAt = time.Now()
	job.UpdatedAt = job.CreatedAt
	return s.Import(ctx, []*jobstore.Job{job})
}

// SetStatus changes the status of a job. Nothing guards it against a change of
// the same job at the same time.
func (s *Store) SetStatus(_ context.Context, id jobstore.ID, status jobstore.Status) error {
	job, err := s.get(id, true)
	if err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	e := entryOf(&job)
	for _, name := range []index.Name{index.Status, index.Input} {
		if err := batch.Delete(appendKey(nil, name, &e), nil); err != nil {
			return err
		}
	}
	job.Status, job.UpdatedAt = status, time.Now()
	if err := set(batch, &job); err != nil {
		return err
	}
	return batch.Commit(s.sync)
}

func (s *Store) get(id jobstore.ID, withTasks bool) (job jobstore.Job, err error) {
	suffix := []byte(peer.Suffix(id))
	value, closer, err := s.db.Get(append([]byte{prefixes[index.Jobs]}, suffix...))
	if err != nil {
		return job, err
	}
	if withTasks {
		err = peer.DecodeWhole(&job, suffix, value)
	} else {
		err = peer.Decode(&job, suffix, value)
	}
	return job, errors.Join(err, closer.Close())
}

// Loaded compacts the store.
func (s *Store) Loaded() error {
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, true)
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }
