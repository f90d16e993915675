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

// Depth measures pages at several depths, for those who page by OFFSET too.
func (e *Env) Depth(ctx context.Context) (results []*Result, err error) {
	set := e.Set(dataset.Realistic)
	stores, err := e.open(ctx, set, e.holding(e.Size))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	facts := e.Folder.Facts(set)
	for _, percent := range []int{0, 1, 3, 10, 30, 60, 99} {
		skipped := set.Size * percent / 100
		at := len(facts.Positions) - 1 - len(facts.Positions)*percent/100
		q := jobstore.Query{After: facts.Positions[at]}
		var names []string
		var subjects []harness.Subject
		add := func(name string, do func(int) error) error {
			start := time.Now()
			err := do(0)
			if errors.Is(err, peer.ErrUnsupported) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("depth: %s: %w", name, err)
			}
			names = append(names, name)
			subjects = append(subjects, harness.Subject{
				Name: name, Ops: ops(e.Pages, time.Since(start)), Workers: []func(int) error{do},
			})
			return nil
		}
		for _, o := range stores.all {
			reader, err := o.store.Reader()
			if err != nil {
				return nil, err
			}
			defer func() { _ = reader.Close() }()
			if err := add(o.Name(), lister(ctx, reader, []jobstore.Query{q})); err != nil {
				return nil, err
			}
			if offsetter, ok := reader.(peer.Offsetter); ok {
				do := func(int) error { _, err := offsetter.Offset(ctx, skipped); return err }
				if err := add(o.Name()+OffsetSuffix, do); err != nil {
					return nil, err
				}
			}
		}
		series, err := e.interleave(fmt.Sprintf("depth %d%% of %s", percent, set), e.fewer(), subjects)
		if err != nil {
			return nil, err
		}
		results = append(results, &Result{
			Workload: "depth", About: fmt.Sprintf("20 jobs at %d%% of the depth", percent), Set: set.Name, Size: set.Size,
			Percent: percent, Peers: summarize(names, series),
		})
	}
	return results, nil
}

// OffsetSuffix follows the name of a peer that pages by OFFSET.
const OffsetSuffix = " OFFSET"
