package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// Format is the version of the layout that this package writes, and the
// newest that it reads.
const Format = 1

// ErrDamaged is returned for a tree that lacks a bucket, or a value of meta or
// counts that has not the form it was written in.
var ErrDamaged = errors.New("index is damaged")

// ErrFormat is returned for a file that holds no tree of a known format.
var ErrFormat = errors.New("unknown format")

var (
	rootName   = []byte("jobstore")
	metaName   = []byte("meta")
	countsName = []byte("counts")

	formatKey = []byte("format")
	mintedKey = []byte("minted")
	// largestKey is the key of the size of the largest record that was ever stored.
	largestKey = []byte("largest")
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
	return meta.Put(formatKey, binary.BigEndian.AppendUint64(nil, Format))
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
	id        int
	root      uint64
	numbers   [len(Names)]uint64
	counts    Counts
	countsErr error
}

// Read returns the view of tx. It fails with ErrFormat when the file holds none.
// Last is the snapshot of an earlier view, or nil; if tx sees the same one, it is
// used again. Pages are noted in checked, which belongs to the open file.
func Read(tx *bbolt.Tx, checked *page.Checked, last *Snapshot) (View, error) {
	if last != nil && last.id == tx.ID() {
		return View{root: page.RootAt(tx, checked, last.root), tx: tx, snapshot: last}, nil
	}
	v := View{root: page.Root(tx, checked), tx: tx}
	if _, ok := v.root.Bucket(rootName); !ok {
		return View{}, fmt.Errorf("%w: no bucket %q", ErrFormat, rootName)
	}
	v.snapshot = &Snapshot{id: tx.ID(), root: v.root.Number()}
	for i, name := range Names {
		if b, err := v.bucket([]byte(name)); err == nil {
			v.snapshot.numbers[i] = b.Number()
		}
	}
	v.snapshot.counts, v.snapshot.countsErr = v.readCounts()
	return v, nil
}

// Snapshot returns what Read can be given the next time.
func (v View) Snapshot() *Snapshot { return v.snapshot }

// Counts returns the counters.
func (v View) Counts() (*Counts, error) { return &v.snapshot.counts, v.snapshot.countsErr }

// Bucket returns a bucket that holds an entry for every job.
func (v View) Bucket(name Name) (page.Bucket, error) {
	for i, n := range Names {
		if number := v.snapshot.numbers[i]; n == name && number != 0 {
			return v.root.Numbered(number), nil
		}
	}
	return v.bucket([]byte(name))
}

func (v View) bucket(name []byte) (page.Bucket, error) {
	root, ok := v.root.Bucket(rootName)
	if !ok {
		return page.Bucket{}, noBucket(rootName)
	}
	b, ok := root.Bucket(name)
	if !ok {
		return page.Bucket{}, noBucket(name)
	}
	return b, nil
}

func noBucket(name []byte) error {
	return fmt.Errorf("%w: no bucket %q", ErrDamaged, name)
}

// Format returns the version of the layout, and ErrFormat when it is newer than
// this package knows.
func (v View) Format() (int, error) {
	meta, err := v.bucket(metaName)
	if err != nil {
		return 0, err
	}
	value := meta.Get(formatKey)
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: format version of %d bytes", ErrDamaged, len(value))
	}
	version := binary.BigEndian.Uint64(value)
	if version == 0 || version > Format {
		return 0, fmt.Errorf("%w: file has format %d, this package reads up to %d", ErrFormat, version, Format)
	}
	return int(version), nil
}

// Minted returns what Tree.SetMinted kept; nil when nothing was.
func (v View) Minted() ([]byte, error) {
	meta, err := v.bucket(metaName)
	if err != nil {
		return nil, err
	}
	value := meta.Get(mintedKey)
	if value == nil {
		return nil, nil
	}
	return unseal(mintedKey, value)
}

// Largest returns what Tree.SetLargest kept; 0 when nothing was.
func (v View) Largest() (int, error) {
	meta, err := v.bucket(metaName)
	if err != nil {
		return 0, err
	}
	value := meta.Get(largestKey)
	if value == nil {
		return 0, nil
	}
	value, err = unseal(largestKey, value)
	if err == nil && len(value) != 8 {
		err = fmt.Errorf("%w: size of the largest record of %d bytes", ErrDamaged, len(value))
	}
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint64(value)), nil
}

// Size returns how many bytes of the file the engine has handed out so far.
func (v View) Size() int64 { return v.tx.Size() }

// A Tree is the tree of buckets in a write transaction, for changing it.
type Tree struct {
	root *bbolt.Bucket
	read View
	base *Counts // the counters, where they are not those of read
}

// Open returns the tree in tx, which is a write transaction.
func Open(tx *bbolt.Tx, checked *page.Checked) (Tree, error) {
	root := tx.Bucket(rootName)
	if root == nil {
		return Tree{}, fmt.Errorf("%w: no bucket %q", ErrFormat, rootName)
	}
	view, err := Read(tx, checked, nil)
	return Tree{root: root, read: view}, err
}

// counts returns the counters as they were before a Batch is applied.
func (t Tree) counts() (*Counts, error) {
	if t.base != nil {
		return t.base, nil
	}
	return t.read.Counts()
}

// Committed returns the view of the tree as it was before the transaction.
func (t Tree) Committed() View { return t.read }

// Bucket returns a bucket that holds an entry for every job. Its fill percent
// is set for the way it is written to: all but input take new keys at the end
// of a run, where a page filled to a half would never see another key. A tenth
// is left free for the updates that come later.
func (t Tree) Bucket(name Name) (*bbolt.Bucket, error) {
	b, err := t.bucket([]byte(name))
	if err == nil && name != Input {
		b.FillPercent = 0.9
	}
	return b, err
}

func (t Tree) bucket(name []byte) (*bbolt.Bucket, error) {
	b := t.root.Bucket(name)
	if b == nil {
		return nil, noBucket(name)
	}
	return b, nil
}

// look returns a cursor over a bucket as last committed; nil for the tree of a
// rebuild.
func (t Tree) look(name Name) (*page.Cursor, error) {
	if t.read.snapshot == nil {
		return nil, nil
	}
	b, err := t.read.Bucket(name)
	if err != nil {
		return nil, err
	}
	return b.Cursor(), nil
}

// SetMinted keeps the last minted ID.
func (t Tree) SetMinted(id []byte) error {
	meta, err := t.bucket(metaName)
	if err != nil {
		return err
	}
	return meta.Put(mintedKey, seal(mintedKey, id))
}

// SetLargest keeps the size of the largest record that was ever stored.
func (t Tree) SetLargest(size int) error {
	meta, err := t.bucket(metaName)
	if err != nil {
		return err
	}
	return meta.Put(largestKey, seal(largestKey, binary.BigEndian.AppendUint64(nil, uint64(size))))
}
