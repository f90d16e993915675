package index

import (
	"bytes"

	"github.com/jobstore/jobstore/internal/page"
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
	cur     *page.Cursor
	prefix  []byte
	limit   []byte // the first key past the bounds in the direction of the walk; nil is none
	id      []byte
	value   []byte
	reverse bool
}

// appendSuccessor appends the first key behind all that start with prefix. It
// appends nothing, which stands for the end of the bucket, when there is none.
func appendSuccessor(dst, prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			dst = append(dst, prefix[:i+1]...)
			dst[len(dst)-1]++
			return dst
		}
	}
	return dst
}

// place moves the cursor to the first entry at or past start, in the direction
// of the walk; start itself belongs only to an ascending one. It returns the key
// there, whatever its prefix; nil at the end of the bucket.
func (br *branch) place(start []byte) (key []byte) {
	switch {
	case !br.reverse:
		key, br.value = br.cur.Seek(start)
	case len(start) == 0:
		key, br.value = br.cur.Last()
	default:
		key, br.value = br.cur.Before(start)
	}
	return key
}

// proveBehind proves the entry that the walk leaves behind at its start, in a bucket
// whose entries are proven when they are used. If its key is damaged, it may be one of
// the range.
func (br *branch) proveBehind(first []byte) {
	bucket := br.cur.Bucket()
	if !bucket.IsLate() {
		return
	}
	var side page.Cursor
	side.Follow(br.cur)
	switch {
	case br.reverse && first == nil:
		bucket.ProveEntry(side.First())
	case br.reverse:
		bucket.ProveEntry(side.Next())
	default:
		bucket.ProveEntry(side.Prev())
	}
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
		br.cur.Bucket().ProveEntry(key, br.value)
		br.id = nil
		return false
	}
	br.id = key[len(br.prefix):]
	return true
}

func (br *branch) within(key []byte) bool {
	if br.reverse {
		return bytes.Compare(key, br.limit) > 0 // an empty limit is before every key
	}
	return len(br.limit) == 0 || bytes.Compare(key, br.limit) < 0
}
