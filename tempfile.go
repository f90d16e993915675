package jobstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A tempFile is a store in the making, beside the place it is meant for.
type tempFile struct {
	file *os.File
	dir  string
}

// newTempFile makes an empty file beside path, with the permissions that a new
// store has.
func newTempFile(path, purpose string) (*tempFile, error) {
	dir, name := tempName(path, purpose)
	f, err := os.CreateTemp(dir, name+"*")
	if err != nil {
		return nil, err
	}
	return &tempFile{file: f, dir: dir}, nil
}

// removeTempFiles removes what a crash has left of temporary files beside path.
func removeTempFiles(path, purpose string) error {
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

// prove checks the finished file, has its list of free pages written, cuts off
// what is past its last page, and syncs it.
func (f *tempFile) prove(ctx context.Context, progress Progress) error {
	s, err := Open(f.file.Name(), nil)
	if err != nil {
		return err
	}
	err = s.sound(ctx, progress)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	// The engine grows a file by 16 MiB at a time.
	m, err := checkMeta(f.file)
	if err != nil {
		return err
	}
	if err := f.file.Truncate(int64(m.pages) * int64(m.pageSize)); err != nil {
		return err
	}
	return f.file.Sync()
}

// sound returns the first problem that Check finds as ErrCorrupt.
func (s *Store) sound(ctx context.Context, progress Progress) error {
	for problem, err := range s.CheckProgress(ctx, func(done, total int64) {
		progress.report("check", done, total)
	}) {
		if err != nil {
			return err
		}
		return corruptf("the copy is not sound: %s", problem)
	}
	return nil
}

// link gives the file its name, which nobody may have.
func (f *tempFile) link(path string) error {
	if err := giveName(f.file.Name(), path); err != nil {
		return err
	}
	return syncDir(f.dir)
}

// remove closes the file and removes its temporary name, if it still has it.
func (f *tempFile) remove() {
	_ = f.file.Close()
	_ = os.Remove(f.file.Name())
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
