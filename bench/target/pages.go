package target

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/workload"
)

// pages holds every kind of page against the floor with decode.
func (r *Run) pages(ctx context.Context) ([]Target, error) {
	var targets []Target
	var allocs Target
	for _, l := range workload.Lists {
		set := dataset.Set{Name: l.Set, Size: r.Size, Seed: r.Seed}
		result, err := r.page(ctx, l, set)
		if err != nil {
			return nil, err
		}
		mine, _ := result.Of(workload.Us)
		if mine.Allocs > allocs.Measured {
			allocs = Target{Name: "most allocations a page", Measured: mine.Allocs, Unit: "allocs",
				Detail: "page " + l.Name + ", cursors of its branches included; the bound of 45 is without them"}
		}
		theirs, ok := result.Of(workload.Floor)
		if !ok {
			continue
		}
		bound := 1.25
		if l.Name == "hot input" {
			bound = 2
		}
		targets = append(targets, Target{
			Name: "page " + l.Name, Measured: mine.VsFloor, Bound: bound, Unit: "× floor",
			Detail: fmt.Sprintf("%v against %v, %.0f allocs against %.0f", mine.Median, theirs.Median, mine.Allocs, theirs.Allocs),
		})
	}
	memory, err := r.memory(ctx)
	return append(append(targets, allocs), memory...), err
}

func (r *Run) page(ctx context.Context, l workload.List, set dataset.Set) (*workload.Result, error) {
	env := workload.Env{
		Folder: r.Folder, Peers: []peer.Peer{bytesFloor, theFloor, us},
		Size: set.Size, Rounds: r.Rounds, Pages: r.Pages, Seed: r.Seed, Warm: workload.WarmTime, Progress: r.Progress,
	}
	return env.Page(ctx, l, set.Size)
}

// memory measures the bytes that pages of different sizes allocate.
func (r *Run) memory(ctx context.Context) ([]Target, error) {
	set := r.realistic()
	reader, closeReader, err := r.reader(ctx, set, us)
	if err != nil {
		return nil, err
	}
	facts := r.Folder.Facts(set)
	var subjects []harness.Subject
	limits := []int{1, 20, 100}
	for _, limit := range limits {
		subjects = append(subjects, list(ctx, reader, fmt.Sprint(limit), func(op int) jobstore.Query {
			return jobstore.Query{Limit: limit, After: facts.Positions[op*7919%len(facts.Positions)]}
		}))
	}
	series, err := r.interleave("bytes a page", r.schedule(), subjects)
	if err := errors.Join(err, closeReader()); err != nil {
		return nil, err
	}
	var targets []Target
	for i, s := range series {
		targets = append(targets, Target{
			Name: fmt.Sprintf("heap of a page of %d", limits[i]), Measured: s.Summary().Bytes / 1024, Unit: "KB",
			Detail: fmt.Sprintf("%.2f KB a job", s.Summary().Bytes/1024/float64(limits[i])),
		})
	}
	return targets, nil
}

func list(ctx context.Context, reader peer.Reader, name string, query func(op int) jobstore.Query) harness.Subject {
	return harness.Subject{Name: name, Workers: []func(int) error{func(op int) error {
		_, err := reader.List(ctx, query(op))
		return err
	}}}
}

// flat holds the pages of the large store against those of a small one. Where
// the small one has not enough jobs to fill the pages as the large one does,
// there is no bound.
func (r *Run) flat(ctx context.Context) ([]Target, error) {
	var targets []Target
	for _, l := range workload.Lists {
		t, err := r.flatOf(ctx, l)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

func (r *Run) flatOf(ctx context.Context, l workload.List) (Target, error) {
	var subjects []harness.Subject
	var jobs [2]float64 // a page, mean
	for i, size := range []int{small, r.Size} {
		set := dataset.Set{Name: l.Set, Size: size, Seed: r.Seed}
		reader, closeReader, err := r.reader(ctx, set, us)
		if err != nil {
			return Target{}, err
		}
		defer func() { _ = closeReader() }()
		queries := l.Queries(r.Folder.Facts(set), r.Pages, r.Seed)
		for _, q := range queries {
			page, err := reader.List(ctx, q)
			if err != nil {
				return Target{}, err
			}
			jobs[i] += float64(len(page)) / float64(len(queries))
		}
		subjects = append(subjects, list(ctx, reader, fmt.Sprint(size), func(op int) jobstore.Query {
			return queries[op%len(queries)]
		}))
	}
	series, err := r.interleave("flat "+l.Name, r.schedule(), subjects)
	if err != nil {
		return Target{}, err
	}
	t := Target{
		Name: fmt.Sprintf("%s, %d against %d jobs", l.Name, r.Size, small), Measured: series[1].Ratio(series[0]),
		Bound: 2, Unit: "×",
		Detail: fmt.Sprintf("%v against %v", series[1].Summary().Median, series[0].Summary().Median),
	}
	const alike = 0.9
	if jobs[0] < alike*jobs[1] {
		t.Bound = 0
		t.Detail += fmt.Sprintf("; pages of %.1f against %.1f jobs", jobs[1], jobs[0])
	}
	return t, nil
}

// adversarial holds the page of the adversarial pair against that of its
// harmless twin.
func (r *Run) adversarial(ctx context.Context) ([]Target, error) {
	set := dataset.Set{Name: dataset.Adversarial, Size: r.Size, Seed: r.Seed}
	reader, closeReader, err := r.reader(ctx, set, us)
	if err != nil {
		return nil, err
	}
	var subjects []harness.Subject
	for _, name := range []string{workload.Trap, workload.Twin} {
		l, _ := workload.ListNamed(name)
		q := l.Queries(r.Folder.Facts(set), 1, r.Seed)[0]
		subjects = append(subjects, list(ctx, reader, name, func(int) jobstore.Query { return q }))
	}
	series, err := r.interleave("adversarial pair", r.schedule(), subjects)
	if err := errors.Join(err, closeReader()); err != nil {
		return nil, err
	}
	return []Target{{
		Name: "adversarial pair against its twin", Measured: series[0].Ratio(series[1]), Bound: 2, Unit: "×",
		Detail: fmt.Sprintf("%v against %v", series[0].Summary().Median, series[1].Summary().Median),
	}}, nil
}

// count holds Count by kind and status against counting the keys of the ideal
// index.
func (r *Run) count(ctx context.Context) (targets []Target, err error) {
	set := r.realistic()
	var readers []peer.Counter
	for _, p := range []peer.Peer{us, theFloor} {
		reader, closeReader, err := r.reader(ctx, set, p)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, closeReader()) }()
		readers = append(readers, reader.(peer.Counter))
	}
	q := jobstore.Query{Kind: jobstore.KindVideo, Status: jobstore.StatusSucceeded}
	var counts [2]int64
	for i, reader := range readers {
		if counts[i], err = reader.Count(ctx, q); err != nil {
			return nil, err
		}
	}
	if counts[0] != counts[1] {
		return nil, fmt.Errorf("count is %d, but there are %d keys", counts[0], counts[1])
	}
	var subjects []harness.Subject
	for i, reader := range readers {
		subjects = append(subjects, harness.Subject{Name: fmt.Sprint(i), Ops: []int{r.Pages, 3}[i], Workers: []func(int) error{
			func(int) error { _, err := reader.Count(ctx, q); return err },
		}})
	}
	series, err := r.interleave("count", r.schedule(), subjects)
	if err != nil {
		return nil, err
	}
	return []Target{{
		Name: "count by kind and status against counting its keys", Measured: 100 * series[0].Ratio(series[1]), Bound: 1, Unit: "%",
		Detail: fmt.Sprintf("%v against %v for %d keys", series[0].Summary().Median, series[1].Summary().Median, counts[0]),
	}}, nil
}
