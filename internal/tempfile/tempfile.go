// Package tempfile makes files beside the place that they are meant for, and gives
// them their names when they are whole. A process that is killed leaves its
// temporary file behind; the next one that makes a file of the same kind for the
// same place can tell it from one that is being written, and removes it.
package tempfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A Purpose is what a temporary file is made for. It is part of its name.
type Purpose string

// What temporary files are made for.
const (
	New     Purpose = "new"
	Backup  Purpose = "backup"
	Compact Purpose = "compact"
	Export  Purpose = "export"
	Salvage Purpose = "salvage"
)

// A File is a file in the making. Beside it stands a second file, which its maker
// holds a lock on. The lock is not on the file itself, as the engine that fills it
// takes a lock of its own.
type File struct {
	File *os.File

	dir, name string
	lock      *os.File
}

// lockSuffix ends the name of the file with the lock.
const lockSuffix = ".lock"

// Create makes an empty file for path, which nobody but its owner can read.
func Create(path string, purpose Purpose) (*File, error) {
	dir, prefix := nameOf(path, purpose)
	for {
		lock, err := os.CreateTemp(dir, prefix+"*"+lockSuffix)
		if err != nil {
			return nil, err
		}
		t := &File{dir: dir, name: strings.TrimSuffix(lock.Name(), lockSuffix), lock: lock}
		err = lockFile(lock)
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
		if err == nil {
			_, err = os.Lstat(lock.Name()) // without the name, the lock says nothing to anybody
		}
		if err == nil {
			t.File, err = os.OpenFile(t.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		}
		if err == nil {
			return t, nil
		}
		t.Remove()
		// Whoever cleans up may have come between the file and its lock.
		if !errors.Is(err, errLocked) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// errLocked is returned when somebody else holds a lock.
var errLocked = errors.New("file is locked")

// RemoveStale removes the temporary files that were made for path and that nobody
// is writing to any more. It returns their names. On platforms where that cannot be
// told it removes none.
func RemoveStale(path string, purpose Purpose) (removed []string, err error) {
	dir, prefix := nameOf(path, purpose)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), lockSuffix)
		if !ok || !strings.HasPrefix(name, prefix) || !e.Type().IsRegular() {
			continue
		}
		name = filepath.Join(dir, name)
		gone, oneErr := removeStale(name)
		err = errors.Join(err, oneErr)
		if gone {
			removed = append(removed, name)
		}
	}
	return removed, err
}

func removeStale(name string) (removed bool, err error) {
	lock, err := os.OpenFile(name+lockSuffix, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // somebody else was first
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }()
	if err := lockFile(lock); err != nil {
		if errors.Is(err, errLocked) || errors.Is(err, errors.ErrUnsupported) {
			return false, nil
		}
		return false, err
	}
	err = remove(name, lock)
	if openStays && err != nil {
		return false, nil // it is being written
	}
	return err == nil, err
}

// remove removes a temporary file. The lock goes last: as long as the file is there,
// whoever cleans up can find it stale.
func remove(name string, lock *os.File) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if openStays {
		_ = lock.Close()
	}
	if err := os.Remove(name + lockSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// nameOf returns where temporary files for path are, and how their names begin.
func nameOf(path string, purpose Purpose) (dir, prefix string) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return dir, "." + base + "." + string(purpose) + "-"
}

// Name returns the temporary name.
func (t *File) Name() string { return t.name }

// Link gives the file its name, which nobody may have: it fails with fs.ErrExist
// then.
func (t *File) Link(path string) error {
	if err := giveName(t.name, path); err != nil {
		return err
	}
	return syncDir(t.dir)
}

// Replace puts the file in the place of the one at path, whose permissions, owner
// and attributes it gets first. Where there is none at path, it keeps its own.
func (t *File) Replace(path string) error {
	old, err := os.Stat(path)
	switch {
	case err == nil:
		err = keep(t.File, path, old)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	if err := os.Rename(t.name, path); err != nil {
		return err
	}
	return syncDir(t.dir)
}

// keep gives f what old, at path, has beside its content. The owner comes first, as
// a new owner takes special bits and some attributes away; the permissions come
// last, as an access list changes those of the group.
func keep(f *os.File, path string, old fs.FileInfo) error {
	if err := copyOwner(f, old); err != nil {
		return err
	}
	if err := copyAttributes(f, path); err != nil {
		return err
	}
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return f.Chmod(old.Mode() & bits)
}

// Links returns how many names the file has. To replace a file under one of them
// would leave the old content under the others.
func Links(info fs.FileInfo) uint64 { return links(info) }

// Remove closes the file and removes its temporary name, if it still has it.
func (t *File) Remove() {
	if t.File != nil {
		_ = t.File.Close()
	}
	_ = remove(t.name, t.lock)
	_ = t.lock.Close()
}

// giveName moves the file temp to path, unless that name is taken. Where a file
// system has no links, two processes that make one file in the same instant could
// get past the look at path; everywhere else the link settles it.
func giveName(temp, path string) error {
	err := os.Link(temp, path)
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return os.Rename(temp, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
