package page_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// A page whose header, or the places in it, are damaged is refused when it is read,
// or reads as it did before, whether it is proven by a scan or when it is first read.
// Values, and keys that begin no page, are proven by those who know them.
func TestDamagedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pages.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("bucket"))
		require.NoError(t, err)
		for i := range 400 {
			require.NoError(t, b.Put(fmt.Appendf(nil, "key-%06d", i), make([]byte, 100+i%7*300)))
		}
		return nil
	}))
	pageSize := db.Info().PageSize
	require.NoError(t, db.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	want, err := keysOf(path, false)
	require.NoError(t, err)
	require.Len(t, want, 400)

	rng := rand.New(rand.NewPCG(1, 1))
	refused := 0
	for range 150 {
		damaged := bytes.Clone(file)
		id := 2 + rng.IntN(len(file)/pageSize-2)
		elements := damaged[id*pageSize:]
		count := int(binary.NativeEndian.Uint16(elements[10:]))
		at, bit := 16*rng.IntN(min(1+count, pageSize/16))+rng.IntN(4), rng.IntN(8)
		if elements[8] == 2 && at >= 16 {
			at += 4 // the place in a leaf stands behind the flags
		} else if at < 16 {
			at += 4 * rng.IntN(4)
		}
		elements[at] ^= 1 << bit
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		for _, scan := range []bool{false, true} {
			got, err := keysOf(path, scan)
			if err != nil {
				refused++
				continue
			}
			require.True(t, slices.Equal(want, got), "page %d, byte %d, bit %d", id, at, bit)
		}
	}
	require.NotZero(t, refused)
}

// keysOf walks a bucket, forward and then by seeks, and returns its keys. What a
// cursor panics with is its error.
func keysOf(path string, scan bool) (keys []string, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		_ = db.Close()
	}()
	tx, err := db.Begin(false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	bucket, err := firstRead(tx, scan)
	if err != nil {
		return nil, err
	}
	c := bucket.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		keys = append(keys, string(k))
	}
	if err := lookUpAll(tx, keys, scan); err != nil {
		return nil, err
	}
	for _, key := range keys {
		if k, _ := bucket.Cursor().Seek([]byte(key)); string(k) != key {
			return nil, fmt.Errorf("%q is not found, but %q", key, k)
		}
		if k, _ := bucket.Cursor().Before([]byte(key)); string(k) >= key {
			return nil, fmt.Errorf("%q is ahead of %q", k, key)
		}
	}
	return keys, nil
}

// firstRead returns the bucket of the test, of which nothing is proven but the root,
// or all by a scan.
func firstRead(tx *bbolt.Tx, scan bool) (b page.Bucket, err error) {
	file, l := layoutOf(tx)
	proven := &page.Proven{}
	if scan {
		if _, err := page.Scan(file, l, proven, anything); err != nil {
			return b, err
		}
	}
	root := page.Root(tx, proven)
	if !scan {
		root.ProveRoot(1)
	}
	number, ok := root.BucketRoot([]byte("bucket"))
	if !ok {
		return b, fmt.Errorf("no bucket")
	}
	b = root.Numbered(number, page.Anything)
	if !scan {
		b.ProveRoot(testHeight)
	}
	return b, nil
}

// testHeight is that of the tree that TestDamagedPages makes.
const testHeight = 3

// lookUpAll looks up keys as one who has not read a page of the file before, up and
// down.
func lookUpAll(tx *bbolt.Tx, keys []string, scan bool) error {
	bucket, err := firstRead(tx, scan)
	if err != nil {
		return err
	}
	var all [][]byte
	for _, key := range keys {
		all = append(all, []byte(key))
	}
	var lookup page.Lookup
	for range 2 {
		lookup.Find(&bucket, all)
		for i, key := range all {
			if _, ok := lookup.Value(i); !ok {
				return fmt.Errorf("%q is not found", key)
			}
		}
		slices.Reverse(all)
	}
	return nil
}

// ProveBeside proves the entries on both sides of a key that is not there, over the
// bounds of leaves, and no others.
func TestProveBeside(t *testing.T) {
	db := openDB(t)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("bucket"))
		require.NoError(t, err)
		for i := range 1000 {
			require.NoError(t, b.Put(fmt.Appendf(nil, "key-%06d", 2*i), make([]byte, 50)))
		}
		return nil
	}))
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for i := range 2001 {
			key := fmt.Sprintf("key-%06d", i)
			var around []string
			content := page.Content{Entries: true, Late: true, Prove: func(k, v []byte) (uint32, error) {
				require.Len(t, v, 50)
				around = append(around, string(k))
				return 0, nil
			}}
			root := page.Root(tx, scanned(t, tx))
			bucket, ok := root.Bucket([]byte("bucket"), content)
			require.True(t, ok)
			bucket.ProveBeside([]byte(key))
			if i%2 == 0 && i < 2000 {
				continue // it is there
			}
			var want []string
			if i < 2000 {
				want = append(want, fmt.Sprintf("key-%06d", i+1))
			}
			if i > 0 {
				want = append(want, fmt.Sprintf("key-%06d", min(i-1, 1998)))
			}
			if i >= 1999 {
				want = []string{"key-001998"}
			}
			require.Equal(t, want, around, key)
		}
		return nil
	}))
}
