package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"

	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/report"
	"github.com/jobstore/jobstore/bench/target"
	"github.com/jobstore/jobstore/bench/workload"
)

// A bench is one run.
type bench struct {
	config
	folder  cache.Folder
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
	if len(b.targets) > 0 {
		return b.runTargets(ctx)
	}
	if err := b.runLists(ctx); err != nil {
		return err
	}
	return report.Table(os.Stdout, b.results)
}

// runTargets measures what the store has to reach.
func (b *bench) runTargets(ctx context.Context) error {
	r := target.Run{
		Folder: &b.folder, Size: b.size, Rounds: b.rounds, Pages: b.pages, Seed: b.seed, Progress: progress,
	}
	only := b.targets
	if slices.Contains(only, "all") {
		only = nil
	}
	targets, err := r.All(ctx, only)
	return errors.Join(target.Table(os.Stdout, targets), err)
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
	facts := b.folder.Facts(set)
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
