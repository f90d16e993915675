// Package damage damages store files on purpose, and tells the right answers
// of a damaged store from the wrong ones. The damage tests of the root package
// and the longer ones of the module faults share it.
//
// It knows the pages of bbolt, and of the store its public methods alone: the
// layout of the buckets may change without a change here.
package damage

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// The states that a sample's file comes in.
const (
	Clean   = "clean"   // as Close leaves it
	Crash   = "crash"   // as a killed process leaves it: without a list of free pages
	Reindex = "reindex" // closed, with a Reindex that was cut short
)

// States lists the states.
var States = []string{Clean, Crash, Reindex}

// A Sample is a store's file in several states, with what is in it.
type Sample struct {
	Files []*File
	Jobs  []jobstore.Job // as Get returns them, sorted by ID
	Keys  []Key
}

// A File is a sound file in one state.
type File struct {
	State string
	Data  []byte
	Older [][]byte // the file at earlier times
	Pages []Page   // in use

	fields    Fields
	metaBytes []Field
	used      int   // pages in use
	inner     []int // the places of pages that hold others together
}

// A Key is an idempotency key that made a job.
type Key struct {
	Key   string
	Draft jobstore.Job // what was asked for
	ID    jobstore.ID  // of the job
	Old   bool         // it has expired by the time of Now
}

// Now is the time at which samples are examined: later than all that is in them.
var Now = dataset.Start.Add(120 * 24 * time.Hour)

// clock returns a clock that starts at t and goes on by a millisecond a look.
func clock(t time.Time) func() time.Time {
	return func() time.Time {
		t = t.Add(time.Millisecond)
		return t
	}
}

// Build makes a sample of about n jobs in dir, the same jobs for the same seed;
// bbolt may put them on other pages. Jobs are put in batches, and between them some
// are updated and deleted, so that the file has free pages and pages with a past.
// Some jobs are larger than a page. Long IDs and idempotency keys make the trees
// deep: three levels for 400 jobs.
func Build(dir string, seed uint64, n int) (*Sample, error) {
	const batches = 24
	path := filepath.Join(dir, "sample.db")
	now := clock(Now.Add(-36 * time.Hour)) // of keys that will have expired
	options := &jobstore.Options{NoSync: true, Now: func() time.Time { return now() }}
	store, err := jobstore.Open(path, options)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(path) }()
	b := builder{store: store, rng: rand.New(rand.NewPCG(seed, 1)), sample: &Sample{}}
	jobs := slices.Collect(dataset.Realistic(seed, n))
	var older [][]byte
	for i, batch := range slices.Collect(slices.Chunk(jobs, max(1, n/batches))) {
		if i == 2 {
			now = clock(Now.Add(-time.Hour))
		}
		if err := b.put(batch); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		if i%4 == 3 {
			file, err := os.ReadFile(path)
			if err != nil {
				return nil, errors.Join(err, store.Close())
			}
			older = append(older, file)
		}
	}
	if err := b.read(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	crashed, err := os.ReadFile(path)
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	closed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cut, err := cutReindex(path, options)
	if err != nil {
		return nil, err
	}
	s := b.sample
	s.Files = []*File{
		{State: Clean, Data: closed, Older: older},
		{State: Crash, Data: crashed, Older: older},
		{State: Reindex, Data: cut, Older: append(older[:len(older):len(older)], closed)},
	}
	for _, f := range s.Files {
		f.look()
	}
	return s, nil
}

// cutReindex starts a Reindex, cuts it short if there are jobs enough, and
// returns the file as it is after Close.
func cutReindex(path string, options *jobstore.Options) ([]byte, error) {
	store, err := jobstore.Open(path, options)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	_, err = store.Reindex(ctx, jobstore.ReindexOptions{Progress: func(string, int64, int64) { stop() }})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// look finds the pages in use and what is in them.
func (f *File) look() {
	f.Pages = Walk(f.Data)
	f.fields = fieldsOf(f.Data, f.Pages)
	f.metaBytes = metaBytes(f.Data)
	for i := range f.Pages {
		f.used += f.Pages[i].Span
		if f.Pages[i].Type != "leaf" || strings.Count(f.Pages[i].Path, "/") < 2 {
			f.inner = append(f.inner, i)
		}
	}
}

// File returns the sample's file in a state.
func (s *Sample) File(state string) *File {
	return s.Files[slices.IndexFunc(s.Files, func(f *File) bool { return f.State == state })]
}

// Save writes s to a file, for Load: what a trial does to a sample depends on
// which pages bbolt has put it on.
func (s *Sample) Save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(f).Encode(s), f.Close())
}

// Load reads what Save has written.
func Load(path string) (*Sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Sample{}
	if err := errors.Join(gob.NewDecoder(f).Decode(s), f.Close()); err != nil {
		return nil, fmt.Errorf("sample %s: %w", path, err)
	}
	for _, file := range s.Files {
		file.Pages = nil
		file.look()
	}
	return s, nil
}

type builder struct {
	store  *jobstore.Store
	rng    *rand.Rand
	ids    []jobstore.ID
	sample *Sample
}

var ctx = context.Background()

// put adds a batch, and some jobs with idempotency keys, then changes and deletes
// a few of the jobs so far.
func (b *builder) put(batch []*jobstore.Job) error {
	for i, j := range batch {
		if i%2 == 0 {
			j.ID += "_" + jobstore.ID(strings.Repeat("x", 36))
		}
		switch b.rng.IntN(20) {
		case 0: // more than a page
			j.Tasks = fmt.Appendf(nil, `[{"id":"task_1","log":%q}]`, strings.Repeat("frame ", 300+b.rng.IntN(1500)))
		case 1, 2, 3:
			j.Tasks = []byte(`[{"id":"task_1","progress":100}]`)
		}
		b.ids = append(b.ids, j.ID)
	}
	if err := b.store.Put(ctx, batch...); err != nil {
		return err
	}
	for range len(batch) / 2 {
		if err := b.once(one(b.rng, batch)); err != nil {
			return err
		}
	}
	for range max(1, len(batch)/10) {
		status := one(b.rng, jobstore.Status.Statuses(^jobstore.Status(0)))
		_, err := b.store.Update(ctx, one(b.rng, b.ids), func(j *jobstore.Job) error {
			j.Status = status
			return nil
		})
		if err != nil && !errors.Is(err, jobstore.ErrNotFound) {
			return err
		}
	}
	for range len(batch) / 12 {
		if _, err := b.store.Delete(ctx, one(b.rng, b.ids)); err != nil {
			return err
		}
	}
	return nil
}

// once makes a job with an idempotency key. Two of three have a long key.
func (b *builder) once(like *jobstore.Job) error {
	n := len(b.sample.Keys)
	key := fmt.Sprintf("%08x-request-%d", b.rng.Uint32(), n)
	if n%3 > 0 {
		key += strings.Repeat("-", 150+b.rng.IntN(60))
	}
	draft := jobstore.Job{Kind: like.Kind, Input: like.Input, Options: like.Options, Metadata: like.Metadata}
	job := draft
	if _, err := b.store.CreateOnce(ctx, key, &job); err != nil {
		return err
	}
	b.ids = append(b.ids, job.ID)
	old := job.CreatedAt.Before(Now.Add(-jobstore.DefaultOnceFor))
	b.sample.Keys = append(b.sample.Keys, Key{Key: key, Draft: draft, ID: job.ID, Old: old})
	return nil
}

// read takes the jobs that are there by now for the truth.
func (b *builder) read() error {
	for job, err := range b.store.All(ctx, jobstore.Query{Order: jobstore.Asc}) {
		if err == nil {
			job, err = b.store.Get(ctx, job.ID)
		}
		if err != nil {
			return err
		}
		b.sample.Jobs = append(b.sample.Jobs, job)
	}
	return nil
}
