package jobstore

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A writer commits the store's operations in groups. One goroutine takes all
// that is queued as soon as the last commit ends and commits it once: a lone
// operation waits for nobody, and the busier the store, the larger the groups.
// One that finds nobody ahead of it is committed by its caller, who would only wait
// for two goroutines to be woken.
type writer struct {
	store *Store

	mu      sync.Mutex
	queue   []*operation
	busy    bool // somebody commits
	stopped bool
	wake    chan struct{} // holds one token when there is something to do
	done    chan struct{} // closed when the goroutine has ended

	// failure is why the store refuses writes, if it does.
	failure atomic.Pointer[error]
	// dirty is set once something was committed: Close has a list of free pages
	// to write then.
	dirty bool
	group group
}

// A group is bounded, so that one transaction's memory is: it takes no further
// operation past either of these.
const (
	maxGroupJobs  = 4096
	maxGroupBytes = 8 << 20
)

// An operation is one call of a method that writes.
type operation struct {
	// apply checks the operation and then writes it. It returns an error only
	// while it has written nothing.
	apply func(*group) error
	jobs  int
	bytes int // about how much it writes
	// timed is whether apply stamps jobs. It finds the time in the group then.
	timed bool
	now   time.Time // what the clock said when the operation was handed in

	state atomic.Int32
	err   error         // the outcome; set before done is closed
	done  chan struct{} // closed when there is an outcome
	// report is the commit that its caller has to tell Options.OnCommit of, if any.
	// The writer waits until told is closed.
	report *Commit
	told   chan struct{}
}

// States of an operation. Whoever moves it out of queued decides: the writer
// takes it, or its caller gives it up.
const (
	queued int32 = iota
	taken
	abandoned
)

func newWriter(s *Store) *writer {
	w := &writer{store: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.group.store = s
	go w.run()
	return w
}

// ready returns why no operation can be begun, or nil.
func (s *Store) ready(ctx context.Context) error {
	switch {
	case s == nil || s.file == nil || s.closed.Load():
		return ErrClosed
	case s.writer == nil:
		return ErrReadOnly
	case ctx != nil:
		return ctx.Err()
	}
	return nil
}

// submit hands op to the writer and waits for its outcome.
func (s *Store) submit(ctx context.Context, op *operation) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	op.done = make(chan struct{})
	alone, err := s.writer.enqueue(op)
	switch {
	case err != nil:
		return err
	case alone:
		defer s.writer.rest() // also after a panic in the hook
		s.writer.commit([]*operation{op})
		if op.report != nil {
			op.tell(s.options.OnCommit)
		}
		return op.err
	}
	select {
	case <-op.done:
	case <-ctx.Done():
		if op.state.CompareAndSwap(queued, abandoned) {
			return ctx.Err()
		}
		<-op.done
	}
	if op.report != nil {
		op.tell(s.options.OnCommit)
	}
	return op.err
}

// enqueue hands op to the goroutine, unless it can be committed right away: then it
// is for the caller to do so, and to call rest.
func (w *writer) enqueue(op *operation) (alone bool, err error) {
	if failure := w.failure.Load(); failure != nil {
		return false, *failure
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false, ErrClosed
	}
	if op.timed {
		// In the order in which the operations are carried out.
		if op.now, err = w.store.clock(); err != nil {
			return false, err
		}
	}
	if !w.busy && len(w.queue) == 0 {
		w.busy = true
		return true, nil
	}
	w.queue = append(w.queue, op)
	if !w.busy {
		w.signal()
	}
	return false, nil
}

// rest ends a commit.
func (w *writer) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	if len(w.queue) > 0 || w.stopped {
		w.signal()
	}
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop refuses new operations and returns when those in the queue are done.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.signal()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		for {
			// Let those whose operations have just been committed hand in their
			// next ones, or they would have to wait for the commit of the few that
			// came meanwhile: of 64 callers, one would go alone every other time.
			runtime.Gosched()
			ops := w.take()
			if len(ops) == 0 {
				break
			}
			w.commit(ops)
			w.answer(ops)
			w.rest()
		}
		w.mu.Lock()
		end := w.stopped && len(w.queue) == 0 && !w.busy
		w.mu.Unlock()
		if end {
			return
		}
	}
}

// answer gives the operations of a commit back to their callers. Those that have
// something to report come first, as the others hear of it only after OnCommit.
func (w *writer) answer(ops []*operation) {
	for _, op := range ops {
		if op.report != nil {
			op.told = make(chan struct{})
			close(op.done)
			<-op.told
		}
	}
	for _, op := range ops {
		if op.report == nil {
			close(op.done)
		}
	}
}

// take removes the operations of the next group from the queue. There are none while
// somebody commits.
func (w *writer) take() (ops []*operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return nil
	}
	n, jobs, bytes := 0, 0, 0
	for _, op := range w.queue {
		if len(ops) > 0 && (jobs+op.jobs > maxGroupJobs || bytes+op.bytes > maxGroupBytes) {
			break
		}
		n++
		if op.state.CompareAndSwap(queued, taken) {
			ops = append(ops, op)
			jobs += op.jobs
			bytes += op.bytes
		}
	}
	rest := copy(w.queue, w.queue[n:])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	w.busy = len(ops) > 0
	return ops
}
