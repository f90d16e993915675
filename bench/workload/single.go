package workload

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// one measures a workload of one operation at a time. Prepare returns the
// operation of a reader, or ErrUnsupported.
func (e *Env) one(ctx context.Context, name, about string, schedule harness.Schedule, prepare func(*dataset.Facts, peer.Reader) (func(op int) error, error)) (*Result, error) {
	return e.atBothSizes(ctx, e.Set(dataset.Realistic), func(ctx context.Context, set dataset.Set, peers []peer.Peer) (result *Result, err error) {
		stores, err := e.open(ctx, set, peers)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stores.close()) }()
		var names []string
		var subjects []harness.Subject
		for _, o := range stores.all {
			names = append(names, o.Name())
			reader, err := o.store.Reader()
			if err != nil {
				return nil, err
			}
			defer func() { _ = reader.Close() }()
			do, err := prepare(e.Folder.Facts(set), reader)
			if errors.Is(err, peer.ErrUnsupported) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, o.Name(), err)
			}
			start := time.Now()
			if err := do(0); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, o.Name(), err)
			}
			each := time.Since(start)
			if each < e.Warm {
				if err := e.warm(do, each); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", name, o.Name(), err)
				}
			}
			subjects = append(subjects, harness.Subject{
				Name: o.Name(), Ops: ops(schedule.Ops, each), Workers: []func(int) error{do},
			})
		}
		series, err := e.interleave(fmt.Sprintf("%s of %s", name, set), schedule, subjects)
		if err != nil {
			return nil, err
		}
		return &Result{Workload: name, About: about, Set: set.Name, Size: set.Size, Peers: summarize(names, series)}, nil
	})
}

// Count measures counting the jobs of a kind and status. The counts of all peers
// must be the same.
func (e *Env) Count(ctx context.Context) (*Result, error) {
	q := jobstore.Query{Kind: jobstore.KindVideo, Status: jobstore.StatusSucceeded}
	want := map[*dataset.Facts]int64{}
	return e.one(ctx, "count", "video and succeeded: 54% of the jobs", e.schedule(), func(facts *dataset.Facts, r peer.Reader) (func(int) error, error) {
		counter, ok := r.(peer.Counter)
		if !ok {
			return nil, peer.ErrUnsupported
		}
		n, err := counter.Count(ctx, q)
		if err != nil {
			return nil, err
		}
		if first, ok := want[facts]; ok && n != first {
			return nil, fmt.Errorf("count is %d, that of the first peer %d", n, first)
		}
		want[facts] = n
		return func(int) error { _, err := counter.Count(ctx, q); return err }, nil
	})
}

// Get measures reading one job by its ID, any of the set.
func (e *Env) Get(ctx context.Context) (*Result, error) {
	return e.one(ctx, "get", "one job by its ID", e.schedule(), func(facts *dataset.Facts, r peer.Reader) (func(int) error, error) {
		getter, ok := r.(peer.Getter)
		if !ok {
			return nil, peer.ErrUnsupported
		}
		return func(op int) error {
			// A prime apart, so that neighbours do not follow each other.
			id := facts.Positions[op*7919%len(facts.Positions)]
			job, err := getter.Get(ctx, id)
			if err == nil && job.ID != id {
				err = fmt.Errorf("got %s for %s", job.ID, id)
			}
			return err
		}, nil
	})
}

// Walk measures reading every job, newest first: each peer in the way that is
// best for it, in one go or page by page.
func (e *Env) Walk(ctx context.Context) (*Result, error) {
	schedule := e.fewer()
	schedule.Ops = 1
	return e.one(ctx, "walk", "every job, newest first", schedule, func(facts *dataset.Facts, r peer.Reader) (func(int) error, error) {
		walk := func() iter.Seq2[jobstore.Job, error] { return pages(ctx, r) }
		if walker, ok := r.(peer.Walker); ok {
			walk = func() iter.Seq2[jobstore.Job, error] { return walker.Walk(ctx) }
		}
		if _, err := r.List(ctx, jobstore.Query{}); err != nil {
			return nil, err
		}
		return func(int) error {
			var last jobstore.ID
			n := 0
			for job, err := range walk() {
				if err != nil {
					return err
				}
				if n++; n > 1 && job.ID >= last {
					return fmt.Errorf("%s follows %s", job.ID, last)
				}
				last = job.ID
			}
			if n < len(facts.Positions) {
				return fmt.Errorf("walked %d jobs", n)
			}
			return nil
		}, nil
	})
}

// pages reads everything page by page.
func pages(ctx context.Context, r peer.Reader) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		q := jobstore.Query{Limit: jobstore.MaxLimit}
		for {
			jobs, err := r.List(ctx, q)
			if err != nil {
				yield(jobstore.Job{}, err)
				return
			}
			for _, job := range jobs {
				if !yield(job, nil) {
					return
				}
			}
			if len(jobs) < q.Limit {
				return
			}
			q.After = jobs[len(jobs)-1].ID
		}
	}
}
