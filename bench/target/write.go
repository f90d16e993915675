package target

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/rawbolt"
)

// create holds durable creates from 64 goroutines against those from one, and
// one goroutine against an Update of bbolt that puts the same keys.
func (r *Run) create(ctx context.Context) ([]Target, error) {
	const (
		goroutines = 64
		creates    = 256 // a round
	)
	type form struct {
		peer       peer.Peer
		goroutines int
	}
	forms := []form{{us, 1}, {us, goroutines}, {rawbolt.New(rawbolt.Plain), 1}, {rawbolt.New(rawbolt.Tuned), 1}}
	var subjects []harness.Subject
	var closers []func() error
	defer func() {
		for _, c := range closers {
			_ = c()
		}
	}()
	for _, f := range forms {
		dir, remove, err := r.Folder.Copy(ctx, r.realistic(), f.peer)
		if err != nil {
			return nil, err
		}
		store, err := f.peer.Open(dir, peer.Durable)
		if err != nil {
			remove()
			return nil, err
		}
		closers = append(closers, func() error { err := store.Close(); remove(); return err })
		s := harness.Subject{Name: f.peer.Name()}
		jobs := slices.Collect(dataset.Set{Name: dataset.Realistic, Size: creates, Seed: r.Seed + 1}.Jobs())
		for range f.goroutines {
			s.Workers = append(s.Workers, func(op int) error {
				job := *jobs[op%len(jobs)]
				job.ID = ""
				return store.(peer.Creator).Create(ctx, &job)
			})
		}
		subjects = append(subjects, s)
	}
	series, err := r.interleave("durable creates", harness.Schedule{Rounds: r.Rounds, Ops: creates, Seed: r.Seed}, subjects)
	if err != nil {
		return nil, err
	}
	one, many, plain, tuned := series[0].Summary(), series[1].Summary(), series[2].Summary(), series[3].Summary()
	return []Target{
		{
			Name: "creates from 64 goroutines against one", Measured: 1 / series[1].WallRatio(series[0]), Bound: 6, AtLeast: true, Unit: "×",
			Detail: fmt.Sprintf("%.0f against %.0f a second", many.PerSecond, one.PerSecond),
		},
		{
			Name: "create against a plain bbolt Update", Measured: series[0].Ratio(series[2]), Bound: 1.05, Unit: "×",
			Detail: fmt.Sprintf("%v against %v; 5%% are left for noise", one.Median, plain.Median),
		},
		{
			Name: "create against a bbolt Update with our options", Measured: series[0].Ratio(series[3]), Unit: "×",
			Detail: fmt.Sprintf("%v against %v", one.Median, tuned.Median),
		},
	}, nil
}

// bulk holds the import of r.Size jobs in durable batches of 1,000 against bbolt
// putting the same keys and bytes, and weighs the file.
func (r *Run) bulk(ctx context.Context) ([]Target, error) {
	const (
		batch   = 1000
		batches = 20 // a round
	)
	if r.Size < batch*batches {
		return nil, fmt.Errorf("size must be at least %d", batch*batches)
	}
	im := &imports{folder: r.Folder.Path}
	defer im.remove()
	for _, p := range []peer.Peer{us, rawbolt.New(rawbolt.Plain), rawbolt.New(rawbolt.Tuned)} {
		if err := im.open(ctx, p); err != nil {
			return nil, err
		}
	}
	next, stop := iter.Pull(r.realistic().Batches(batch))
	defer stop()
	schedule := harness.Schedule{Rounds: r.Size / (batch * batches), Ops: batches, Seed: r.Seed}
	schedule.Prepare = func(int) error {
		var jobs [][]*jobstore.Job
		for range batches {
			b, _ := next()
			jobs = append(jobs, slices.Clone(b))
		}
		return im.prepare(jobs)
	}
	series, err := r.interleave("bulk import", schedule, im.subjects)
	if err != nil {
		return nil, err
	}
	perJob := func(s harness.Series) float64 { return float64(s.Summary().Mean.Nanoseconds()) / 1000 / batch }
	if err := im.close(); err != nil {
		return nil, err
	}
	bytes, err := cache.Size(im.dirs[0])
	if err != nil {
		return nil, err
	}
	jobs := float64(schedule.Rounds * batches * batch)
	return []Target{
		{
			Name: "bulk import against bbolt, keys as they come", Measured: series[0].WallRatio(series[1]), Unit: "×",
			Detail: fmt.Sprintf("%.1f against %.1f µs a job", perJob(series[0]), perJob(series[1])),
		},
		{
			Name: "bulk import against bbolt, our order and options", Measured: series[0].WallRatio(series[2]), Bound: 1.3, Unit: "×",
			Detail: fmt.Sprintf("%.1f against %.1f µs a job", perJob(series[0]), perJob(series[2])),
		},
		{
			Name: "bulk import", Measured: perJob(series[0]), Unit: "µs a job",
		},
		{
			Name: "file after the import", Measured: float64(bytes) / jobs, Bound: 850, Unit: "bytes a job",
			Detail: fmt.Sprintf("records of %.0f bytes on average", im.recordBytes()),
		},
	}, nil
}

// imports are stores that are filled side by side.
type imports struct {
	folder   string
	dirs     []string
	stores   []peer.Store
	subjects []harness.Subject

	jobs   [][]*jobstore.Job
	writes map[peer.Store][]*rawbolt.Write
	bytes  int64
	count  int64
}

func (im *imports) open(ctx context.Context, p peer.Peer) error {
	dir, err := os.MkdirTemp(im.folder, "import-"+p.Name()+"-")
	if err != nil {
		return err
	}
	im.dirs = append(im.dirs, dir)
	store, err := p.Open(dir, peer.Durable)
	if err != nil {
		return err
	}
	im.stores = append(im.stores, store)
	im.subjects = append(im.subjects, harness.Subject{Name: p.Name(), Workers: []func(int) error{func(op int) error {
		if writes, ok := im.writes[store]; ok {
			return store.(*rawbolt.Store).Put(writes[op%len(writes)])
		}
		return store.Import(ctx, im.jobs[op%len(im.jobs)])
	}}})
	return nil
}

// prepare sets the batches of the next round. What bbolt alone is to put is
// made ready outside of its time.
func (im *imports) prepare(jobs [][]*jobstore.Job) error {
	im.jobs = jobs
	im.writes = map[peer.Store][]*rawbolt.Write{}
	for _, store := range im.stores {
		raw, ok := store.(*rawbolt.Store)
		if !ok {
			continue
		}
		for _, batch := range jobs {
			w, err := raw.Prepare(batch)
			if err != nil {
				return err
			}
			im.writes[store] = append(im.writes[store], w)
			im.bytes += w.RecordBytes()
			im.count += int64(len(batch))
		}
	}
	return nil
}

func (im *imports) recordBytes() float64 { return float64(im.bytes) / float64(max(1, im.count)) }

func (im *imports) close() error {
	var errs []error
	for _, store := range im.stores {
		errs = append(errs, store.Close())
	}
	im.stores = nil
	return errors.Join(errs...)
}

func (im *imports) remove() {
	_ = im.close()
	for _, dir := range im.dirs {
		_ = os.RemoveAll(dir)
	}
}
