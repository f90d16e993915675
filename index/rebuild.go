package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// The indexes are built anew in a bucket of their own, beside the old ones, which go
// on being used and written to until the new ones are complete:
//
//	rebuild
//	├─ kind, status, input  as under jobstore, of the records read
//	└─ leaf                 one page, see forget
//
// How far that has come, with the counters and sums of what was read, stands in meta.
//
// Every write also goes here. So the new indexes have the entries of all records up
// to the position, whatever becomes of the records meanwhile. They also have those
// of some records beyond it, which are put again when these are read. The counters
// are of the records up to the position alone.
var (
	rebuildName = []byte("rebuild")
	leafName    = []byte("leaf")
)

// RebuildEnd is the position of a rebuild that has read every record. It sorts
// after every ID.
const RebuildEnd = "\xff"

// A rebuildState is how far a rebuild has come.
type rebuildState struct {
	// position is the ID, without "job_", of the last record that was read; it is
	// empty at first and RebuildEnd at the end.
	position string
	damaged  uint64 // how many of the records that were read are damaged
	// sums are those of the records that were read, and of the new indexes.
	sums   [inputAt + 1]page.Sum
	counts Counts
}

// rebuildHead is the length of a rebuildState in the file ahead of the position.
const rebuildHead = 8 + 16*(inputAt+1) + 8*MaxPairs

func (r *rebuildState) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, r.damaged)
	dst = appendSums(dst, r.sums[:])
	for s := 1; s <= MaxCode; s++ {
		for k := 1; k <= MaxCode; k++ {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(r.counts[s][k]))
		}
	}
	return append(dst, r.position...)
}

func parseRebuild(sealed []byte) (*rebuildState, error) {
	value, err := newSealer(string(metaName), 0).unseal(rebuildKey, sealed)
	if err != nil {
		return nil, err
	}
	if len(value) < rebuildHead {
		return nil, fmt.Errorf("%w: rebuild of %d bytes", ErrDamaged, len(value))
	}
	r := &rebuildState{damaged: binary.LittleEndian.Uint64(value), position: string(value[rebuildHead:])}
	parseSums(value[8:], r.sums[:])
	counts := value[8+16*len(r.sums):]
	for s := range MaxCode {
		for k := range MaxCode {
			r.counts[s+1][k+1] = int64(binary.LittleEndian.Uint64(counts[8*(s*MaxCode+k):]))
		}
	}
	return r, nil
}

// StartRebuild starts a rebuild, if none has been started that can go on. It returns
// whether pages had to be given up that could not be read.
func (t *Tree) StartRebuild() (leaked bool, err error) {
	if t.rebuildDamaged {
		if leaked, err = t.AbandonRebuild(); err != nil {
			return leaked, err
		}
	}
	if t.rebuild != nil {
		return leaked, nil
	}
	return leaked, t.startRebuild()
}

func (t *Tree) startRebuild() error {
	if _, err := t.root.CreateBucket(rebuildName); err != nil {
		return err
	}
	t.rebuild = &rebuildState{}
	for at := kindAt; at <= inputAt; at++ {
		if _, err := t.rebuilt(at); err != nil {
			return err
		}
	}
	leaf, err := t.writer(rebuildName, leafName, -1, 0)
	if err != nil {
		return err
	}
	// Too long for bbolt to keep the bucket within its parent's page.
	leaf.old.key = leafName
	return leaf.bolt.Put(leafName, make([]byte, t.tx.DB().Info().PageSize/2))
}

// rebuilt returns what changes one of the new indexes.
func (t *Tree) rebuilt(at int) (*bucketWriter, error) {
	w, err := t.writer(rebuildName, []byte(bucketNames[at]), at, t.settings.generation+1)
	if err == nil && !w.changed {
		w.changed = true
		w.sum = t.rebuild.sums[at]
	}
	return w, err
}

// writeRebuild writes how far a rebuild has come.
func (t *Tree) writeRebuild() error {
	if t.rebuild == nil {
		return nil
	}
	for at := kindAt; at <= inputAt; at++ {
		if w := t.writers[string(rebuildName)+"/"+bucketNames[at]]; w != nil {
			t.rebuild.sums[at] = w.sum
		}
	}
	return t.setMeta(rebuildKey, t.rebuild.append(nil))
}

// Rebuild returns the position of the rebuild that was started, and whether one was.
func (t *Tree) Rebuild() (position string, ok bool) {
	if t.rebuild == nil {
		return "", false
	}
	return t.rebuild.position, true
}

// Rebuilt returns how many records the rebuild has read, and how many of them were
// damaged.
func (t *Tree) Rebuilt() (jobs, damaged int64) {
	return t.rebuild.counts.Total() + int64(t.rebuild.damaged), int64(t.rebuild.damaged)
}

// rebuildRecord takes in a change of a record that a rebuild has read.
func (t *Tree) rebuildRecord(id, value, old []byte) {
	if t.rebuild == nil || string(id) > t.rebuild.position {
		return
	}
	if old != nil {
		t.rebuild.sums[jobsAt].Remove(record.Seal(old))
	}
	if value != nil {
		t.rebuild.sums[jobsAt].Add(record.Seal(value))
	}
}

// Advance moves the position of the rebuild to the ID of the last record that was
// read. b has the entries of those that were read since the last position, seals the
// checksums of these and of those that could not be read, which are damaged.
func (t *Tree) Advance(position string, b *Batch, seals []uint32, damaged int) error {
	t.rebuild.damaged += uint64(damaged)
	t.rebuild.position = position
	for _, seal := range seals {
		t.rebuild.sums[jobsAt].Add(seal)
	}
	return b.ApplyRebuild(t)
}

// ApplyRebuild writes the changes to the indexes that are being rebuilt, if any
// are.
func (b *Batch) ApplyRebuild(t *Tree) error {
	if t.rebuild == nil || t.rebuildDamaged {
		return nil
	}
	for at := kindAt; at <= inputAt; at++ {
		w, err := t.rebuilt(at)
		if err == nil {
			err = b.putKeys(w, at)
		}
		if err != nil {
			return err
		}
	}
	for _, c := range b.changes[statusAt] {
		e, ok := ParseKey(Status, b.bytes(c))
		switch {
		case !ok || e.ID > t.rebuild.position:
		case c.remove:
			t.rebuild.counts.Add(e.Pair, -1)
		default:
			t.rebuild.counts.Add(e.Pair, 1)
		}
	}
	return nil
}

// FinishRebuild puts the new indexes and counters in the place of the old ones. It
// does nothing when the rebuild has not come to its end. Nothing may have been
// written to the rebuild in this transaction: bbolt moves buckets as they were
// committed.
//
// The pages of the old ones are freed, for which they must have been proven. With
// detach they are only forgotten, and not used again before the file is scanned
// for free pages.
func (t *Tree) FinishRebuild(detach bool) error {
	if t.rebuild == nil || t.rebuild.position != RebuildEnd {
		return nil
	}
	leaf, err := t.writer(rebuildName, leafName, -1, 0)
	if err != nil {
		return err
	}
	rebuild := t.root.Bucket(rebuildName)
	for at := kindAt; at <= countsAt; at++ {
		name := []byte(bucketNames[at])
		err := t.drop(t.root, name, detach, leaf.bolt)
		if err == nil && at != countsAt {
			err = rebuild.MoveBucket(name, t.root)
		}
		if err != nil {
			return fmt.Errorf("%w: bucket %q: %v", ErrDamaged, name, err)
		}
		delete(t.writers, string(name))
		t.damaged[at] = false
	}
	leaf.look.Bucket().ProveAll()
	state := t.rebuild
	t.settings.generation++
	copy(t.settings.sums[:], state.sums[:])
	for at := kindAt; at <= inputAt; at++ {
		t.moved(at)
	}
	t.settings.sums[countsAt] = page.Sum{}
	t.counts, t.countsErr = Counts{}, nil
	if err := t.setCounts(&state.counts); err != nil {
		return err
	}
	return t.endRebuild()
}

// moved makes the writer of an index that was moved out of the rebuild.
func (t *Tree) moved(at int) {
	name := []byte(bucketNames[at])
	w := &bucketWriter{
		path: [][]byte{rootName, name}, bolt: t.root.Bucket(name),
		seal: newSealer(bucketNames[at], t.settings.generation), sum: t.settings.sums[at],
	}
	w.follow(t.committed([][]byte{rootName, rebuildName, name}, t.settings.generation))
	t.writers[bucketNames[at]] = w
}

// endRebuild drops the bucket of the rebuild, and what is known of it.
func (t *Tree) endRebuild() error {
	for at := kindAt; at <= inputAt; at++ {
		delete(t.writers, string(rebuildName)+"/"+bucketNames[at])
	}
	delete(t.writers, string(rebuildName)+"/"+string(leafName))
	t.rebuild, t.rebuildDamaged = nil, false
	if err := t.root.DeleteBucket(rebuildName); err != nil {
		return err
	}
	return t.setMeta(rebuildKey, nil)
}

// AbandonRebuild drops an unfinished rebuild, if there is one. It returns whether
// pages had to be given up that could not be read.
func (t *Tree) AbandonRebuild() (leaked bool, err error) {
	if t.rebuild == nil {
		return false, nil
	}
	leaf, ok := t.committed([][]byte{rootName, rebuildName, leafName}, 0)
	if ok {
		leaf.ProveAll()
	}
	rebuild := t.root.Bucket(rebuildName)
	for at := kindAt; at <= inputAt; at++ {
		name := []byte(bucketNames[at])
		detach := t.unproven([][]byte{rootName, rebuildName, name})
		if err := t.drop(rebuild, name, detach, rebuild.Bucket(leafName)); err != nil {
			return leaked, err
		}
		leaked = leaked || detach
	}
	return leaked, t.endRebuild()
}

// unproven reports whether the bucket at path has pages that cannot be proven.
func (t *Tree) unproven(path [][]byte) (damaged bool) {
	defer func() { damaged = damaged || recover() != nil }()
	if b, ok := t.committed(path, t.settings.generation+1); ok {
		b.ProveAll()
	}
	return false
}

// drop deletes a bucket, whose pages were proven unless detach is set. Then they
// are forgotten.
func (t *Tree) drop(parent *bbolt.Bucket, name []byte, detach bool, leaf *bbolt.Bucket) error {
	old := parent.Bucket(name)
	if old == nil {
		return nil
	}
	if detach {
		if err := forget(old, leaf); err != nil {
			return err
		}
	}
	err := parent.DeleteBucket(name)
	if errors.Is(err, bbolterrors.ErrBucketNotFound) {
		return nil
	}
	return err
}

// forget makes b a bucket without pages, so that bbolt deletes it without reading
// the pages that it has. bbolt cannot delete what it cannot read. But it reads no page
// of a bucket that stands in its parent's page, which has the root page 0 and its keys
// in memory. So b is given the keys of leaf, a bucket of one small page, and then the
// root page 0.
func forget(b *bbolt.Bucket, leaf *bbolt.Bucket) error {
	b.SetRootPage(leaf.Root())
	if err := b.SetSequence(0); err != nil { // which reads the root page
		return err
	}
	b.SetRootPage(0)
	return nil
}
