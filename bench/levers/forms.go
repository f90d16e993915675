package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/rawbolt"
	"github.com/jobstore/jobstore/bench/peer/sqlite"
)

// forms creates jobs one by one in stores of the same jobs: SQLite, the library, and
// bbolt by hand in all the ways that it can be set up.
func forms(ctx context.Context, dir string, size int, s harness.Schedule) (series []harness.Series, err error) {
	peers := []peer.Peer{sqlite.New(sqlite.Mattn, sqlite.Composites), embedded.New(), rawbolt.New(rawbolt.Plain)}
	for _, freelist := range []bbolt.FreelistType{bbolt.FreelistArrayType, bbolt.FreelistMapType} {
		for _, noSync := range []bool{false, true} {
			f := rawbolt.Tuned
			f.Freelist, f.NoFreelistSync = freelist, noSync
			f.Name = fmt.Sprintf("bbolt, %s of free pages, written with each commit", freelist)
			if noSync {
				f.Name = fmt.Sprintf("bbolt, %s of free pages, not written", freelist)
			}
			peers = append(peers, rawbolt.New(f))
		}
	}
	for _, kib := range []int{8, 16, 32} {
		f := rawbolt.Tuned
		f.PageSize = kib << 10
		f.Name = fmt.Sprintf("bbolt, array not written, pages of %d KiB", kib)
		peers = append(peers, rawbolt.New(f))
	}

	jobs := slices.Collect(dataset.Set{Name: dataset.Realistic, Size: 1000, Seed: s.Seed + 1}.Jobs())
	var subjects []harness.Subject
	for i, p := range peers {
		store, err := filled(ctx, filepath.Join(dir, fmt.Sprint(i)), p, dataset.Set{Name: dataset.Realistic, Size: size, Seed: s.Seed})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name(), err)
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		create := store.(peer.Creator).Create
		subjects = append(subjects, harness.Subject{Name: p.Name(), Workers: []func(int) error{func(op int) error {
			job := *jobs[op%len(jobs)]
			job.ID = ""
			return create(ctx, &job)
		}}})
	}
	return harness.Interleave(s, subjects, func() {})
}

// filled returns p's store of set, new in dir, open for durable writes.
func filled(ctx context.Context, dir string, p peer.Peer, set dataset.Set) (peer.Store, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	store, err := p.Open(dir, peer.Loading)
	if err != nil {
		return nil, err
	}
	for batch := range set.Batches(10_000) {
		if err := errors.Join(ctx.Err(), store.Import(ctx, batch)); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	if l, ok := store.(peer.Loader); ok {
		if err := l.Loaded(); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return p.Open(dir, peer.Durable)
}
