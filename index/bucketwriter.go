package index

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

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
		if parent == nil && at >= 0 && t.read.snapshot.numbers[at] != 0 {
			b, err := t.read.bucketAt(at)
			w.follow(b, err == nil)
		} else {
			w.follow(t.committed(w.path, generation))
		}
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
