package target

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// opening measures Open of a store that was closed cleanly after a write.
func (r *Run) opening(ctx context.Context) ([]Target, error) {
	dir, remove, err := r.Folder.Copy(ctx, r.realistic(), us)
	if err != nil {
		return nil, err
	}
	defer remove()
	add, done := r.Progress("open", r.Rounds)
	defer done()
	var times []float64
	for range r.Rounds {
		start := time.Now()
		store, err := us.Open(dir, peer.Durable)
		if err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(start))/float64(time.Millisecond))
		job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/opened.mp4"}
		err = store.(peer.Creator).Create(ctx, job)
		if err := errors.Join(err, store.Close()); err != nil {
			return nil, err
		}
		add(1)
	}
	return []Target{{
		Name: "open after a clean close", Measured: harness.Median(times), Bound: 10, Unit: "ms",
		Detail: fmt.Sprintf("slowest of %d: %.2f ms", len(times), slices.Max(times)),
	}}, nil
}

// heap measures what a store that is open and idle holds, after a read and a
// write.
func (r *Run) heap(ctx context.Context) ([]Target, error) {
	dir, remove, err := r.Folder.Copy(ctx, r.realistic(), us)
	if err != nil {
		return nil, err
	}
	defer remove()
	before := heapInUse()
	store, err := us.Open(dir, peer.Durable)
	if err != nil {
		return nil, err
	}
	reader, err := store.Reader()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	_, err = reader.List(ctx, jobstore.Query{})
	job := &jobstore.Job{Kind: jobstore.KindVideo, Input: "https://example.com/idle.mp4"}
	err = errors.Join(err, store.(peer.Creator).Create(ctx, job))
	held := float64(heapInUse()) - float64(before)
	runtime.KeepAlive(store)
	if err := errors.Join(err, reader.Close(), store.Close()); err != nil {
		return nil, err
	}
	return []Target{{Name: "heap of an open idle store", Measured: max(0, held) / (1 << 20), Bound: 32, Unit: "MB"}}, nil
}

func heapInUse() uint64 {
	// Twice, as what finalizers free is gone only after the second.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
