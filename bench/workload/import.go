package workload

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// Import measures filling new stores with durable batches of 1,000 jobs, and
// weighs the files that come of it.
func (e *Env) Import(ctx context.Context) (results []*Result, err error) {
	const (
		batch   = 1000
		batches = 10 // a round
	)
	set := e.Set(dataset.Realistic)
	set.Size = max(e.Size/(batch*batches), 1) * batch * batches
	stores := &stores{}
	defer func() { err = errors.Join(err, stores.close()) }()
	dirs := map[string]string{}
	var names []string
	var subjects []harness.Subject
	var jobs [][]*jobstore.Job // of the round
	for _, p := range e.writers() {
		dir, err := os.MkdirTemp(e.Folder.Path, "import-"+p.Name()+"-")
		if err != nil {
			return nil, err
		}
		stores.removes = append(stores.removes, func() { _ = os.RemoveAll(dir) })
		if err := stores.add(p, dir, peer.Durable); err != nil {
			return nil, err
		}
		store := stores.all[len(stores.all)-1].store
		dirs[p.Name()] = dir
		names = append(names, p.Name())
		subjects = append(subjects, harness.Subject{Name: p.Name(), Workers: []func(int) error{func(op int) error {
			return store.Import(ctx, jobs[op%len(jobs)])
		}}})
	}
	next, stop := iter.Pull(set.Batches(batch))
	defer stop()
	schedule := harness.Schedule{Rounds: set.Size / (batch * batches), Ops: batches, Seed: e.Seed}
	schedule.Prepare = func(int) error {
		jobs = nil
		for range batches {
			b, _ := next()
			jobs = append(jobs, slices.Clone(b))
		}
		return nil
	}
	series, err := e.interleave("import of "+set.String(), schedule, subjects)
	if err != nil {
		return nil, err
	}
	disk := &Result{Workload: "disk", About: "bytes a job after that import", Unit: "bytes", Set: set.Name, Size: set.Size}
	for _, o := range stores.all {
		if err := o.store.Close(); err != nil {
			return nil, err
		}
	}
	stores.all = nil
	for _, name := range names {
		bytes, err := cache.Size(dirs[name])
		if err != nil {
			return nil, err
		}
		disk.addFigure(name, float64(bytes)/float64(set.Size))
	}
	return []*Result{{
		Workload: "import", About: "1,000 jobs, durable, into a store that grows", Set: set.Name, Size: set.Size,
		Peers: summarize(names, series),
	}, disk}, nil
}
