package jobstore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/boltfile"
)

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
