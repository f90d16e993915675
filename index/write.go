package index

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// A Tree is the tree of buckets in a write transaction, for changing it. Before bbolt
// reads a page, the tree proves it: a page that is not what it should be ends in a
// panic with a page.Damage, which the caller recovers from.
type Tree struct {
	tx       *bbolt.Tx
	root     *bbolt.Bucket
	read     View // as it was before the transaction
	settings settings
	counts   Counts
	// countsErr is why the counters cannot be read.
	countsErr error
	rebuild   *rebuildState
	damaged   [buckets]bool
	// rebuildDamaged says that the rebuild cannot go on.
	rebuildDamaged bool
	jobs           *bucketWriter
	holders        []oldTree
	writers        map[string]*bucketWriter // by the path of the bucket
}

// Open returns the tree in tx, which is a write transaction; last is as for Read.
func Open(tx *bbolt.Tx, proven *page.Proven, last *Snapshot) (*Tree, error) {
	view, err := Read(tx, proven, last)
	if err != nil {
		return nil, err
	}
	counts, countsErr := view.Counts()
	t := &Tree{
		tx: tx, root: tx.Bucket(rootName), read: view, counts: *counts, countsErr: countsErr,
		settings: view.snapshot.settings, writers: map[string]*bucketWriter{},
		holders: holdersOf(view), damaged: view.snapshot.damaged,
		rebuildDamaged: view.snapshot.rebuildDamaged,
	}
	if r := view.snapshot.rebuild; r != nil {
		rebuild := *r
		t.rebuild = &rebuild
	}
	if t.jobs, err = t.main(jobsAt); err != nil {
		return nil, err
	}
	return t, nil
}

// Committed returns the view of the tree as it was before the transaction.
func (t *Tree) Committed() View { return t.read }

// SetMinted keeps the last minted ID.
func (t *Tree) SetMinted(id []byte) error { return t.setMeta(mintedKey, id) }

// SetLargest keeps the size of the largest record that was ever stored.
func (t *Tree) SetLargest(size int) error {
	return t.setMeta(largestKey, binary.BigEndian.AppendUint64(nil, uint64(size)))
}

// Tx returns the transaction.
func (t *Tree) Tx() *bbolt.Tx { return t.tx }

// Rewrite writes the leaf with key anew as it is. It returns false when the key is not
// there any more, or was changed in this transaction.
func (t *Tree) Rewrite(name Name, key []byte) (bool, error) {
	w, err := t.main(slices.Index(Names[:], name))
	if err != nil || w.look == nil {
		return false, err
	}
	k, value := w.look.Seek(key)
	if !bytes.Equal(k, key) || !bytes.Equal(w.bolt.Get(key), value) {
		return false, nil
	}
	w.change(key, false)
	return true, w.bolt.Put(key, bytes.Clone(value))
}

// Leaf calls each with the number of the leaf of records that the last record read or
// changed belongs in, and how many pages it takes, and with siblings with those beside
// it, as they were before the transaction.
func (t *Tree) Leaf(siblings bool, each func(number uint64, pages int)) {
	if t.jobs.look == nil {
		return
	}
	each(t.jobs.look.Leaf())
	if siblings {
		t.jobs.look.Neighbours(each)
	}
}

// setMeta keeps a value in the bucket meta, or removes it when it is nil.
func (t *Tree) setMeta(key, value []byte) error {
	w, err := t.writer(nil, metaName, -1, 0)
	if err != nil {
		return err
	}
	w.change(key, value == nil)
	if value == nil {
		return w.bolt.Delete(key)
	}
	return w.bolt.Put(key, w.seal.seal(key, value))
}

// Finish writes what all commits write last: the number of the transaction and the
// sums of the buckets. Nothing may be written behind it.
func (t *Tree) Finish() error {
	for i, name := range bucketNames {
		if w := t.writers[name]; w != nil {
			t.settings.sums[i] = w.sum
		}
	}
	if err := t.writeRebuild(); err != nil {
		return err
	}
	t.settings.txid = uint64(t.tx.ID())
	return t.setMeta(sumsKey, t.settings.appendSums(nil))
}

// Mark notes in proven that the pages which the transaction has written are sound.
// tx is a later transaction, which sees them. Nobody may read them before Mark
// returns.
func (t *Tree) Mark(tx *bbolt.Tx, proven *page.Proven) {
	holds := page.Content{Buckets: true}
	for _, old := range t.holders { // each before what it holds
		if b, ok := bucketIn(page.Root(tx, proven), old.path, holds); ok {
			b.Mark(old.root, old.height, old.key)
		}
	}
	root, ok := bucketIn(page.Root(tx, proven), [][]byte{rootName}, holds)
	if !ok {
		return
	}
	for _, w := range t.writers {
		if w.old.key == nil {
			continue
		}
		holder := root
		if len(w.path) > 2 {
			if holder, ok = root.Bucket(rebuildName, holds); !ok {
				continue
			}
		}
		if number, ok := holder.BucketRoot(w.path[len(w.path)-1]); ok {
			b := holder.Numbered(number, page.Anything)
			b.Mark(w.old.root, w.old.height, w.old.key)
		}
	}
}

// Read returns the view of what the transaction has left, which tx, a later one,
// sees.
func (t *Tree) Read(tx *bbolt.Tx, proven *page.Proven) (View, error) {
	return Read(tx, proven, &Snapshot{id: -1, damaged: t.damaged, rebuildDamaged: t.rebuildDamaged})
}

// An oldTree is the tree of a bucket as it was before a transaction, with a key that
// the transaction puts or deletes.
type oldTree struct {
	path   [][]byte
	root   uint64
	height uint8
	key    []byte
}

// holdersOf returns the trees of the buckets that hold buckets.
func holdersOf(v View) []oldTree {
	holders := []oldTree{{key: rootName}, {path: [][]byte{rootName}, key: metaName}, {path: [][]byte{rootName, rebuildName}, key: leafName}}
	for i := range holders {
		h := &holders[i]
		if b, ok := bucketIn(v.root, h.path, page.Content{Buckets: true}); ok {
			h.root, h.height = b.Number(), b.Height()
		}
	}
	return holders
}

// bucketIn returns the bucket that path leads to from root. Those on the way hold
// buckets, the last one has content.
func bucketIn(root page.Bucket, path [][]byte, content page.Content) (b page.Bucket, ok bool) {
	b = root
	for i, name := range path {
		of := page.Content{Buckets: true}
		if i == len(path)-1 {
			of = content
		}
		if b, ok = b.Bucket(name, of); !ok {
			return page.Bucket{}, false
		}
	}
	return b, true
}
