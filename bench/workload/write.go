package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// Goroutines are how many create jobs at the same time.
var Goroutines = []int{1, 2, 4, 8, 16, 32, 64}

// Creates measures durable creates of single jobs from 1 to 64 goroutines, by
// the peers of the run and those of extra, which only write.
func (e *Env) Creates(ctx context.Context, extra []peer.Peer) (results []*Result, err error) {
	set := e.Set(dataset.Realistic)
	stores, err := e.openCopies(ctx, set, append(e.writers(), extra...))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	const perRound = 192
	jobs := slices.Collect(dataset.Set{Name: dataset.Realistic, Size: perRound, Seed: e.Seed + 1}.Jobs())
	for _, goroutines := range Goroutines {
		schedule := e.fewer()
		schedule.Ops = perRound
		var names []string
		var subjects []harness.Subject
		for _, o := range stores.all {
			names = append(names, o.Name())
			creator, ok := o.store.(peer.Creator)
			if !ok {
				continue
			}
			s := harness.Subject{Name: o.Name()}
			for range goroutines {
				s.Workers = append(s.Workers, func(op int) error {
					job := *jobs[op%len(jobs)]
					job.ID = ""
					return creator.Create(ctx, &job)
				})
			}
			subjects = append(subjects, s)
		}
		series, err := e.interleave(fmt.Sprintf("create from %d goroutines", goroutines), schedule, subjects)
		if err != nil {
			return results, err
		}
		results = append(results, &Result{
			Workload: "create", About: "one job, durable", Set: set.Name, Size: set.Size,
			Goroutines: goroutines, Peers: summarize(names, series),
		})
	}
	return results, nil
}

// writers returns the peers of the run that write, each file once.
func (e *Env) writers() (writers []peer.Peer) {
	for _, p := range e.holding(e.Size) {
		if peer.Answers(p) && p.Name() != Floor {
			writers = append(writers, p)
		}
	}
	return writers
}

// Update measures a durable change of one job's status.
func (e *Env) Update(ctx context.Context) (result *Result, err error) {
	set := e.Set(dataset.Realistic)
	stores, err := e.openCopies(ctx, set, e.writers())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	positions := e.Folder.Facts(set).Positions
	schedule := e.fewer()
	schedule.Ops = 100
	var names []string
	var subjects []harness.Subject
	for _, o := range stores.all {
		names = append(names, o.Name())
		updater, ok := o.store.(peer.Updater)
		if !ok {
			continue
		}
		subjects = append(subjects, harness.Subject{Name: o.Name(), Workers: []func(int) error{func(op int) error {
			// Another job each time, and a status that most of them do not have.
			status := jobstore.StatusQueued << (op % 2)
			return updater.SetStatus(ctx, positions[op*7919%len(positions)], status)
		}}})
	}
	series, err := e.interleave("update of "+set.String(), schedule, subjects)
	if err != nil {
		return nil, err
	}
	return &Result{
		Workload: "update", About: "one job's status, durable", Set: set.Name, Size: set.Size, Peers: summarize(names, series),
	}, nil
}
