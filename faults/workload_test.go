package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"

	"github.com/jobstore/jobstore"
)

// A change is what becomes of one job of a writer. Everything that is in the job
// follows from it, see jobOf.
type change struct {
	N      int // number of the job among its writer's
	V      int // version, counted from 1
	Status jobstore.Status
	Gone   bool
}

// A message is one line from a child: an operation that is about to start, or
// how it ended.
type message struct {
	Writer  int
	Begin   []change `json:",omitempty"`
	Done    bool     `json:",omitempty"`
	Full    bool     `json:",omitempty"` // refused: with ErrFull, or as the disk failed to make the file longer
	Unknown bool     `json:",omitempty"` // failed with ErrCommitUnknown
	Err     string   `json:",omitempty"` // any other failure
	Note    string   `json:",omitempty"`
}

func inputOf(writer int) string { return fmt.Sprintf("https://example.com/writer-%d.mp4", writer) }

// jobOf returns the job that a change leads to. IDs and timestamps are not part
// of it.
func jobOf(writer int, c change) *jobstore.Job {
	j := &jobstore.Job{
		Kind:     jobstore.Kind(1) << (c.N % 5),
		Input:    inputOf(writer),
		Output:   fmt.Sprintf("s3://bucket/%d/%d", c.N, c.V),
		Metadata: fmt.Appendf(nil, `{"n":%d,"v":%d}`, c.N, c.V),
		Status:   c.Status,
	}
	if c.N%7 == 0 { // more than a page
		j.Tasks = fmt.Appendf(nil, `[{"log":"%s"}]`, bytes.Repeat([]byte{'a' + byte(c.V%26)}, 6000))
	}
	return j
}

// changeOf reads back what jobOf was given, and whether all of it fits.
func changeOf(writer int, j *jobstore.Job) (change, bool) {
	var c struct{ N, V int }
	if json.Unmarshal(j.Metadata, &c) != nil {
		return change{}, false
	}
	is := change{N: c.N, V: c.V, Status: j.Status}
	want := jobOf(writer, is)
	return is, want.Kind == j.Kind && want.Input == j.Input && want.Output == j.Output &&
		bytes.Equal(want.Metadata, j.Metadata) && bytes.Equal(want.Tasks, j.Tasks)
}

// A workload writes to a store from several goroutines, and reports what it
// does before and after it does it.
type workload struct {
	store   *jobstore.Store
	rng     *rand.Rand
	writers int
	steps   int     // of each writer; 0 is no end
	ledger  *ledger // takes what is reported, where it is not nil
	mu      sync.Mutex
}

func (w *workload) report(m message) {
	line, _ := json.Marshal(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ledger != nil {
		_ = w.ledger.take(m)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func (w *workload) run() {
	var wg sync.WaitGroup
	for i := range w.writers {
		one := &writer{workload: w, number: i, rng: rand.New(rand.NewPCG(w.rng.Uint64(), 0))}
		wg.Go(one.run)
	}
	wg.Wait()
}

// A writer owns the jobs of one input.
type writer struct {
	*workload
	number int
	rng    *rand.Rand
	jobs   []owned
	next   int // number of the next new job
}

type owned struct {
	id jobstore.ID
	change
}

func (w *writer) run() {
	ctx := context.Background()
	for job, err := range w.store.All(ctx, jobstore.Query{Input: inputOf(w.number)}) {
		if err != nil {
			w.report(message{Writer: w.number, Err: err.Error()})
			return
		}
		c, _ := changeOf(w.number, &job)
		w.jobs = append(w.jobs, owned{job.ID, c})
		w.next = max(w.next, c.N+1)
	}
	for step := 0; w.steps == 0 || step < w.steps; step++ {
		err := w.step(ctx)
		m := message{Writer: w.number}
		switch {
		case err == nil:
			m.Done = true
		case errors.Is(err, jobstore.ErrCommitUnknown):
			m.Unknown = true
		case errors.Is(err, jobstore.ErrFull), errors.Is(err, syscall.EIO):
			m.Full = true // nothing of it was done, which the ledger holds it to
		default:
			m.Err = err.Error()
		}
		w.report(m)
		if m.Unknown || m.Err != "" {
			return
		}
	}
}

// step does one operation. Few jobs make for many updates, many for deletes.
func (w *writer) step(ctx context.Context) error {
	const few, many = 5, 40
	lot := w.rng.IntN(10)
	switch n := len(w.jobs); {
	case n < few || lot < 3 && n < many:
		return w.create(ctx, 1+w.rng.IntN(2))
	case lot < 4:
		return w.put(ctx, 1+w.rng.IntN(4))
	case lot < 8:
		return w.update(ctx, w.rng.IntN(n))
	}
	return w.delete(ctx, 1+w.rng.IntN(min(3, len(w.jobs))))
}

func (w *writer) begin(changes ...change) {
	w.report(message{Writer: w.number, Begin: changes})
}

func (w *writer) fresh() change {
	w.next++
	return change{N: w.next - 1, V: 1, Status: w.status()}
}

func (w *writer) status() jobstore.Status { return jobstore.Status(1) << w.rng.IntN(5) }

func (w *writer) create(ctx context.Context, n int) error {
	var changes []change
	var jobs []*jobstore.Job
	for range n {
		c := w.fresh()
		changes, jobs = append(changes, c), append(jobs, jobOf(w.number, c))
	}
	w.begin(changes...)
	if err := w.store.Create(ctx, jobs...); err != nil {
		return err
	}
	for i, j := range jobs {
		w.jobs = append(w.jobs, owned{j.ID, changes[i]})
	}
	return nil
}

// put adds jobs under IDs of the writer's own, and replaces one.
func (w *writer) put(ctx context.Context, n int) error {
	at := w.rng.IntN(len(w.jobs))
	replaced := w.jobs[at]
	replaced.V++
	replaced.Status = w.status()
	after := []owned{replaced}
	for range n {
		c := w.fresh()
		after = append(after, owned{jobstore.ID(fmt.Sprintf("job_w%d_%08d", w.number, c.N)), c})
	}
	var changes []change
	var jobs []*jobstore.Job
	for _, o := range after {
		j := jobOf(w.number, o.change)
		j.ID = o.id
		changes, jobs = append(changes, o.change), append(jobs, j)
	}
	w.begin(changes...)
	if err := w.store.Put(ctx, jobs...); err != nil {
		return err
	}
	w.jobs[at] = replaced
	w.jobs = append(w.jobs, after[1:]...)
	return nil
}

func (w *writer) update(ctx context.Context, at int) error {
	o := w.jobs[at]
	o.V++
	o.Status = w.status()
	w.begin(o.change)
	_, err := w.store.Update(ctx, o.id, func(j *jobstore.Job) error {
		next := jobOf(w.number, o.change)
		j.Output, j.Metadata, j.Status, j.Tasks = next.Output, next.Metadata, next.Status, next.Tasks
		return nil
	})
	if err == nil {
		w.jobs[at] = o
	}
	return err
}

func (w *writer) delete(ctx context.Context, n int) error {
	w.rng.Shuffle(len(w.jobs), func(i, j int) { w.jobs[i], w.jobs[j] = w.jobs[j], w.jobs[i] })
	var changes []change
	var ids []jobstore.ID
	for _, o := range w.jobs[:n] {
		o.Gone = true
		changes, ids = append(changes, o.change), append(ids, o.id)
	}
	w.begin(changes...)
	deleted, err := w.store.Delete(ctx, ids...)
	if err != nil {
		return err
	}
	if deleted != n {
		return fmt.Errorf("deleted %d of %d", deleted, n)
	}
	w.jobs = w.jobs[n:]
	return nil
}
