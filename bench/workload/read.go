package workload

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
)

// An Opened is a peer with a store of some set.
type Opened struct {
	Peer  peer.Peer
	Store peer.Store
}

// queries is how many different pages a workload goes through before it comes
// to the first one again, and checked how many of them are compared between
// the peers.
const (
	queries = 1 << 13
	checked = 64
)

// Run measures the pages of l for all peers, each by a single reader. Before
// that it compares the peers' answers, which is also what warms them up.
func (l List) Run(ctx context.Context, set dataset.Set, facts *dataset.Facts, peers []Opened, schedule harness.Schedule, progress func()) (*Result, error) {
	result := &Result{Workload: l.Name, About: l.About, Set: set.Name, Size: set.Size}
	pages := l.Queries(facts, queries, schedule.Seed)
	var names []string
	var subjects []harness.Subject
	examined := map[string]float64{}
	var want [][]jobstore.Job
	for _, p := range peers {
		names = append(names, p.Peer.Name())
		reader, err := p.Store.Reader()
		if err != nil {
			return nil, err
		}
		defer func() { _ = reader.Close() }()
		answers, err := answer(ctx, reader, pages[:checked])
		if errors.Is(err, peer.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", l.Name, p.Peer.Name(), err)
		}
		if peer.Answers(p.Peer) {
			if want == nil {
				want = answers
			}
			for i := range answers {
				if err := differ(answers[i], want[i]); err != nil {
					return nil, fmt.Errorf("%s, %s answers %+v with %w", l.Name, p.Peer.Name(), pages[i], err)
				}
			}
		}
		if e, ok := reader.(peer.Explainer); ok {
			if examined[p.Peer.Name()], err = meanExamined(ctx, e, pages[:checked]); err != nil {
				return nil, err
			}
		}
		subjects = append(subjects, harness.Subject{Name: p.Peer.Name(), Workers: []func(int) error{
			func(op int) error {
				_, err := reader.List(ctx, pages[op%len(pages)])
				return err
			},
		}})
	}
	series, err := harness.Interleave(schedule, subjects, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name, err)
	}
	byName := map[string]harness.Series{}
	for _, s := range series {
		byName[s.Name] = s
	}
	result.Peers = summarize(names, byName)
	for i := range result.Peers {
		result.Peers[i].Examined = examined[result.Peers[i].Name]
	}
	return result, nil
}

func answer(ctx context.Context, r peer.Reader, pages []jobstore.Query) ([][]jobstore.Job, error) {
	answers := make([][]jobstore.Job, len(pages))
	for i, q := range pages {
		var err error
		if answers[i], err = r.List(ctx, q); err != nil {
			return nil, err
		}
	}
	return answers, nil
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
