package jobstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
)

// Open opens the store in the file at path, and creates it when there is none.
// Nil options are the defaults. The directory must exist. At most one Store, of
// one process, has a file open for writing; any number may have it open for
// reading while none writes.
//
// After a clean [Store.Close], Open takes milliseconds. After a crash it reads the
// whole file.
//
// It fails with [ErrLocked] when the file stays locked, [ErrFormat] when the file is
// not a jobstore file or one of another format, [ErrCorrupt] when it is damaged, a [FieldError] for
// bad options, or the error of the operating system (fs.ErrNotExist, fs.ErrPermission
// and so on). A file that cannot be opened is left as it was.
func Open(path string, opts *Options) (*Store, error) {
	s := &Store{path: path}
	if opts != nil {
		s.options = *opts
	}
	if err := s.setDefaults(); err != nil {
		return nil, err
	}
	if err := s.create(); err != nil {
		return nil, fmt.Errorf("jobstore: open %s: %w", path, err)
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("jobstore: open %s: %w", path, err)
	}
	if !s.options.ReadOnly {
		s.writer = newWriter(s)
	}
	return s, nil
}

func (s *Store) setDefaults() error {
	o := &s.options
	if o.LockTimeout < 0 {
		return fieldError("Options.LockTimeout", o.LockTimeout.String(), "must not be negative")
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.MaxSize < 0 {
		return fieldError("Options.MaxSize", fmt.Sprint(o.MaxSize), "must not be negative")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.hashInput == nil {
		o.hashInput = index.HashInput
	}
	s.log, s.hashInput = o.Logger, o.hashInput
	return nil
}

// create puts a new, empty store at s.path when there is none and s may write.
func (s *Store) create() error {
	if s.path == "" {
		return fieldError("path", "", "is missing")
	}
	if _, err := os.Stat(s.path); !errors.Is(err, fs.ErrNotExist) || s.options.ReadOnly {
		return nil
	}
	removed, err := boltfile.Create(s.path, index.Create)
	s.saidRemoved(removed)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist): // somebody else's is the one to open
		return nil
	case boltfile.OutOfRoom(err):
		return fmt.Errorf("%w: create: %v", ErrFull, err)
	}
	return fmt.Errorf("create: %w", boltfile.WithoutPath(err))
}

// open opens the file and checks its format.
func (s *Store) open() error {
	proof := &index.Proof{}
	file, err := boltfile.Open(s.path, boltfile.Options{
		ReadOnly: s.options.ReadOnly, NoSync: s.options.NoSync,
		LockTimeout: s.options.LockTimeout, MaxSize: s.options.MaxSize,
		Proof: proof,
	})
	if err != nil {
		return s.openError(err)
	}
	err = boltfile.Guard(func() error {
		return file.DB.View(func(tx *bbolt.Tx) error {
			view, err := index.Read(tx, file.Proven, nil)
			if err != nil {
				return err
			}
			if view.Snapshot().ReadOnly() && !s.options.ReadOnly {
				return fmt.Errorf("%w: file has features that this version may only read", index.ErrFormat)
			}
			proof.Distrust(view.Snapshot())
			s.snapshots.publish(view.Snapshot(), nil)
			return nil
		})
	})
	if err != nil {
		_ = file.Close()
		return s.openError(err)
	}
	s.file = file
	return nil
}

func (s *Store) openError(err error) error {
	switch {
	case errors.Is(err, boltfile.ErrLocked):
		return fmt.Errorf("%w: held for longer than %v", ErrLocked, s.options.LockTimeout)
	case errors.Is(err, index.ErrFormat):
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	return s.translate(err)
}
