package jobstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

// Open opens the store in the file at path, and creates it when there is none.
// Nil options are the defaults. The directory must exist. At most one Store, of
// one process, has a file open for writing; any number may have it open for
// reading while none writes.
//
// It fails with ErrLocked when the file stays locked, ErrFormat when the file
// is not a jobstore file or too new, ErrCorrupt when it is damaged, a FieldError
// for bad options, or the error of the operating system (fs.ErrNotExist,
// fs.ErrPermission and so on). A file that cannot be opened is left as it was.
func Open(path string, opts *Options) (*Store, error) {
	s := &Store{path: path}
	if opts != nil {
		s.options = *opts
	}
	if err := s.setDefaults(); err != nil {
		return nil, err
	}
	if err := s.prepareFile(); err != nil {
		return nil, fmt.Errorf("jobstore: open %s: %w", path, err)
	}
	if err := s.openFile(); err != nil {
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

// prepareFile makes sure that there is a file to open, and that it looks like
// one of ours.
func (s *Store) prepareFile() error {
	if s.path == "" {
		return fieldError("path", "", "is missing")
	}
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) && !s.options.ReadOnly {
		if err := createFile(s.path); err != nil && !errors.Is(err, fs.ErrExist) {
			if outOfRoom(err) {
				return fmt.Errorf("%w: create: %v", ErrFull, err)
			}
			return fmt.Errorf("create: %w", withoutPath(err))
		}
		// If somebody else created it just before, theirs is the one to open.
		info, err = os.Stat(s.path)
	}
	switch {
	case err != nil:
		return withoutPath(err)
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrFormat)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file but %s", ErrFormat, info.Mode().Type())
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	}
	if !s.options.ReadOnly {
		return nil
	}
	// Only a guess, which the engine has to be told before it opens the file:
	// without the lock, a file that is written to can look like anything.
	f, err := os.Open(s.path)
	if err != nil {
		return withoutPath(err)
	}
	if meta, err := checkMeta(f); err == nil {
		s.freelistKept = meta.freelist != page.NoFreelist
	}
	if err := f.Close(); err != nil {
		return withoutPath(err)
	}
	return nil
}

// createFile puts a new, empty store at path in one step: it is made beside it
// under a temporary name, synced, and linked to its name, which fails with
// fs.ErrExist when the name was taken meanwhile. A crash leaves no half a store.
func createFile(path string) error {
	temp, err := newTempFile(path, "new")
	if err != nil {
		return err
	}
	defer temp.remove()
	err = guard(func() error {
		db, err := bbolt.Open(temp.file.Name(), 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			return err
		}
		return errors.Join(db.Update(index.Create), db.Close())
	})
	if err != nil {
		return err
	}
	return temp.link(path)
}

// openFile opens the engine on the file, and checks the format.
func (s *Store) openFile() error {
	err := guard(func() error {
		db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout:  s.options.LockTimeout,
			ReadOnly: s.options.ReadOnly,
			NoSync:   s.options.NoSync,
			MaxSize:  int(s.options.MaxSize),
			// The list of free pages is written by Close alone: to write it
			// with every commit costs a quarter of a lone insert's time. After
			// a crash it is found again by a scan of the pages.
			NoFreelistSync:  true,
			PreLoadFreelist: s.options.ReadOnly && s.freelistKept,
			FreelistType:    bbolt.FreelistArrayType,
			OpenFile:        s.openDescriptor,
		})
		if err != nil {
			return err
		}
		s.db = db
		return s.db.View(func(tx *bbolt.Tx) error {
			view, err := index.Read(tx, &s.checked, nil)
			if err != nil {
				return err
			}
			_, err = view.Format()
			return err
		})
	})
	switch {
	case err == nil:
		return nil
	case s.db != nil:
		_ = guard(s.db.Close)
	case s.file != nil:
		// A panic inside bbolt.Open keeps the descriptor, and with it the lock.
		_ = s.file.Close()
	}
	return s.openError(err)
}

// openDescriptor opens the file for the engine, which would create one where
// somebody has removed it in the meantime. The store keeps the descriptor.
//
// It returns with the lock on the file. Whoever held it before may have put another
// file in the place of this one, as CompactInPlace does: what would be written to
// this one would be gone with it.
func (s *Store) openDescriptor(path string, flag int, mode fs.FileMode) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
		if err != nil {
			return nil, err
		}
		s.file = f
		err = s.inspect(f)
		named := false
		if err == nil {
			named, err = isNamed(f, path)
		}
		if named {
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// isNamed reports whether path is the name of the file f.
func isNamed(f *os.File, path string) (bool, error) {
	is, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(is, named), err
}

func (s *Store) openError(err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("%w: held for longer than %v", ErrLocked, s.options.LockTimeout)
	case errors.Is(err, index.ErrFormat):
		return fmt.Errorf("%w: %v", ErrFormat, err)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum),
		errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return s.translate(withoutPath(err))
}

// withoutPath strips the path from an error of the operating system, for Open
// has named it already.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}
