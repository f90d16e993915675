package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// The indexes are built anew in a top-level bucket of their own, beside the old
// ones, which go on being used and written to until the new ones are complete:
//
//	jobstore.rebuild
//	├─ "position"                 → ID of the last record that was read
//	├─ "damaged"                  → how many of those read were damaged, uint64
//	├─ counts, kind, status, input  as under jobstore, of the records read
//	└─ leaf                       one page, see detach
//
// Every write also goes here. So whatever becomes of the records meanwhile, the
// new entries are those of all records up to the position, and of some beyond it,
// which come again when they are read; the counters are of those up to it alone.
var (
	rebuildName = []byte("jobstore.rebuild")
	leafName    = []byte("leaf")

	positionKey = []byte("position")
	damagedKey  = []byte("damaged")
)

// RebuildEnd is the position of a rebuild that has read every record. It sorts
// after every ID.
const RebuildEnd = "\xff"

// rebuilt are the buckets that a rebuild replaces.
var rebuilt = [][]byte{[]byte(Kind), []byte(Status), []byte(Input), countsName}

// IsTemporary reports whether a top-level bucket of this name can be left out of
// a copy, as it will be made again.
func IsTemporary(name []byte) bool { return bytes.Equal(name, rebuildName) }

// StartRebuild starts a rebuild, if none has been started.
func (t Tree) StartRebuild() error {
	tx := t.root.Tx()
	if tx.Bucket(rebuildName) != nil {
		return nil
	}
	r, err := tx.CreateBucket(rebuildName)
	if err != nil {
		return err
	}
	for _, name := range rebuilt {
		if _, err := r.CreateBucket(name); err != nil {
			return err
		}
	}
	leaf, err := r.CreateBucket(leafName)
	if err != nil {
		return err
	}
	// Too long for bbolt to keep the bucket within its parent's page.
	return leaf.Put(leafName, make([]byte, tx.DB().Info().PageSize/2))
}

// AbandonRebuild drops an unfinished rebuild, if there is one.
func (t Tree) AbandonRebuild() error {
	err := t.root.Tx().DeleteBucket(rebuildName)
	if errors.Is(err, bbolterrors.ErrBucketNotFound) {
		return nil
	}
	return err
}

// A Rebuild is an unfinished rebuild in a write transaction.
type Rebuild struct{ bucket *bbolt.Bucket }

// Rebuild returns the rebuild that was started, and whether one was.
func (t Tree) Rebuild() (Rebuild, bool) {
	b := t.root.Tx().Bucket(rebuildName)
	return Rebuild{b}, b != nil
}

// Position returns the ID, without "job_", of the last record that was read; it
// is empty at first and RebuildEnd at the end.
func (r Rebuild) Position() string { return string(r.bucket.Get(positionKey)) }

// Read returns how many records were read, and how many of them were damaged.
func (r Rebuild) Read() (jobs, damaged int64, err error) {
	counts, err := r.counts()
	if err != nil {
		return 0, 0, err
	}
	if v := r.bucket.Get(damagedKey); len(v) == 8 {
		damaged = int64(binary.BigEndian.Uint64(v))
	}
	jobs = damaged
	for _, n := range counts.All {
		jobs += n
	}
	return jobs, damaged, nil
}

func (r Rebuild) counts() (c Counts, err error) {
	b := r.bucket.Bucket(countsName)
	if b == nil {
		return c, noBucket(countsName)
	}
	cur := b.Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		p, n, err := ParseCounter(k, v)
		if err != nil {
			return c, err
		}
		c.Add(p, n)
	}
	return c, nil
}

// Advance moves the position to the ID of the last record that was read, after
// which b, the entries of those read since the last position, is to be applied;
// damaged is how many of these could not be read.
func (t Tree) Advance(r Rebuild, position string, b *Batch, damaged int64) error {
	if damaged > 0 {
		_, before, err := r.Read()
		if err != nil {
			return err
		}
		if err := r.bucket.Put(damagedKey, binary.BigEndian.AppendUint64(nil, uint64(before+damaged))); err != nil {
			return err
		}
	}
	if err := r.bucket.Put(positionKey, []byte(position)); err != nil {
		return err
	}
	return b.ApplyRebuild(t)
}

// ApplyRebuild writes the changes to the indexes that are being rebuilt, if any
// are.
func (b *Batch) ApplyRebuild(t Tree) error {
	r, ok := t.Rebuild()
	if !ok {
		return nil
	}
	if err := b.putKeys(Tree{root: r.bucket}); err != nil {
		return err
	}
	var delta Counts
	position := r.Position()
	for _, c := range b.changes[slices.Index(Names[:], Status)] {
		e, ok := ParseKey(Status, b.bytes(c))
		switch {
		case !ok || e.ID > position:
		case c.remove:
			delta.Add(e.Pair, -1)
		default:
			delta.Add(e.Pair, 1)
		}
	}
	before, err := r.counts()
	if err != nil {
		return err
	}
	after := before
	for p, n := range delta.All {
		after.Add(p, n)
	}
	return Tree{root: r.bucket}.SetCounts(&before, &after)
}

// FinishRebuild puts the new indexes and counters in the place of the old ones
// and returns the tree with them. It returns false when the rebuild has not come
// to its end. Nothing may have been written to the rebuild in this transaction:
// bbolt moves buckets as they were committed.
//
// The pages of the old ones are freed, for which they must be readable. With
// detach they are only forgotten, and not used again before the file is scanned
// for free pages.
func (t Tree) FinishRebuild(detach bool) (Tree, bool, error) {
	r, ok := t.Rebuild()
	if !ok || r.Position() != RebuildEnd {
		return t, false, nil
	}
	leaf := r.bucket.Bucket(leafName)
	if leaf == nil {
		return t, false, noBucket(leafName)
	}
	counts, err := r.counts()
	if err != nil {
		return t, false, err
	}
	for _, name := range rebuilt {
		if old := t.root.Bucket(name); old != nil {
			if detach {
				err = forget(old, leaf)
			}
			if err == nil {
				err = t.root.DeleteBucket(name)
			}
		}
		if err == nil {
			err = r.bucket.MoveBucket(name, t.root)
		}
		if err != nil {
			return t, false, fmt.Errorf("%w: bucket %q: %v", ErrDamaged, name, err)
		}
	}
	t.base = &counts
	return t, true, t.root.Tx().DeleteBucket(rebuildName)
}

// forget makes b a bucket without pages, so that bbolt deletes it without a look
// at those that it has. bbolt has no means to delete what it cannot read, but
// passes over the pages of a bucket that stands in its parent's page: one whose
// root page is 0, and whose keys are in memory. It is given those of leaf.
func forget(b, leaf *bbolt.Bucket) error {
	b.SetRootPage(leaf.Root())
	if err := b.SetSequence(0); err != nil { // which reads the root page
		return err
	}
	b.SetRootPage(0)
	return nil
}
