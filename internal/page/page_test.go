package page_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore/internal/page"
)

func openDB(t *testing.T) *bbolt.DB {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "pages.db"), 0o600, &bbolt.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// layoutOf returns what tx knows of its file, and the file as it is mapped.
func layoutOf(tx *bbolt.Tx) (file []byte, l page.Layout) {
	info := tx.DB().Info()
	start := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	return unsafe.Slice((*byte)(start), tx.Size()), page.Layout{
		PageSize: info.PageSize,
		Pages:    uint64(tx.Size()) / uint64(info.PageSize),
		Root:     uint64(tx.Cursor().Bucket().Root()),
		Freelist: page.NoFreelist,
	}
}

func anything([][]byte) page.Content { return page.Anything }

// scanned returns what a scan of the file of tx proves.
func scanned(t require.TestingT, tx *bbolt.Tx) *page.Proven {
	file, l := layoutOf(tx)
	proven := &page.Proven{}
	_, err := page.Scan(file, l, proven, anything)
	require.NoError(t, err)
	return proven
}

// Every walk gives what bbolt's own cursor gives, on trees of one inline page to
// several levels, with values that take many pages and keys that were deleted.
func TestCursorWalksAsBbolts(t *testing.T) {
	db := openDB(t)
	name := []byte("bucket")
	rapid.Check(t, func(rt *rapid.T) {
		write(rt, db, name)
		err := db.View(func(tx *bbolt.Tx) error {
			root := page.Root(tx, scanned(rt, tx))
			outer, ok := root.Bucket([]byte("outer"), page.Content{Buckets: true})
			require.True(rt, ok)
			bucket, ok := outer.Bucket(name, page.Anything)
			require.True(rt, ok)
			walk(rt, bucket.Cursor(), tx.Bucket([]byte("outer")).Bucket(name).Cursor())
			lookUp(rt, &bucket, tx.Bucket([]byte("outer")).Bucket(name))
			_, ok = outer.Bucket([]byte("none"), page.Anything)
			require.False(rt, ok)
			return nil
		})
		require.NoError(rt, err)
	})
}

// write fills a bucket with keys drawn at random, in several commits.
func write(rt *rapid.T, db *bbolt.DB, name []byte) {
	keyLen := rapid.IntRange(1, 80).Draw(rt, "key length")
	valueLen := rapid.SampledFrom([]int{0, 0, 10, 450, 9000}).Draw(rt, "value length")
	for i, n := range rapid.SliceOfN(rapid.IntRange(0, 700), 1, 3).Draw(rt, "keys in each commit") {
		err := db.Update(func(tx *bbolt.Tx) error {
			outer, err := tx.CreateBucketIfNotExists([]byte("outer"))
			require.NoError(rt, err)
			if i == 0 && outer.Bucket(name) != nil {
				require.NoError(rt, outer.DeleteBucket(name))
			}
			bucket, err := outer.CreateBucketIfNotExists(name)
			require.NoError(rt, err)
			seed := rapid.Uint64().Draw(rt, "seed")
			for range n {
				seed = seed*6364136223846793005 + 1442695040888963407
				key := []byte(fmt.Sprintf("%0*d", keyLen, seed>>53))
				if seed>>40&7 == 0 {
					require.NoError(rt, bucket.Delete(key))
					continue
				}
				require.NoError(rt, bucket.Put(key, bytes.Repeat([]byte{byte(seed >> 32)}, valueLen)))
			}
			return nil
		})
		require.NoError(rt, err)
	}
}

// walk makes the same moves with both cursors.
func walk(rt *rapid.T, ours *page.Cursor, theirs *bbolt.Cursor) {
	atEnd := true // where the two differ in what Next and Prev do
	for range rapid.IntRange(1, 60).Draw(rt, "moves") {
		move := rapid.SampledFrom([]string{"first", "last", "seek", "seek", "seek then prev", "next", "next", "prev", "prev"}).Draw(rt, "move")
		var key, value, wantKey, wantValue []byte
		switch {
		case move == "first":
			key, value = ours.First()
			wantKey, wantValue = theirs.First()
		case move == "last":
			key, value = ours.Last()
			wantKey, wantValue = theirs.Last()
		case move == "seek" || move == "seek then prev":
			n := rapid.IntRange(0, 2100).Draw(rt, "sought")
			sought := []byte(fmt.Sprintf("%0*d", rapid.IntRange(1, 80).Draw(rt, "length"), n))
			key, value = ours.Seek(sought)
			wantKey, wantValue = theirs.Seek(sought)
			if move == "seek then prev" {
				key, value = ours.Prev()
				wantKey, wantValue = theirs.Prev()
			}
		case atEnd:
			continue
		case move == "next":
			key, value = ours.Next()
			wantKey, wantValue = theirs.Next()
		case move == "prev":
			key, value = ours.Prev()
			wantKey, wantValue = theirs.Prev()
		}
		require.Equal(rt, wantKey, key, move)
		require.True(rt, bytes.Equal(wantValue, value), move)
		atEnd = key == nil
	}
}

// lookUp looks up keys in both orders, some of which are there.
func lookUp(rt *rapid.T, ours *page.Bucket, theirs *bbolt.Bucket) {
	var lookup page.Lookup
	for range 2 { // the second with the memory of the first
		var keys [][]byte
		c := theirs.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if rapid.IntRange(0, 9).Draw(rt, "key") == 0 {
				keys = append(keys, k)
			}
		}
		for range rapid.IntRange(0, 20).Draw(rt, "other keys") {
			keys = append(keys, fmt.Appendf(nil, "%0*d", rapid.IntRange(1, 80).Draw(rt, "length"), rapid.IntRange(0, 2100).Draw(rt, "key")))
		}
		slices.SortFunc(keys, bytes.Compare)
		if rapid.Bool().Draw(rt, "descending") {
			slices.Reverse(keys)
		}
		lookup.Find(ours, keys)
		for i, key := range keys {
			want := theirs.Get(key)
			value, ok := lookup.Value(i)
			require.Equal(rt, want != nil, ok, "%q", key)
			require.True(rt, bytes.Equal(want, value), "%q", key)
		}
	}
}

// After the end, Prev returns the last key, and before the start, Next the second,
// so that a walk can turn round.
func TestCursorTurnsRound(t *testing.T) {
	db := openDB(t)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		require.NoError(t, err)
		for i := range 1000 {
			require.NoError(t, b.Put([]byte(fmt.Sprintf("%03d", i)), nil))
		}
		return nil
	}))
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		root := page.Root(tx, scanned(t, tx))
		bucket, ok := root.Bucket([]byte("b"), page.Anything)
		require.True(t, ok)
		c := bucket.Cursor()
		key, _ := c.Last()
		require.Equal(t, "999", string(key))
		key, _ = c.Next()
		require.Nil(t, key)
		key, _ = c.Prev()
		require.Equal(t, "999", string(key))
		c.First()
		key, _ = c.Prev()
		require.Nil(t, key)
		key, _ = c.Next()
		require.Equal(t, "001", string(key))
		require.Equal(t, []byte{}, bucket.Get([]byte("500")))
		require.Nil(t, bucket.Get([]byte("x")))
		return nil
	}))
}
