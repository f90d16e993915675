package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
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
	for _, old := range t.holders { // each before what it holds
		b, ok := bucketIn(page.Root(tx, proven), old.path, page.Content{Buckets: true})
		if ok {
			b.Mark(old.root, old.height, old.key)
		}
	}
	for _, w := range t.writers {
		b, ok := bucketIn(page.Root(tx, proven), w.path, page.Anything)
		if ok && w.old.key != nil {
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

// A bucketWriter changes one bucket and keeps its sum.
type bucketWriter struct {
	path [][]byte
	bolt *bbolt.Bucket
	// look is over the bucket as it was before the transaction; nil when there was
	// none.
	look *page.Cursor
	seal sealer
	sum  page.Sum
	old  oldTree // with the key that was put or deleted first; nil for none yet
	// changed is set for a bucket in which one transaction may change a key twice.
	// Then look does not tell whether the key is there.
	changed bool
}

// writer returns what changes the bucket of this name, in rebuild or in jobstore. It
// makes one that is missing. At is its place in bucketNames, -1 for none.
func (t *Tree) writer(parent, name []byte, at int, generation uint64) (*bucketWriter, error) {
	path := string(name)
	if parent != nil {
		path = string(parent) + "/" + path
	}
	if w := t.writers[path]; w != nil {
		return w, nil
	}
	holder := t.root
	if parent != nil {
		holder = t.root.Bucket(parent)
	}
	w := &bucketWriter{path: [][]byte{rootName, name}, seal: newSealer(string(name), generation)}
	if parent != nil {
		w.path = [][]byte{rootName, parent, name}
	}
	if w.bolt = holder.Bucket(name); w.bolt != nil {
		w.follow(t.committed(w.path, generation))
	} else {
		var err error
		if w.bolt, err = holder.CreateBucket(name); err != nil {
			return nil, err
		}
	}
	// Input aside, and what is small, keys come at the end of a run, where a page
	// filled to a half would never see another one. A tenth is left free for the
	// updates that come later.
	if at >= 0 && at != inputAt {
		w.bolt.FillPercent = 0.9
	}
	if at >= 0 && parent == nil {
		w.sum = t.settings.sums[at]
	}
	t.writers[path] = w
	return w, nil
}

// follow makes b, where there is one, what w was before the transaction.
func (w *bucketWriter) follow(b page.Bucket, ok bool) {
	if ok {
		w.look = b.Cursor()
		w.old.root, w.old.height = b.Number(), b.Height()
	}
}

// committed returns the bucket at path as it was before the transaction.
func (t *Tree) committed(path [][]byte, generation uint64) (page.Bucket, bool) {
	of, known := content(string(path[len(path)-1]), generation)
	if !known {
		of = page.Anything
	}
	return bucketIn(t.read.root, path, of)
}

// main returns what changes one of the buckets in bucketNames.
func (t *Tree) main(at int) (*bucketWriter, error) {
	if t.damaged[at] {
		return nil, t.read.snapshot.trust(at)
	}
	generation := uint64(0)
	if at >= kindAt && at <= countsAt {
		generation = t.settings.generation
	}
	return t.writer(nil, []byte(bucketNames[at]), at, generation)
}

// prove proves the pages that bbolt reads when it looks for key.
func (w *bucketWriter) prove(key []byte) (had bool) {
	if w.look == nil {
		return false
	}
	k, _ := w.look.Seek(key)
	return bytes.Equal(k, key)
}

// change proves the pages that bbolt reads when it puts key, or deletes it, which
// may join a page with one beside it.
func (w *bucketWriter) change(key []byte, remove bool) (had bool) {
	if w.old.key == nil {
		w.old.key = bytes.Clone(key)
	}
	had = w.prove(key)
	if remove && w.look != nil {
		w.look.Find(key)
		w.look.ProveSiblings()
	}
	return had
}

// get returns the value of key with its seal, or nil. It is valid until the next
// change.
func (w *bucketWriter) get(key []byte) []byte {
	w.prove(key)
	return w.bolt.Get(key)
}

// put seals a value and puts it under key. Old is the entry that key has had, or nil.
func (w *bucketWriter) put(key, value, old []byte) error {
	w.change(key, false)
	if old != nil {
		w.sum.Remove(sealOf(old))
	}
	sealed := w.seal.seal(key, value)
	w.sum.Add(sealOf(sealed))
	return w.bolt.Put(key, sealed)
}

// delete deletes key, which has the entry old.
func (w *bucketWriter) delete(key, old []byte) error {
	w.change(key, true)
	if old == nil {
		return fmt.Errorf("%w: %x is not in bucket %q", ErrDamaged, key, w.path[len(w.path)-1])
	}
	w.sum.Remove(sealOf(old))
	return w.bolt.Delete(key)
}

// setKey puts a key that has no value, or deletes it, unless it is there, or gone,
// already.
func (w *bucketWriter) setKey(key []byte, there bool) error {
	had := w.change(key, !there)
	if w.changed {
		had = w.bolt.Get(key) != nil
	}
	seal := w.seal.sum(key, nil)
	switch {
	case had == there:
		return nil
	case there:
		w.sum.Add(seal)
		return w.bolt.Put(key, binary.LittleEndian.AppendUint32(nil, seal))
	}
	w.sum.Remove(seal)
	return w.bolt.Delete(key)
}

// Record returns the record of the job with this ID, or nil. It is valid until the
// next change.
func (t *Tree) Record(id []byte) []byte {
	had := t.jobs.prove(id)
	value := t.jobs.bolt.Get(id)
	if value == nil && !had && t.jobs.look != nil {
		t.jobs.look.Bucket().ProveBeside(id)
	}
	return value
}

// PutRecord puts the record of a job in the place of old, which is nil for none.
func (t *Tree) PutRecord(id, value, old []byte) error {
	t.jobs.change(id, false)
	if old != nil {
		t.jobs.sum.Remove(record.Seal(old))
	}
	t.jobs.sum.Add(record.Seal(value))
	t.rebuildRecord(id, value, old)
	return t.jobs.bolt.Put(id, value)
}

// DeleteRecord deletes the record old of a job.
func (t *Tree) DeleteRecord(id, old []byte) error {
	t.jobs.change(id, true)
	t.jobs.sum.Remove(record.Seal(old))
	t.rebuildRecord(id, nil, old)
	return t.jobs.bolt.Delete(id)
}

// A Record is a job's key, its ID without "job_", and its value.
type Record struct {
	ID    string
	Value []byte // valid until the end of the transaction
}

// Seal returns the checksum of the record.
func (r Record) Seal() uint32 { return record.Seal(r.Value) }

// Records returns up to n records behind an ID, as the transaction has left them, and
// whether there are more.
func (t *Tree) Records(after string, n int) (records []Record, more bool, err error) {
	cur := t.jobs.bolt.Cursor()
	from := []byte(after)
	if after != "" {
		from = append(from, 0) // the key behind it, as no ID holds a zero byte
	}
	for {
		t.proveOn(from)
		key, value := cur.Seek(from)
		switch {
		case key == nil:
			return records, false, nil
		case len(records) == n:
			return records, true, nil
		case len(records) > 0 && string(key) <= records[len(records)-1].ID:
			return nil, false, fmt.Errorf("%w: records are out of order behind %q", ErrDamaged, key)
		}
		records = append(records, Record{string(key), value})
		from = append(append(from[:0], key...), 0)
	}
}

// proveOn proves the pages from a key on to that of the next record which the
// transaction has not deleted: bbolt's cursor passes over pages that it has emptied.
func (t *Tree) proveOn(from []byte) {
	look := t.jobs.look
	if look == nil {
		return
	}
	for k, _ := look.Seek(from); k != nil && t.jobs.bolt.Get(k) == nil; k, _ = look.Next() {
	}
}
