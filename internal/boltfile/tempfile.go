package boltfile

import (
	"errors"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/tempfile"
)

// Trim cuts off what is past the last page of a finished file, and syncs it.
func Trim(f *os.File) error {
	m, err := CheckMeta(f)
	if err != nil {
		return err
	}
	if err := f.Truncate(int64(m.Pages) * int64(m.PageSize)); err != nil {
		return err
	}
	return f.Sync()
}

// Create puts a new file at path in one step: it is made beside it under a
// temporary name, filled by fill, synced, and linked to its name. It fails with
// fs.ErrExist when the name is taken. A crash leaves no half a file. Removed are
// the names of temporary files that an earlier call has left.
func Create(path string, fill func(*bbolt.Tx) error) (removed []string, err error) {
	// What cannot be removed is in nobody's way.
	removed, _ = tempfile.RemoveStale(path, tempfile.New)
	temp, err := tempfile.Create(path, tempfile.New)
	if err != nil {
		return removed, err
	}
	defer temp.Remove()
	err = Guard(func() error {
		db, err := bbolt.Open(temp.Name(), 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			return err
		}
		return errors.Join(db.Update(fill), db.Close())
	})
	if err != nil {
		return removed, err
	}
	return removed, temp.Link(path)
}
