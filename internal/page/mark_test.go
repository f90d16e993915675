package page

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// A markedBucket is what Mark is told of a bucket.
type markedBucket struct {
	name   []byte
	old    uint64
	height uint8
	key    []byte // one that the commit has changed; nil for none
}

// changeBucket makes one commit's changes to a bucket, and returns one of the keys that
// were put or deleted.
func changeBucket(rt *rapid.T, rng *rand.Rand, b *bbolt.Bucket) (changed []byte) {
	var there [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		there = append(there, bytes.Clone(k))
	}
	keep := func(key []byte) {
		if changed == nil || rng.IntN(4) == 0 {
			changed = key
		}
	}
	put := func(n, space, value int) {
		for range n {
			key := fmt.Appendf(nil, "%0*d", 8+rng.IntN(2)*rng.IntN(300), rng.IntN(space))
			require.NoError(rt, b.Put(key, make([]byte, rng.IntN(value+1))))
			keep(key)
		}
	}
	remove := func(keys [][]byte) {
		for _, key := range keys {
			require.NoError(rt, b.Delete(key))
			keep(key)
		}
	}
	from := rng.IntN(len(there) + 1)
	to := from + rng.IntN(len(there)-from+1)
	switch rapid.SampledFrom([]string{"put", "put", "bulk", "large", "delete", "delete one", "range", "all but a few", "all"}).Draw(rt, "change") {
	case "put":
		put(1+rng.IntN(5), 5000, 100)
	case "bulk":
		put(200+rng.IntN(3000), 20000, 60)
	case "large":
		put(1+rng.IntN(20), 5000, 20000)
	case "delete":
		for range min(len(there), 1+rng.IntN(5)) {
			remove([][]byte{there[rng.IntN(len(there))]})
		}
	case "delete one":
		if len(there) > 0 {
			remove(there[len(there)/2:][:1])
		}
	case "range":
		remove(there[from:to])
	case "all but a few":
		remove(there[:from])
		remove(there[min(len(there), from+1+rng.IntN(3)):])
	case "all":
		remove(there)
	}
	return changed
}

// requireMarked compares what is proven with a scan of the file: each page in use has
// its height, but for those of unread, which were not proven.
func requireMarked(rt *rapid.T, tx *bbolt.Tx, proven *Proven, unread map[uint64][]byte) {
	b := RootAt(tx, proven, uint64(tx.Cursor().Bucket().Root()))
	l := Layout{PageSize: b.pageSize, Pages: uint64(len(b.file) / b.pageSize), Root: b.root, Freelist: NoFreelist}
	fresh := &Proven{}
	_, err := Scan(b.file, l, fresh, func([][]byte) Content { return Anything })
	require.NoError(rt, err) // among others: each page begins with the key that its parent gives it
	for id := range l.Pages {
		want := fresh.Height(id)
		if _, ok := unread[id]; ok {
			require.NotZero(rt, want, "page %d", id)
			want = 0
			require.Zero(rt, proven.Height(id), "page %d", id)
		}
		if want != 0 {
			require.Equal(rt, want, proven.Height(id), "page %d", id)
			require.False(rt, proven.isFree(id), "page %d", id)
		}
	}
}

// After each commit, of whatever changes, Mark gives every page that was written the
// height that a scan finds, when the others had theirs, and the height of each tree.
func TestMark(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	names := []string{"one", "two", "three"}
	rapid.Check(t, func(rt *rapid.T) {
		require.NoError(rt, db.Update(func(tx *bbolt.Tx) error {
			for _, name := range names {
				if tx.Bucket([]byte(name)) != nil {
					require.NoError(rt, tx.DeleteBucket([]byte(name)))
				}
			}
			return nil
		}))
		proven := &Proven{}
		require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
			b := RootAt(tx, proven, uint64(tx.Cursor().Bucket().Root()))
			_, err := Scan(b.file, Layout{PageSize: b.pageSize, Pages: uint64(len(b.file) / b.pageSize), Root: b.root, Freelist: NoFreelist},
				proven, func([][]byte) Content { return Anything })
			if rapid.Bool().Draw(rt, "scanned") {
				proven.SetScanned()
			}
			return err
		}))
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for range rapid.IntRange(1, 8).Draw(rt, "commits") {
			markCommit(rt, db, proven, names, rng)
		}
	})
}

// markCommit makes one commit and marks it.
func markCommit(rt *rapid.T, db *bbolt.DB, proven *Proven, names []string, rng *rand.Rand) {
	var marks []markedBucket
	tx, err := db.Begin(true)
	require.NoError(rt, err)
	before := Root(tx, proven)
	for _, name := range names {
		if rapid.IntRange(0, 2).Draw(rt, "bucket") == 0 {
			continue
		}
		m := markedBucket{name: []byte(name)}
		bolt := tx.Bucket(m.name)
		if bolt == nil {
			bolt, err = tx.CreateBucket(m.name)
			require.NoError(rt, err)
		} else {
			b, ok := before.Bucket(m.name, Anything)
			require.True(rt, ok)
			m.old, m.height = b.Number(), b.Height()
		}
		if rapid.Bool().Draw(rt, "filled") {
			bolt.FillPercent = 0.9
		}
		m.key = changeBucket(rt, rng, bolt)
		marks = append(marks, m)
	}
	old, height := before.Number(), before.Height()
	require.NoError(rt, tx.Commit())
	require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
		root := Root(tx, proven)
		root.height = root.Mark(old, height, []byte(names[0]))
		for _, m := range marks {
			if b, ok := root.Bucket(m.name, Anything); ok && m.key != nil {
				marked := b.Mark(m.old, m.height, m.key)
				require.Equal(rt, proven.Height(b.Number()), marked)
			}
		}
		requireMarked(rt, tx, proven, nil)
		return nil
	}))
}

// bbolt reads no page of a bucket that was not proven: with all others overwritten
// behind its back, deletions leave what they leave in a sound file, and Mark reads none
// of them either.
func TestBoltReadsOnlyProvenPages(t *testing.T) {
	name := []byte("bucket")
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "db")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		open := func(path string) *bbolt.DB {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: false})
			require.NoError(rt, err)
			return db
		}
		db := open(path)
		keyLen := rapid.SampledFrom([]int{8, 60, 300}).Draw(rt, "key length")
		n := rapid.IntRange(1, 1500).Draw(rt, "keys")
		var keys [][]byte
		require.NoError(rt, db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket(name)
			require.NoError(rt, err)
			for i := range n {
				keys = append(keys, fmt.Appendf(nil, "%0*d", keyLen, 2*i))
				require.NoError(rt, b.Put(keys[i], make([]byte, rng.IntN(80))))
			}
			return nil
		}))
		require.NoError(rt, db.Close())
		want := map[string]bool{}
		for _, key := range keys {
			want[string(key)] = true
		}
		ops := drawOps(rt, rng, keys, keyLen)
		for _, op := range ops {
			want[string(op.key)] = !op.remove
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(rt, err)
		db = open(path)
		applyProven(rt, db, name, ops, f)
		require.NoError(rt, f.Close())
		require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
			n := 0
			for key, there := range want {
				require.Equal(rt, there, tx.Bucket(name).Get([]byte(key)) != nil, "%q", key)
				if there {
					n++
				}
			}
			require.Equal(rt, n, tx.Bucket(name).Stats().KeyN)
			return nil
		}))
		require.NoError(rt, db.Close())
		require.NoError(rt, os.Remove(path))
	})
}

// A mutation puts or deletes a key.
type mutation struct {
	key    []byte
	remove bool
}

func drawOps(rt *rapid.T, rng *rand.Rand, keys [][]byte, keyLen int) (ops []mutation) {
	for range rapid.IntRange(1, 4).Draw(rt, "runs") {
		from := rng.IntN(len(keys))
		most := rapid.SampledFrom([]int{1, 5, 60, 1500}).Draw(rt, "most")
		remove := rapid.IntRange(0, 4).Draw(rt, "remove") > 0
		for _, key := range keys[from:][:rng.IntN(min(most, len(keys)-from))+1] {
			if !remove {
				key = append(bytes.Clone(key[:len(key)-1]), '1')
			}
			ops = append(ops, mutation{key, remove})
		}
	}
	return ops
}

// applyProven makes the changes of one commit as package index does, each after the
// pages on its way were proven. While bbolt works and Mark looks, all other pages of the
// bucket are overwritten through f. Afterwards they are put back, and what is proven is
// compared with a scan.
func applyProven(rt *rapid.T, db *bbolt.DB, name []byte, ops []mutation, f *os.File) {
	tx, err := db.Begin(true)
	require.NoError(rt, err)
	known := &Proven{} // for the heights of the roots alone
	root := RootAt(tx, known, uint64(tx.Cursor().Bucket().Root()))
	l := Layout{PageSize: root.pageSize, Pages: uint64(len(root.file) / root.pageSize), Root: root.root, Freelist: NoFreelist}
	_, err = Scan(root.file, l, known, func([][]byte) Content { return Anything })
	require.NoError(rt, err)

	proven := &Proven{}
	root = RootAt(tx, proven, l.Root)
	root.ProveRoot(known.Height(l.Root))
	number, _ := root.BucketRoot(name)
	b := root.Numbered(number, Anything)
	if number == 0 {
		b, _ = root.Bucket(name, Anything)
	} else {
		b.ProveRoot(known.Height(number))
	}
	look := b.Cursor()
	for _, op := range ops {
		look.Seek(op.key)
		if op.remove {
			look.Find(op.key)
			look.ProveSiblings()
		}
	}
	hidden := map[uint64][]byte{}
	noise := bytes.Repeat([]byte{0xa5}, l.PageSize)
	for id := range l.Pages {
		if at := int(id) * l.PageSize; known.Height(id) != 0 && proven.Height(id) == 0 {
			hidden[id] = bytes.Clone(root.file[at : at+l.PageSize])
			_, err := f.WriteAt(noise, int64(at))
			require.NoError(rt, err)
		}
	}
	bolt := tx.Bucket(name)
	for _, op := range ops {
		if op.remove {
			require.NoError(rt, bolt.Delete(op.key))
		} else {
			require.NoError(rt, bolt.Put(op.key, []byte("new")))
		}
	}
	old, height := root.Number(), root.Height()
	require.NoError(rt, tx.Commit())
	require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
		root := Root(tx, proven)
		root.height = root.Mark(old, height, name)
		number, _ := root.BucketRoot(name)
		after := root.Numbered(number, Anything)
		marked := after.Mark(b.Number(), b.Height(), ops[0].key)
		require.Equal(rt, proven.Height(number), marked)
		for id, bytes := range hidden {
			_, err := f.WriteAt(bytes, int64(id)*int64(l.PageSize))
			require.NoError(rt, err)
		}
		requireMarked(rt, tx, proven, hidden)
		return nil
	}))
}
