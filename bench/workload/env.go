package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// An Env is what workloads run on.
type Env struct {
	Folder   *cache.Folder
	Peers    []peer.Peer
	Size     int // jobs in a store
	Rounds   int
	Pages    int // operations a round, of what takes microseconds
	Seed     uint64
	Warm     time.Duration // for how long a reader reads before it is timed, at most
	Progress func(title string, total int) (add func(int), done func())
}

// WarmTime is a good Env.Warm: enough for all queries of a peer that takes
// microseconds. What is read for the first time since a store was opened takes a page
// fault, and in the library a check of the page.
const WarmTime = 2 * time.Second

// A turn of a slow peer is cut down to about turnTime, but not below minOps
// operations.
const (
	turnTime = 200 * time.Millisecond
	minOps   = 3
)

// ops returns how many of at most n operations, which take about each, a turn
// has.
func ops(n int, each time.Duration) int {
	return min(n, max(minOps, int(turnTime/max(each, 1))))
}

// Set returns the dataset of this name, in the size of the run.
func (e *Env) Set(name string) dataset.Set {
	return dataset.Set{Name: name, Size: e.Size, Seed: e.Seed}
}

func (e *Env) schedule() harness.Schedule {
	return harness.Schedule{Rounds: e.Rounds, Ops: e.Pages, Seed: e.Seed}
}

// fewer returns the schedule of workloads of which there are many, or which take
// long.
func (e *Env) fewer() harness.Schedule {
	s := e.schedule()
	s.Rounds = max(3, e.Rounds/3)
	return s
}

// interleave is harness.Interleave with a progress bar, and the series by name.
func (e *Env) interleave(title string, s harness.Schedule, subjects []harness.Subject) (map[string]harness.Series, error) {
	add, done := e.Progress(title, s.Rounds*len(subjects))
	defer done()
	series, err := harness.Interleave(s, subjects, func() { add(1) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	byName := map[string]harness.Series{}
	for _, s := range series {
		byName[s.Name] = s
	}
	return byName, nil
}

// An opened is a peer with a store of some set.
type opened struct {
	peer.Peer
	store peer.Store
}

// A stores is a number of opened peers.
type stores struct {
	all     []opened
	removes []func()
}

func (s *stores) close() error {
	var errs []error
	for _, o := range s.all {
		errs = append(errs, o.store.Close())
	}
	for _, remove := range s.removes {
		remove()
	}
	return errors.Join(errs...)
}

// open opens the stores of set for reading.
func (e *Env) open(ctx context.Context, set dataset.Set, peers []peer.Peer) (*stores, error) {
	s := &stores{}
	for _, p := range peers {
		dir, err := e.Folder.Dir(ctx, set, p)
		if err == nil {
			err = cache.Load(dir)
		}
		if err == nil {
			err = s.add(p, dir, peer.Reading)
		}
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// openCopies opens copies of the stores of set for durable writes.
func (e *Env) openCopies(ctx context.Context, set dataset.Set, peers []peer.Peer) (*stores, error) {
	s := &stores{}
	for _, p := range peers {
		_, done := e.Progress("copy "+p.Name(), -1)
		dir, remove, err := e.Folder.Copy(ctx, set, p)
		done()
		if err == nil {
			s.removes = append(s.removes, remove)
			err = s.add(p, dir, peer.Durable)
		}
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *stores) add(p peer.Peer, dir string, mode peer.Mode) error {
	store, err := p.Open(dir, mode)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.Name(), err)
	}
	s.all = append(s.all, opened{p, store})
	return nil
}

// holding returns the peers that hold so many jobs.
func (e *Env) holding(size int) (holding []peer.Peer) {
	for _, p := range e.Peers {
		if p.MaxSize() == 0 || p.MaxSize() >= size {
			holding = append(holding, p)
		}
	}
	return holding
}

// small returns the peers that hold fewer than e.Size jobs, and how many they
// hold. They are measured beside the library at that size.
func (e *Env) small() (small []peer.Peer, size int) {
	for _, p := range e.Peers {
		if p.MaxSize() > 0 && p.MaxSize() < e.Size {
			small = append(small, p)
			size = p.MaxSize()
		}
	}
	if len(small) > 0 {
		for _, p := range e.Peers {
			if p.Name() == Us {
				small = append(small, p)
			}
		}
	}
	return small, size
}

// A measure runs one workload for some peers of a set.
type measure func(ctx context.Context, set dataset.Set, peers []peer.Peer) (*Result, error)

// atBothSizes runs m for the large peers, and for the small ones at their size,
// whose figures it adds.
func (e *Env) atBothSizes(ctx context.Context, set dataset.Set, m measure) (*Result, error) {
	result, err := m(ctx, set, e.holding(e.Size))
	if err != nil {
		return nil, err
	}
	small, size := e.small()
	if len(small) == 0 {
		return result, nil
	}
	set.Size = size
	atSmall, err := m(ctx, set, small)
	if err != nil {
		return nil, err
	}
	for _, p := range atSmall.Peers {
		if p.Name != Us {
			p.Size = size
			result.Peers = append(result.Peers, p)
		}
	}
	return result, nil
}
