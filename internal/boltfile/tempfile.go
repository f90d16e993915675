package boltfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// A Temp is a file in the making, beside the place that it is meant for.
type Temp struct {
	File *os.File
	dir  string
}

// NewTemp makes an empty file beside path that nobody but its owner can read.
// Purpose is part of its name.
func NewTemp(path, purpose string) (*Temp, error) {
	dir, name := tempName(path, purpose)
	f, err := os.CreateTemp(dir, name+"*")
	if err != nil {
		return nil, err
	}
	return &Temp{File: f, dir: dir}, nil
}

// RemoveTemps removes what a crash has left of temporary files beside path.
func RemoveTemps(path, purpose string) error {
	dir, name := tempName(path, purpose)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), name) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// tempName returns where temporary files beside path are, and how their names
// begin.
func tempName(path, purpose string) (dir, name string) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return dir, "." + base + "." + purpose + "-"
}

// Trim cuts off what is past the last page of the finished file, as the engine
// grows a file by 16 MiB at a time, and syncs it.
func (t *Temp) Trim() error {
	m, err := CheckMeta(t.File)
	if err != nil {
		return err
	}
	if err := t.File.Truncate(int64(m.Pages) * int64(m.PageSize)); err != nil {
		return err
	}
	return t.File.Sync()
}

// Link gives the file its name, which nobody may have.
func (t *Temp) Link(path string) error {
	if err := giveName(t.File.Name(), path); err != nil {
		return err
	}
	return syncDir(t.dir)
}

// Remove closes the file and removes its temporary name, if it still has it.
func (t *Temp) Remove() {
	_ = t.File.Close()
	_ = os.Remove(t.File.Name())
}

// giveName moves the file temp to path, unless that name is taken. Where a file
// system has no links, two processes that create one store in the same instant
// could get past the look at path; everywhere else the link settles it.
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

// Replace puts the file in the place of old, which is at path, with its
// permissions and its owner. It returns the size of the new file.
func (t *Temp) Replace(path string, old fs.FileInfo) (size int64, err error) {
	if err := t.File.Chmod(old.Mode().Perm()); err != nil {
		return 0, err
	}
	if err := copyOwner(t.File, old); err != nil {
		return 0, err
	}
	info, err := t.File.Stat()
	if err != nil {
		return 0, err
	}
	if err := os.Rename(t.File.Name(), path); err != nil {
		return 0, err
	}
	return info.Size(), syncDir(t.dir)
}

// Create puts a new file at path in one step: it is made beside it under a
// temporary name, filled by fill, synced, and linked to its name. It fails with
// fs.ErrExist when the name is taken. A crash leaves no half a file.
func Create(path string, fill func(*bbolt.Tx) error) error {
	temp, err := NewTemp(path, "new")
	if err != nil {
		return err
	}
	defer temp.Remove()
	err = Guard(func() error {
		db, err := bbolt.Open(temp.File.Name(), 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			return err
		}
		return errors.Join(db.Update(fill), db.Close())
	})
	if err != nil {
		return err
	}
	return temp.Link(path)
}
