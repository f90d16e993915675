package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
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

// A Tree is the tree of buckets as one transaction sees it.
type Tree struct{ root *bbolt.Bucket }

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

// Open returns the tree in tx.
func Open(tx *bbolt.Tx) (Tree, error) {
	root := tx.Bucket(rootName)
	if root == nil {
		return Tree{}, fmt.Errorf("%w: no bucket %q", ErrFormat, rootName)
	}
	return Tree{root: root}, nil
}

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
		return nil, fmt.Errorf("%w: no bucket %q", ErrDamaged, name)
	}
	return b, nil
}

// Format returns the version of the layout, and ErrFormat when it is newer than
// this package knows.
func (t Tree) Format() (int, error) {
	meta, err := t.bucket(metaName)
	if err != nil {
		return 0, err
	}
	v := meta.Get(formatKey)
	if len(v) != 8 {
		return 0, fmt.Errorf("%w: format version of %d bytes", ErrDamaged, len(v))
	}
	version := binary.BigEndian.Uint64(v)
	if version == 0 || version > Format {
		return 0, fmt.Errorf("%w: file has format %d, this package reads up to %d", ErrFormat, version, Format)
	}
	return int(version), nil
}

// Minted returns what SetMinted kept; nil when nothing was.
func (t Tree) Minted() ([]byte, error) {
	meta, err := t.bucket(metaName)
	if err != nil {
		return nil, err
	}
	return meta.Get(mintedKey), nil
}

// SetMinted keeps the last minted ID.
func (t Tree) SetMinted(id []byte) error {
	meta, err := t.bucket(metaName)
	if err != nil {
		return err
	}
	return meta.Put(mintedKey, id)
}

// Snapshot returns a number that grows with every commit: two transactions that
// have the same see the same tree.
func (t Tree) Snapshot() int { return t.root.Tx().ID() }

// Size returns how many bytes of the file the engine has handed out so far.
func (t Tree) Size() int64 { return t.root.Tx().Size() }
