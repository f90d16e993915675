package jobstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/boltfile"
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

// commit carries out ops in one transaction and sets their outcomes. If one of
// them comes upon damage, or needs more room than there is, they are each
// carried out in a transaction of their own, so that the others do not suffer
// from it.
func (w *writer) commit(ops []*operation) {
	err := w.tryCommit(ops)
	if len(ops) > 1 && (errors.Is(err, errSpoiled) || errors.Is(err, ErrFull)) {
		for _, op := range ops {
			w.commit([]*operation{op})
		}
		return
	}
	if errors.Is(err, ErrFull) {
		// The pages that the last commits gave up are counted as free from here on.
		err = w.tryCommit(ops)
	}
	if err == nil {
		return
	}
	for _, op := range ops {
		if op.err == nil {
			op.err = err
		}
	}
}

// errSpoiled marks an error after which a transaction was rolled back whole.
var errSpoiled = errors.New("transaction was rolled back")

// tryCommit carries out ops in one transaction. An operation's own refusal
// becomes its outcome; the error that is returned is that of all the others.
func (w *writer) tryCommit(ops []*operation) error {
	if failure := w.failure.Load(); failure != nil {
		return *failure
	}
	begin := time.Now()
	var tx *bbolt.Tx
	err := boltfile.Guard(func() (err error) {
		if w.store.file.Wrecked() {
			return corruptf("%s cannot be written any more", w.store.path)
		}
		tx, err = w.store.file.Begin(true)
		return err
	})
	if err != nil {
		return w.store.translate(err)
	}
	err = boltfile.Guard(func() error {
		if err := w.group.begin(tx); err != nil {
			return err
		}
		for _, op := range ops {
			writes := w.group.writes
			w.group.now = op.now
			op.err = w.store.translate(boltfile.Guard(func() error { return op.apply(&w.group) }))
			if op.err != nil && (w.group.writes != writes || errors.Is(op.err, ErrCorrupt)) {
				return op.err
			}
		}
		return w.group.finish(tx)
	})
	if err != nil {
		for _, op := range ops {
			op.err = nil
		}
		_ = w.store.file.Rollback(tx)
		return fmt.Errorf("%w (%w)", w.store.translate(err), errSpoiled)
	}
	if w.group.writes == 0 {
		return w.store.translate(w.store.file.Rollback(tx))
	}
	err = w.end(tx)
	w.publish()
	if w.store.options.OnCommit != nil {
		ops[0].report = &Commit{Operations: len(ops), Jobs: w.group.writes, Duration: time.Since(begin), Err: err}
	}
	return err
}

// end commits tx.
func (w *writer) end(tx *bbolt.Tx) error {
	id := tx.ID()
	panicked := true
	err := boltfile.Guard(func() error {
		err := tx.Commit()
		panicked = false
		return err
	})
	if err == nil {
		w.dirty = true
		return nil
	}
	if panicked {
		// The pages that it took are in no list any more.
		w.store.leaked = true
		_ = w.store.file.Rollback(tx)
	}
	switch committed := w.isCommitted(id); {
	case committed:
	case panicked: // at a damaged page, which the others of the group may not need
		return fmt.Errorf("%w (%w)", w.store.translate(err), errSpoiled)
	case boltfile.OutOfRoom(err): // beyond what was looked at, or on a disk that promises no room
		return w.store.translate(fmt.Errorf("%w: %w", boltfile.ErrFull, err))
	}
	failure := fmt.Errorf("%w: %v", ErrCommitUnknown, err)
	w.failure.Store(&failure)
	w.store.say(slog.LevelError, "jobstore: commit failed, writes are refused from here on",
		"path", w.store.path, "error", err)
	return failure
}

// isCommitted reports whether the file has taken up the transaction with this
// ID, or whether that cannot be told. A transaction is taken up by the write of
// its meta page, the last of its writes: before it, a failure is certain.
func (w *writer) isCommitted(id int) bool {
	committed := true
	_ = boltfile.Guard(func() error {
		tx, err := w.store.file.Begin(false)
		if err != nil {
			return err
		}
		committed = tx.ID() >= id
		return tx.Rollback()
	})
	return committed
}

// publish tells readers of the commit that has just been made, if one was: before
// that they do not know that its pages are sound.
func (w *writer) publish() {
	s := w.store
	err := boltfile.Guard(func() error {
		tx, err := s.file.Begin(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		last := s.snapshots.last.Load()
		if last.ID() == tx.ID() {
			return nil
		}
		w.group.tree.Mark(tx, s.file.Proven)
		view, err := w.group.tree.Read(tx, s.file.Proven)
		if err == nil {
			s.snapshots.publish(view.Snapshot(), nil)
		}
		return err
	})
	if err != nil {
		failure := s.translate(err)
		w.failure.CompareAndSwap(nil, &failure)
		s.snapshots.publish(nil, failure)
	}
}

// settle writes the list of free pages and a seal, so that the next Open need not
// scan the file for them.
func (w *writer) settle() {
	s := w.store
	// What the scan after a kill has found damaged would look sound in a sealed file.
	if w.failure.Load() != nil || !w.dirty && s.file.Sealed() || !s.snapshots.last.Load().Sound() {
		return
	}
	err := boltfile.Guard(func() error {
		if err := s.file.MakeRoomForFreelist(); err != nil {
			return err
		}
		return s.file.Seal(func(db *bbolt.DB) error {
			err := db.Update(func(tx *bbolt.Tx) error {
				if err := w.group.begin(tx); err != nil {
					return err
				}
				return w.group.tree.Finish()
			})
			if err != nil {
				return err
			}
			w.publish()
			return nil
		})
	})
	if err != nil {
		s.say(slog.LevelWarn, "jobstore: file was not sealed, the next open will scan it",
			"path", s.path, "error", err)
	}
}
