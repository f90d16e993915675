package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/report"
	"github.com/jobstore/jobstore/bench/workload"
)

// A bench is one run.
type bench struct {
	config
	folder  cache.Folder
	facts   map[dataset.Set]*dataset.Facts
	results []*workload.Result
}

func run(ctx context.Context, args []string) (err error) {
	config, err := parseFlags(args)
	if err != nil {
		return err
	}
	b := &bench{
		config: config,
		folder: cache.Folder{Path: config.data, Rebuild: config.rebuild, Progress: progress},
		facts:  map[dataset.Set]*dataset.Facts{},
	}
	if config.profile != "" {
		file, err := os.Create(config.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, file.Close())
		}()
	}
	if err := b.runLists(ctx); err != nil {
		return err
	}
	return report.Table(os.Stdout, b.results)
}

// runLists measures the pages.
func (b *bench) runLists(ctx context.Context) error {
	for _, name := range []string{dataset.Realistic, dataset.Adversarial} {
		var lists []workload.List
		for _, l := range b.lists() {
			if l.Set == name {
				lists = append(lists, l)
			}
		}
		if len(lists) == 0 {
			continue
		}
		set := dataset.Set{Name: name, Size: b.size, Seed: b.seed}
		if err := b.runListsOf(ctx, set, lists); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) runListsOf(ctx context.Context, set dataset.Set, lists []workload.List) (err error) {
	peers, closeAll, err := b.open(ctx, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	facts, err := b.factsOf(set)
	if err != nil {
		return err
	}
	schedule := harness.Schedule{Rounds: b.rounds, Ops: b.pages, Seed: b.seed}
	for _, l := range lists {
		step, done := progress(fmt.Sprintf("%s of %s", l.Name, set), len(peers)*b.rounds)
		result, err := l.Run(ctx, set, facts, peers, schedule, func() { step(1) })
		done()
		if err != nil {
			return err
		}
		b.results = append(b.results, result)
	}
	return nil
}
