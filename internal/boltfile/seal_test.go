package boltfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
)

func emptyCommit(db *bbolt.DB) error { return db.Update(func(*bbolt.Tx) error { return nil }) }

// newFile returns the path of a file that was made by plain bbolt, with an empty tree.
func newFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "db")
	plainUpdate(t, path, func(tx *bbolt.Tx) error { return index.Create(tx) }, true)
	return path
}

// plainUpdate changes a file by plain bbolt, which writes the list of free pages if
// that is asked for.
func plainUpdate(t *testing.T, path string, fn func(tx *bbolt.Tx) error, list bool) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: !list})
	require.NoError(t, err)
	require.NoError(t, db.Update(fn))
	require.NoError(t, db.Close())
}

func open(path string) (*boltfile.File, error) {
	return boltfile.Open(path, boltfile.Options{NoSync: true, Proof: &index.Proof{}})
}

// content returns all that bbolt finds in a file.
func content(t *testing.T, db *bbolt.DB) (all string) {
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("jobstore")).ForEachBucket(func(name []byte) error {
			return tx.Bucket([]byte("jobstore")).Bucket(name).ForEach(func(k, v []byte) error {
				all += string(name) + string(k) + string(v) + "\n"
				return nil
			})
		})
	}))
	return all
}

// With any bit of the seal, the list of free pages and both meta pages of a closed file
// wrong, Open gives the same tree, or says that the file is damaged.
func TestSealedFileBits(t *testing.T) {
	path := newFile(t)
	f, err := open(path)
	require.NoError(t, err)
	require.False(t, f.Sealed())
	require.NoError(t, f.Seal(emptyCommit))
	want := content(t, f.DB)
	require.NoError(t, f.Close())
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err = open(path)
	require.NoError(t, err)
	require.True(t, f.Sealed())
	require.NoError(t, f.Close())

	size := os.Getpagesize()
	file, err := os.Open(path)
	require.NoError(t, err)
	m, err := boltfile.CheckMeta(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	opened, scanned := 0, 0
	for _, start := range []int{0, size, int(m.Freelist) * size} {
		for bit := range 8 * 200 {
			damaged := bytes.Clone(sound)
			damaged[start+bit/8] ^= 1 << (bit % 8)
			require.NoError(t, os.WriteFile(path, damaged, 0o600))
			f, err := open(path)
			if err != nil {
				require.True(t, errors.Is(err, boltfile.ErrDamaged) || errors.Is(err, index.ErrDamaged) || errors.Is(err, boltfile.ErrFormat), "byte %d: %v", start+bit/8, err)
				continue
			}
			opened++
			if !f.Sealed() {
				scanned++
			}
			require.Equal(t, want, content(t, f.DB), "byte %d", start+bit/8)
			require.NoError(t, f.Close())
		}
	}
	require.NotZero(t, opened)
	require.NotZero(t, scanned)
}

// After a crash, Open writes a list of free pages that plain bbolt takes for its own.
func TestListAfterCrash(t *testing.T) {
	path := newFile(t)
	plainUpdate(t, path, func(tx *bbolt.Tx) error {
		root := tx.Bucket([]byte("jobstore"))
		return errors.Join(root.Bucket([]byte("meta")).SetSequence(0), index.Stamp(tx))
	}, false)
	f, err := open(path)
	require.NoError(t, err)
	want := content(t, f.DB)
	require.NoError(t, f.Close())
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	require.NoError(t, err)
	require.Equal(t, want, content(t, db))
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			require.NoError(t, err)
		}
		return nil
	}))
	require.NoError(t, db.Close())
}

// After Close, another program may add a bucket of its own by plain bbolt.
func TestAnotherWriter(t *testing.T) {
	path := newFile(t)
	f, err := open(path)
	require.NoError(t, err)
	require.NoError(t, f.Seal(emptyCommit))
	want := content(t, f.DB)
	require.NoError(t, f.Close())
	plainUpdate(t, path, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("jobstore.rebuild"))
		require.NoError(t, err)
		return b.Put([]byte("key"), make([]byte, 20000))
	}, true)
	f, err = open(path)
	require.NoError(t, err)
	require.False(t, f.Sealed())
	require.Equal(t, want, content(t, f.DB))
	require.NoError(t, f.Close())
}
