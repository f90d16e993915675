// Package harness times peers side by side. A round lets every one of them do
// the same operations, in an order drawn anew each time, so that what disturbs
// the machine disturbs all of them; ratios are taken within a round, and the
// median of the rounds counts.
package harness

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

// A Subject is one peer at one workload.
type Subject struct {
	Name string
	// Ops, when set, stands in for the Schedule's: a subject that is too slow
	// does fewer.
	Ops int
	// Workers each do a share of the operations at the same time. Worker w of n
	// is given the operations w, w+n, w+2n and so on.
	Workers []func(op int) error
	// Beside, when set, runs for as long as the workers do and is told to end by
	// its context.
	Beside func(ctx context.Context) error
}

// A Schedule says how much is measured.
type Schedule struct {
	Rounds int
	Ops    int    // operations a round, of all workers together
	Seed   uint64 // of the order of the subjects
	// Prepare, when set, is called before each round.
	Prepare func(round int) error
}

// A Series is what was measured of one subject.
type Series struct {
	Name   string
	Rounds []Round
}

// A Round is one turn of a subject.
type Round struct {
	Samples []time.Duration // one an operation
	Wall    time.Duration   // from the first operation's start to the last one's end
	Allocs  float64         // Go heap allocations an operation
	Bytes   float64         // Go heap bytes an operation
}

// Interleave measures subjects by the schedule and calls progress after each
// turn. Operation numbers go on from round to round.
func Interleave(s Schedule, subjects []Subject, progress func()) ([]Series, error) {
	series := make([]Series, len(subjects))
	for i, subject := range subjects {
		series[i].Name = subject.Name
	}
	rng := rand.New(rand.NewPCG(s.Seed, 0x6a6f6273))
	for round := range s.Rounds {
		if s.Prepare != nil {
			if err := s.Prepare(round); err != nil {
				return nil, err
			}
		}
		for _, i := range rng.Perm(len(subjects)) {
			ops := cmp.Or(subjects[i].Ops, s.Ops)
			turn, err := takeTurn(&subjects[i], round*ops, ops)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].Name, err)
			}
			series[i].Rounds = append(series[i].Rounds, turn)
			progress()
		}
	}
	return series, nil
}

func takeTurn(s *Subject, first, ops int) (Round, error) {
	turn := Round{Samples: make([]time.Duration, ops)}
	stop := s.startBeside()
	// Nobody pays for the garbage of the one before.
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	var failed error
	pprof.Do(context.Background(), pprof.Labels("peer", s.Name), func(context.Context) {
		start := time.Now()
		if len(s.Workers) == 1 {
			failed = work(s.Workers[0], turn.Samples, first, 0, 1)
		} else {
			failed = workTogether(s.Workers, turn.Samples, first)
		}
		turn.Wall = time.Since(start)
	})
	runtime.ReadMemStats(&after)
	turn.Allocs = float64(after.Mallocs-before.Mallocs) / float64(ops)
	turn.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(ops)
	if err := stop(); failed == nil {
		failed = err
	}
	return turn, failed
}

func workTogether(workers []func(int) error, samples []time.Duration, first int) error {
	errs := make([]error, len(workers))
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { errs[w] = work(workers[w], samples, first, w, len(workers)) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func work(do func(op int) error, samples []time.Duration, first, from, step int) error {
	for i := from; i < len(samples); i += step {
		start := time.Now()
		if err := do(first + i); err != nil {
			return err
		}
		samples[i] = time.Since(start)
	}
	return nil
}

// startBeside runs s.Beside until the function that it returns is called.
func (s *Subject) startBeside() (stop func() error) {
	if s.Beside == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	outcome := make(chan error, 1)
	go func() { outcome <- s.Beside(ctx) }()
	return func() error {
		cancel()
		return <-outcome
	}
}
