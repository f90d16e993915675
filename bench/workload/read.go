package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// queries is how many different pages a workload goes through before it comes
// to the first one again. The first checked of them are compared between the
// peers, or as many as a slow one does in checkTime. Then all are read once, or
// as many as a slow peer does in Env.Warm: what is measured is a store that has
// been open for a while.
const (
	queries   = 1 << 13
	checked   = 64
	checkTime = 2 * time.Second
)

// Lists measures the pages of lists, each by a single reader.
func (e *Env) Lists(ctx context.Context, lists []List) ([]*Result, error) {
	var results []*Result
	for _, l := range lists {
		result, err := e.atBothSizes(ctx, e.Set(l.Set), func(ctx context.Context, set dataset.Set, peers []peer.Peer) (*Result, error) {
			return e.page(ctx, l, set, peers)
		})
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// Page measures the pages of l, in a set of its own size, for e.Peers.
func (e *Env) Page(ctx context.Context, l List, size int) (*Result, error) {
	set := e.Set(l.Set)
	set.Size = size
	return e.page(ctx, l, set, e.holding(size))
}

// page measures the pages of l for peers, once their answers were compared.
func (e *Env) page(ctx context.Context, l List, set dataset.Set, peers []peer.Peer) (result *Result, err error) {
	stores, err := e.open(ctx, set, peers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	pages := l.Queries(e.Folder.Facts(set), queries, e.Seed)
	var names []string
	var subjects []harness.Subject
	examined := map[string]float64{}
	var check checker
	for _, o := range stores.all {
		names = append(names, o.Name())
		reader, each, err := check.reader(ctx, o, pages)
		if errors.Is(err, peer.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		defer func() { _ = reader.Close() }()
		if explainer, ok := reader.(peer.Explainer); ok {
			if examined[o.Name()], err = meanExamined(ctx, explainer, pages[:checked]); err != nil {
				return nil, err
			}
		}
		do := lister(ctx, reader, pages)
		if err := e.warm(do, each); err != nil {
			return nil, err
		}
		subjects = append(subjects, harness.Subject{Name: o.Name(), Ops: ops(e.Pages, each), Workers: []func(int) error{do}})
	}
	series, err := e.interleave(fmt.Sprintf("%s of %s", l.Name, set), e.schedule(), subjects)
	if err != nil {
		return nil, err
	}
	result = &Result{Workload: l.Name, About: l.About, Set: set.Name, Size: set.Size, Peers: summarize(names, series)}
	for i := range result.Peers {
		result.Peers[i].Examined = examined[result.Peers[i].Name]
	}
	return result, nil
}

func lister(ctx context.Context, reader peer.Reader, pages []jobstore.Query) func(int) error {
	return func(op int) error {
		_, err := reader.List(ctx, pages[op%len(pages)])
		return err
	}
}

// warm does the operations that will be timed, which take about each, once before,
// for at most e.Warm.
func (e *Env) warm(do func(int) error, each time.Duration) error {
	start := time.Now()
	n := min(queries, e.Rounds*ops(e.Pages, each))
	for op := 0; op < n && time.Since(start) < e.Warm; op++ {
		if err := do(op); err != nil {
			return err
		}
	}
	return nil
}

// A checker compares the answers of peers with those of the first.
type checker struct{ want [][]jobstore.Job }

// reader returns a reader of o whose answers to the first of pages are right,
// and how long each took it. It fails with ErrUnsupported when o has none.
func (c *checker) reader(ctx context.Context, o opened, pages []jobstore.Query) (peer.Reader, time.Duration, error) {
	reader, err := o.store.Reader()
	if err != nil {
		return nil, 0, err
	}
	each, err := c.check(ctx, o, reader, pages)
	if err != nil {
		_ = reader.Close()
		return nil, 0, fmt.Errorf("%s: %w", o.Name(), err)
	}
	return reader, each, nil
}

func (c *checker) check(ctx context.Context, o opened, reader peer.Reader, pages []jobstore.Query) (each time.Duration, err error) {
	start := time.Now()
	done := 0
	for ; done < checked && (done < minOps || time.Since(start) < checkTime); done++ {
		jobs, err := reader.List(ctx, pages[done])
		if err != nil {
			return 0, err
		}
		if !peer.Answers(o.Peer) {
			continue
		}
		if done == len(c.want) {
			c.want = append(c.want, jobs)
		}
		if err := differ(jobs, c.want[done]); err != nil {
			return 0, fmt.Errorf("answers %+v with %w", pages[done], err)
		}
	}
	return time.Since(start) / time.Duration(done), nil
}

func meanExamined(ctx context.Context, e peer.Explainer, pages []jobstore.Query) (float64, error) {
	sum := 0
	for _, q := range pages {
		n, err := e.Examined(ctx, q)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return float64(sum) / float64(len(pages)), nil
}
