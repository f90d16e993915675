package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// ErrDamaged is returned for a tree that lacks a bucket, for an entry whose seal does
// not fit, and for one that does not have the form in which it was written.
var ErrDamaged = errors.New("index is damaged")

// ErrFormat is returned for a file that holds no tree of the known format.
var ErrFormat = errors.New("unknown format")

var (
	rootName   = []byte("jobstore")
	metaName   = []byte("meta")
	countsName = []byte("counts")
)

// A Name is the name of a bucket that holds an entry for every job.
type Name string

// The buckets that hold an entry for every job.
const (
	Jobs   Name = "jobs"
	Kind   Name = "kind"
	Status Name = "status"
	Input  Name = "input"
)

// Names lists the buckets that hold an entry for every job, records first.
var Names = [...]Name{Jobs, Kind, Status, Input}

// PathOf returns the names of the buckets from the root to one that holds an entry
// for every job.
func PathOf(name Name) [][]byte { return [][]byte{rootName, []byte(name)} }

// CountsPath returns the names of the buckets from the root to the counters.
func CountsPath() [][]byte { return [][]byte{rootName, countsName} }

// Create makes an empty tree.
func Create(tx *bbolt.Tx) error {
	root, err := tx.CreateBucket(rootName)
	if err != nil {
		return err
	}
	for _, name := range Names {
		if _, err := root.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	if _, err := root.CreateBucket(countsName); err != nil {
		return err
	}
	meta, err := root.CreateBucket(metaName)
	if err != nil {
		return err
	}
	seal := newSealer(string(metaName), 0)
	s := settings{txid: uint64(tx.ID())}
	return errors.Join(
		meta.Put(formatKey, seal.seal(formatKey, binary.BigEndian.AppendUint64(nil, Format))),
		meta.Put(flagsKey, seal.seal(flagsKey, make([]byte, 24))),
		meta.Put(sumsKey, seal.seal(sumsKey, s.appendSums(nil))),
	)
}

// A View is the tree of buckets as it was last committed when a transaction
// began, for reading.
type View struct {
	root     page.Bucket
	tx       *bbolt.Tx
	snapshot *Snapshot
}

// A Snapshot is what the views of one snapshot share, so that only the first has
// to look it up.
type Snapshot struct {
	id       int
	root     uint64
	contents [buckets]page.Content
	numbers  [buckets]uint64 // of the root pages; 0 for a bucket that is small or missing
	settings settings
	minted   []byte
	largest  int
	rebuild  *rebuildState // nil when no rebuild is under way

	counts    Counts
	countsErr error

	// damaged are the buckets that the scan after a kill has found damaged. It is handed
	// on from one snapshot to the next.
	damaged        [buckets]bool
	rebuildDamaged bool
}

// ID returns the number of the transaction that wrote the snapshot.
func (s *Snapshot) ID() int { return s.id }

// ReadOnly reports whether the file may be read and not written to.
func (s *Snapshot) ReadOnly() bool { return s.settings.flags.ReadOnly&^knownReadOnly != 0 }

// Read returns the view of tx. It fails with ErrFormat when the file holds no tree.
// Last is the snapshot of an earlier view, or nil. It is used again if tx sees the
// same commit; what it says of damaged buckets is used in any case. What is proven of
// the pages is noted in proven, which belongs to the open file and knows the roots of
// the buckets.
func Read(tx *bbolt.Tx, proven *page.Proven, last *Snapshot) (View, error) {
	id := tx.ID()
	if tx.Writable() {
		id--
	}
	if last != nil && last.id == id {
		return View{root: page.RootAt(tx, proven, last.root), tx: tx, snapshot: last}, nil
	}
	v := View{root: page.Root(tx, proven), tx: tx}
	root, ok := v.root.Bucket(rootName, page.Content{Buckets: true})
	if !ok {
		return View{}, fmt.Errorf("%w: no bucket %q", ErrFormat, rootName)
	}
	v.snapshot = &Snapshot{id: id, root: v.root.Number()}
	if last != nil {
		v.snapshot.damaged, v.snapshot.rebuildDamaged = last.damaged, last.rebuildDamaged
	}
	if err := v.snapshot.read(&root); err != nil {
		return View{}, err
	}
	return v, nil
}

// read looks up what all views share.
func (s *Snapshot) read(root *page.Bucket) error {
	metaContent, _ := content(string(metaName), 0)
	meta, ok := root.Bucket(metaName, metaContent)
	if !ok {
		return noBucket(metaName)
	}
	var err error
	if s.settings, err = parseSettings(meta.Get); err != nil {
		return err
	}
	seal := newSealer(string(metaName), 0)
	if value := meta.Get(mintedKey); value != nil {
		minted, err := seal.unseal(mintedKey, value)
		if err != nil {
			return err
		}
		// The snapshot outlives the transaction, whose memory map may be replaced.
		s.minted = bytes.Clone(minted)
	}
	if value := meta.Get(largestKey); value != nil {
		if value, err = seal.unseal(largestKey, value); err != nil {
			return err
		}
		if len(value) != 8 {
			return fmt.Errorf("%w: size of the largest record in %d bytes", ErrDamaged, len(value))
		}
		s.largest = int(binary.BigEndian.Uint64(value))
	}
	if value := meta.Get(rebuildKey); value != nil {
		if s.rebuild, err = parseRebuild(value); err != nil {
			return err
		}
	}
	if _, ok := root.BucketRoot(rebuildName); ok != (s.rebuild != nil) {
		return fmt.Errorf("%w: a rebuild has no bucket, or a bucket no rebuild", ErrDamaged)
	}
	for i, name := range bucketNames {
		s.contents[i], _ = content(name, s.settings.generation)
		number, ok := root.BucketRoot([]byte(name))
		s.numbers[i] = number
		s.damaged[i] = s.damaged[i] || !ok && s.settings.sums[i].Count > 0
	}
	if s.countsErr = s.trust(countsAt); s.countsErr == nil {
		s.counts, s.countsErr = s.readCounts(root)
	}
	return nil
}

// Snapshot returns what Read can be given the next time.
func (v View) Snapshot() *Snapshot { return v.snapshot }

// Counts returns the counters.
func (v View) Counts() (*Counts, error) { return &v.snapshot.counts, v.snapshot.countsErr }

// Sums returns how many entries each bucket has, and the sums of their seals.
func (v View) Sums() *Sums { return &v.snapshot.settings.sums }

// Bucket returns a bucket that holds an entry for every job. It fails with
// ErrDamaged for one of which Open has found that it is not what it should be.
func (v View) Bucket(name Name) (page.Bucket, error) {
	if at := slices.Index(Names[:], name); at >= 0 {
		if err := v.snapshot.trust(at); err != nil {
			return page.Bucket{}, err
		}
	}
	return v.Damaged(name)
}

// Damaged is Bucket for one that may be damaged.
func (v View) Damaged(name Name) (page.Bucket, error) {
	at := slices.Index(Names[:], name)
	if at < 0 {
		return page.Bucket{}, noBucket([]byte(name))
	}
	return v.bucketAt(at)
}

// Sound reports whether the scan after a kill has found nothing damaged.
func (s *Snapshot) Sound() bool { return s.damaged == [buckets]bool{} && !s.rebuildDamaged }

// trust returns why a bucket is not to be used.
func (s *Snapshot) trust(at int) error {
	if s.damaged[at] {
		return fmt.Errorf("%w: bucket %q is not as the last commit has left it", ErrDamaged, bucketNames[at])
	}
	return nil
}

// bucketAt returns a bucket by its place in bucketNames.
func (v View) bucketAt(i int) (page.Bucket, error) {
	if number := v.snapshot.numbers[i]; number != 0 {
		return v.root.Numbered(number, v.snapshot.contents[i]), nil
	}
	return v.bucket([]byte(bucketNames[i]), v.snapshot.contents[i])
}

func (v View) bucket(name []byte, content page.Content) (page.Bucket, error) {
	root, ok := v.root.Bucket(rootName, page.Content{Buckets: true})
	if !ok {
		return page.Bucket{}, noBucket(rootName)
	}
	b, ok := root.Bucket(name, content)
	if !ok {
		return page.Bucket{}, noBucket(name)
	}
	return b, nil
}

func noBucket(name []byte) error {
	return fmt.Errorf("%w: no bucket %q", ErrDamaged, name)
}

// Minted returns what Tree.SetMinted kept; nil when nothing was.
func (v View) Minted() []byte { return v.snapshot.minted }

// Largest returns what Tree.SetLargest kept; 0 when nothing was.
func (v View) Largest() int { return v.snapshot.largest }

// Size returns how many bytes of the file the engine has handed out so far.
func (v View) Size() int64 { return v.tx.Size() }
