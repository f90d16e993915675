// Package boltfile opens, locks, proves, grows and seals a bbolt file on disk, makes
// new ones, and reads one that is damaged. It knows nothing of what is kept in the
// file.
package boltfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// Options say how Open opens a file.
type Options struct {
	ReadOnly    bool
	NoSync      bool          // leave it to the operating system when a commit reaches the disk
	LockTimeout time.Duration // how long to wait for somebody else's lock
	MaxSize     int64         // the size that the file may not outgrow; 0 is no limit
	Proof       Proof
}

// A Proof is what the owner of the file knows of its content. Its errors are returned
// as they are.
type Proof interface {
	// Begin is told of a file that is going to be scanned. Nothing of it is proven.
	Begin(r io.ReaderAt, l page.Layout) error

	// Content says what the bucket at path may hold. Several goroutines call it.
	Content(path [][]byte) page.Content

	// Check says whether what a scan has found is right. Txid is the number of the
	// transaction that the meta page is of; listed says that the file has a list of
	// free pages, which somebody else has written.
	Check(found map[string]page.Found, txid uint64, listed bool) error

	// State returns what Prove will need to prove the roots of the buckets.
	State(tx *bbolt.Tx, proven *page.Proven) ([]byte, error)

	// Prove proves the roots of the buckets by the state at the last Close.
	Prove(tx *bbolt.Tx, proven *page.Proven, state []byte) error
}

// A File is an open bbolt file.
type File struct {
	DB *bbolt.DB
	// Proven is what was proven of the pages.
	Proven *page.Proven

	path    string
	options Options
	file    *os.File // the engine's descriptor
	// freelistKept is whether the file had its list of free pages in it when it
	// was opened. Only a clean close writes the list.
	freelistKept bool
	// sealed is whether a seal has proven the list. Then state is what the seal says
	// of the tree.
	sealed bool
	state  []byte
	// unsealed is set when the seal is not to be believed.
	unsealed bool
	// wrecked is set when the engine panicked with its locks held: nothing that
	// takes them may be called again.
	wrecked atomic.Bool
	room    roomKeeper
}

// Open opens the file at path, which must exist, and takes the lock on it.
// Before bbolt reads a page, Open proves those that bbolt trusts.
func Open(path string, o Options) (*File, error) {
	f := &File{path: path, options: o, Proven: &page.Proven{}}
	if err := f.look(); err != nil {
		return nil, err
	}
	err := f.open()
	if errors.Is(err, errState) {
		// Something at the top of the tree is damaged. A scan tells what.
		f.unsealed = true
		err = f.open()
	}
	if err != nil {
		return nil, ours(err)
	}
	return f, nil
}

// errState says that the tree is not the one that the seal speaks of.
var errState = errors.New("tree differs from its seal")

// open opens the engine on the file, and proves the roots of the buckets.
func (f *File) open() error {
	err := Guard(func() (err error) {
		f.DB, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
			Timeout:  f.options.LockTimeout,
			ReadOnly: f.options.ReadOnly,
			NoSync:   f.options.NoSync,
			MaxSize:  int(f.options.MaxSize),
			// Close alone writes the list of free pages: to write it with every
			// commit costs a quarter of a lone insert's time. After a crash a scan
			// of the pages finds it again.
			NoFreelistSync:  true,
			PreLoadFreelist: f.options.ReadOnly && f.freelistKept,
			FreelistType:    bbolt.FreelistArrayType,
			OpenFile:        f.openDescriptor,
		})
		return err
	})
	if err != nil {
		if f.file != nil {
			// A panic inside bbolt.Open keeps the descriptor, and with it the lock.
			_ = f.file.Close()
		}
		return err
	}
	if !f.sealed {
		return nil
	}
	err = Guard(func() error {
		return f.DB.View(func(tx *bbolt.Tx) error { return f.options.Proof.Prove(tx, f.Proven, f.state) })
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", errState, err), f.DB.Close())
	}
	return nil
}

// look refuses what is no regular file, and guesses for a reader whether the
// file has a list of free pages, which the engine has to be told before it opens
// the file. It is a guess: without the lock, a file that is written to can look
// like anything.
func (f *File) look() error {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return WithoutPath(err)
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrFormat)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file but %s", ErrFormat, info.Mode().Type())
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	case !f.options.ReadOnly:
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return WithoutPath(err)
	}
	if meta, err := CheckMeta(file); err == nil {
		f.freelistKept = meta.Freelist != page.NoFreelist
	}
	return WithoutPath(file.Close())
}

// openDescriptor opens the file for the engine, which would create one where
// somebody has removed it in the meantime.
//
// It returns with the lock on the file. Whoever held it before may have put
// another file in the place of this one: what would be written to this one would
// be gone with it. So it looks again whether the file still has its name.
func (f *File) openDescriptor(path string, flag int, mode fs.FileMode) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
		if err != nil {
			return nil, err
		}
		f.file, f.Proven = file, &page.Proven{}
		err = f.inspect(file)
		named := false
		if err == nil {
			named, err = isNamed(file, path)
		}
		if named {
			return file, nil
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// isNamed reports whether path is the name of f.
func isNamed(f *os.File, path string) (bool, error) {
	is, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(is, named), err
}

// inspect takes the lock on the file, as a file that somebody is writing to may
// look damaged. Then it proves what the engine is going to trust: the meta pages,
// and the list of free pages or, where there is no seal, all pages.
func (f *File) inspect(file *os.File) error {
	if err := lockFile(file, !f.options.ReadOnly, f.options.LockTimeout); err != nil {
		return err
	}
	m, err := CheckMeta(file)
	if err != nil {
		return err
	}
	if err := checkOtherMeta(file, m); err != nil {
		return err
	}
	f.freelistKept = m.Freelist != page.NoFreelist
	return f.prove(file, m)
}

// Path returns the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Stat returns what the operating system says of the file.
func (f *File) Stat() (fs.FileInfo, error) { return f.file.Stat() }

// Wrecked reports whether the engine can no longer be used.
func (f *File) Wrecked() bool { return f.wrecked.Load() }

// Begin starts a transaction. A panic in there leaves the engine's locks held.
func (f *File) Begin(writable bool) (*bbolt.Tx, error) {
	returned := false
	defer func() {
		if !returned {
			f.wrecked.Store(true)
		}
	}()
	tx, err := f.DB.Begin(writable)
	returned = true
	return tx, err
}

// Sealed reports whether the file had a seal when it was opened. It still has one if
// nothing was written to it.
func (f *File) Sealed() bool { return f.sealed }

// Seal writes the list of free pages and a seal, so that the next Open need not scan
// the file. bbolt writes the list with a commit, which commit has to make; no other
// commit writes it.
func (f *File) Seal(commit func(*bbolt.DB) error) error {
	f.DB.NoFreelistSync = false
	if err := commit(f.DB); err != nil {
		return err
	}
	var state []byte
	err := f.DB.View(func(tx *bbolt.Tx) (err error) {
		state, err = f.options.Proof.State(tx, f.Proven)
		return err
	})
	if err != nil {
		return err
	}
	return writeSeal(f.file, state)
}

// Verify proves all pages of the file, so that bbolt's cursor can be trusted with
// them. Nobody may be writing.
func (f *File) Verify() error {
	m, err := CheckMeta(f.file)
	if err != nil {
		return err
	}
	if err := f.options.Proof.Begin(f.file, m.Layout()); err != nil {
		return err
	}
	b, unmap, err := mapFile(f.file, int(m.Pages)*int(m.PageSize))
	if err != nil {
		return err
	}
	_, err = page.Scan(b, m.Layout(), nil, f.options.Proof.Content)
	return errors.Join(ours(err), unmap())
}

// Close closes the file and gives the lock back.
func (f *File) Close() error {
	if f.Wrecked() {
		// The engine's locks will never be given back. Closing the descriptor at
		// least releases the lock on the file.
		_ = f.file.Close()
		return damagedf("closed %s without its engine", f.path)
	}
	return Guard(f.DB.Close)
}
