package index

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Bounds are the part of a key range that a scan reads, and its direction: the
// IDs strictly between Low and High. An empty one is open.
type Bounds struct {
	Low, High string // without "job_"
	Reverse   bool   // from High down to Low
}

// A branch walks the entries of one prefix within the bounds. Its head is the
// entry that it stands on; id is the part of the head's key behind the prefix.
type branch struct {
	cur     *bbolt.Cursor
	prefix  []byte
	limit   []byte // the first key past the bounds, in the direction of the walk
	id      []byte
	value   []byte
	reverse bool
}

// newBranch returns a branch that will walk with cur, and where to place it.
func newBranch(cur *bbolt.Cursor, prefix []byte, bounds Bounds) (br branch, start []byte) {
	low := append(bytes.Clone(prefix), bounds.Low...)
	var high []byte
	if bounds.High != "" {
		high = append(bytes.Clone(prefix), bounds.High...)
	} else {
		high = successor(prefix)
	}
	br = branch{cur: cur, prefix: prefix, reverse: bounds.Reverse}
	if bounds.Reverse {
		br.limit = low
		return br, high
	}
	br.limit = high
	if bounds.Low != "" {
		low = append(low, 0) // the key after prefix ‖ Low, as no ID holds a zero
	}
	return br, low
}

// successor returns the first key behind all that start with prefix; nil, which
// stands for the end of the bucket, when there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}

// place moves the cursor to the first entry at or past start, in the direction
// of the walk; start itself belongs only to an ascending one. It returns the key
// there, whatever its prefix; nil at the end of the bucket.
func (br *branch) place(start []byte) (key []byte) {
	switch {
	case !br.reverse:
		key, br.value = br.cur.Seek(start)
	case start == nil:
		key, br.value = br.cur.Last()
	default:
		br.cur.Seek(start)
		key, br.value = br.cur.Prev()
	}
	return key
}

// step moves the cursor one entry on and returns the key there.
func (br *branch) step() (key []byte) {
	if br.reverse {
		key, br.value = br.cur.Prev()
	} else {
		key, br.value = br.cur.Next()
	}
	return key
}

// stand makes key, to which the cursor has moved, the head, and reports whether
// it is within the bounds. A key before them is not looked for: place does not
// go there.
func (br *branch) stand(key []byte) bool {
	if key == nil || !br.within(key) {
		br.id = nil
		return false
	}
	br.id = key[len(br.prefix):]
	return true
}

func (br *branch) within(key []byte) bool {
	if br.reverse {
		return bytes.Compare(key, br.limit) > 0
	}
	return br.limit == nil || bytes.Compare(key, br.limit) < 0
}

// ahead reports whether the head of br comes before that of other.
func (br *branch) ahead(other *branch) bool {
	c := bytes.Compare(br.id, other.id)
	return c < 0 != br.reverse
}
