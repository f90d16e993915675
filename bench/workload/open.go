package workload

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// Open measures opening a store and reading its first page, and what Go heap the
// store then holds.
func (e *Env) Open(ctx context.Context) (results []*Result, err error) {
	set := e.Set(dataset.Realistic)
	open := map[string]harness.Series{}
	heap := &Result{
		Workload: "heap", About: "Go heap that an open store holds, idle after its first page; memory outside of it is not seen",
		Unit: "bytes", Set: set.Name, Size: set.Size,
	}
	var names []string
	peers := e.holding(e.Size)
	add, done := e.Progress("open "+set.String(), len(peers))
	defer done()
	for _, p := range peers {
		if !peer.Answers(p) {
			continue
		}
		names = append(names, p.Name())
		dir, err := e.Folder.Dir(ctx, set, p)
		if err != nil {
			return nil, err
		}
		series := harness.Series{Name: p.Name()}
		var held float64
		for range e.Rounds {
			before := heapInUse()
			start := time.Now()
			if err := openOnce(ctx, p, dir, func() {
				series.Rounds = append(series.Rounds, harness.Round{Samples: []time.Duration{time.Since(start)}, Wall: time.Since(start)})
				held = float64(heapInUse()) - float64(before)
			}); err != nil {
				return nil, fmt.Errorf("open: %s: %w", p.Name(), err)
			}
		}
		open[p.Name()] = series
		heap.addFigure(p.Name(), max(0, held))
		add(1)
	}
	return []*Result{{
		Workload: "open", About: "open a store and read its first page", Set: set.Name, Size: set.Size, Peers: summarize(names, open),
	}, heap}, nil
}

// openOnce opens p's store in dir, reads its first page and calls opened.
func openOnce(ctx context.Context, p peer.Peer, dir string, opened func()) (err error) {
	store, err := p.Open(dir, peer.Reading)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	reader, err := store.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if _, err := reader.List(ctx, jobstore.Query{}); err != nil {
		return err
	}
	opened()
	return nil
}

func heapInUse() uint64 {
	// Twice, as what finalizers free is gone only after the second.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
