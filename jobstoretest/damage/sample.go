// Package damage damages store files on purpose, and tells the right answers
// of a damaged store from the wrong ones. The damage tests of the root package
// and the longer ones of the module faults share it.
package damage

import (
	"context"
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

// A Sample is a store's file in two states, with the jobs that are in it.
type Sample struct {
	Clean []byte         // as Close leaves it
	Crash []byte         // as a crash leaves it: without a list of free pages
	Older [][]byte       // the file at earlier times
	Jobs  []jobstore.Job // as Get returns them, sorted by ID
}

// Build makes a sample of about n jobs in dir, the same jobs for the same seed;
// bbolt may put them on other pages. Jobs are put in batches, and between them some
// are updated and deleted, so that the file has free pages and pages with a past.
func Build(dir string, seed uint64, n int) (*Sample, error) {
	const batches = 40
	path := filepath.Join(dir, "sample.db")
	store, err := jobstore.Open(path, &jobstore.Options{NoSync: true, Now: func() time.Time { return dataset.Start }})
	if err != nil {
		return nil, err
	}
	b := builder{store: store, rng: rand.New(rand.NewPCG(seed, 1))}
	jobs := slices.Collect(dataset.Realistic(seed, n))
	s := &Sample{}
	for i, batch := range slices.Collect(slices.Chunk(jobs, max(1, n/batches))) {
		if err := b.put(batch); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		if i%8 == 7 {
			file, err := os.ReadFile(path)
			if err != nil {
				return nil, errors.Join(err, store.Close())
			}
			s.Older = append(s.Older, file)
		}
	}
	for job, err := range store.All(context.Background(), jobstore.Query{Order: jobstore.Asc}) {
		if err == nil {
			job, err = store.Get(context.Background(), job.ID)
		}
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		s.Jobs = append(s.Jobs, job)
	}
	if s.Crash, err = os.ReadFile(path); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	s.Clean, err = os.ReadFile(path)
	return s, err
}

type builder struct {
	store *jobstore.Store
	rng   *rand.Rand
	ids   []jobstore.ID
}

// put adds a batch, then changes and deletes a few of the jobs so far.
func (b *builder) put(batch []*jobstore.Job) error {
	ctx := context.Background()
	for _, j := range batch {
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
	for range len(batch) / 20 {
		if _, err := b.store.Delete(ctx, one(b.rng, b.ids)); err != nil {
			return err
		}
	}
	return nil
}

func one[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
