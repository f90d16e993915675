package page

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// A Layout is what the meta page of a file says of it.
type Layout struct {
	PageSize int
	Pages    uint64 // pages below this number are in use or free
	Root     uint64 // page of the bucket of top-level buckets
	Freelist uint64 // page of the list of free pages; NoFreelist for none
}

// NoFreelist stands for a list of free pages that was not written.
const NoFreelist = ^uint64(0)

// Verify reads the pages that hold a file together, before bbolt trusts them: it
// follows every page number that it reads without a bound, and scans a file that
// has no list of free pages in a goroutine whose panics nobody can recover from.
//
// It reads all branch pages, the pages that hold the roots of buckets, and the
// list of free pages. Without such a list, when bbolt will read everything, it
// reads the leaves too. Every page must say who it is and be pointed at once, its
// elements must lie within it, and its keys must be sorted and within what its
// parent says; a free page must not be in use.
//
// Top-level buckets hold buckets, which hold keys alone. It returns a Damage, or
// an error of r.
func Verify(r io.ReaderAt, l Layout) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Damage:
			err = r
		case readError:
			err = r.error
		default:
			panic(r)
		}
	}()
	v := verifier{Layout: l, r: r, all: l.Freelist == NoFreelist, seen: newSet(l.Pages)}
	v.seen.add(0)
	v.seen.add(1)
	v.bucket(l.Root, levelsOfBuckets)
	if !v.all {
		v.freelist()
	}
	return nil
}

// A verifier is one run of Verify.
type verifier struct {
	Layout
	r    io.ReaderAt
	all  bool // whether all leaves are read
	seen set  // pages that are pointed at, and what they overflow into

	leafDepth int // of the bucket at hand; -1 before its first leaf
	leaves    bool
	levels    [maxDepth][]byte // the page that is open at each depth
}

// readError carries an error of the file out of a descent.
type readError struct{ error }

// levelsOfBuckets is the number of levels at which the leaves of buckets hold
// buckets: the root and what is right under it.
const levelsOfBuckets = 2

// bucket verifies the tree of one bucket, and of the buckets in it down to some
// levels.
func (v *verifier) bucket(root uint64, levels int) {
	var children []uint64
	v.leafDepth, v.leaves = -1, v.all || levels > 0
	v.tree(root, 0, nil, nil, func(n *node, i int32) {
		flags := binary.NativeEndian.Uint32(n.element(i))
		if flags == 0 {
			return
		}
		value := n.value(i)
		if levels == 0 || flags != bucketFlag || len(value) < bucketHeaderLen {
			damaged("element %q has flags %#x and %d bytes", n.key(i), flags, len(value))
		}
		if root := binary.NativeEndian.Uint64(value); root != 0 {
			children = append(children, root)
			return
		}
		if len(value) < bucketHeaderLen+headerLen {
			damaged("bucket %q has %d bytes", n.key(i), len(value))
		}
		inline := newNode(value[bucketHeaderLen:], 0)
		if !inline.leaf {
			damaged("bucket %q has a branch in it", n.key(i))
		}
		inline.verify(0, v.PageSize, nil, nil)
	})
	for _, root := range children {
		v.bucket(root, levels-1)
	}
}

// tree verifies the tree under page id, whose keys must be at or past low and
// before high, where these are not nil, and calls each with every element of its
// leaves that it reads.
func (v *verifier) tree(id uint64, depth int, low, high []byte, each func(n *node, i int32)) {
	if depth == maxDepth {
		damaged("tree is deeper than %d pages at page %d", maxDepth, id)
	}
	v.take(id)
	// All leaves of a tree are at one depth. Where that is, is known from the
	// first, and the others need not be looked at to be told from branches.
	if depth == v.leafDepth && !v.leaves {
		return
	}
	n := v.read(id, depth)
	if n.leaf && v.leafDepth < 0 {
		v.leafDepth = depth
	}
	if n.leaf != (depth == v.leafDepth) {
		damaged("page %d is at the depth of a leaf, or is a leaf at that of a branch", id)
	}
	n.verify(id, v.PageSize, low, high)
	if n.leaf {
		for i := range n.count {
			each(&n, i)
		}
		return
	}
	for i := range n.count {
		childHigh := high
		if i+1 < n.count {
			childHigh = n.key(i + 1)
		}
		v.tree(n.child(i), depth+1, n.key(i), childHigh, each)
	}
}

// verify checks that the keys and values of a page lie behind its elements without
// a gap, as bbolt packs them, in as many pages as they need, and that the keys
// ascend from low and stay before high, where these are not nil. A small bucket's
// page, whose id is 0, ends where its last value does.
func (n *node) verify(id uint64, pageSize int, low, high []byte) {
	end := headerLen + int(n.count)*elementLen
	// A page without elements is that of a file without buckets, and empty.
	if end > len(n.b) || n.count == 0 && len(bytes.TrimLeft(n.b[headerLen:], "\x00")) > 0 {
		damaged("page %d has %d elements", id, n.count)
	}
	last := low
	for i := range n.count {
		start, key, value := n.extent(i)
		if start != end || key == 0 || start+key+value > len(n.b) {
			damaged("page %d: element %d is at %d, not at %d, of %d+%d bytes", id, i, start, end, key, value)
		}
		k := n.b[start : start+key]
		if c := bytes.Compare(last, k); c > 0 || c == 0 && i > 0 || high != nil && bytes.Compare(k, high) >= 0 {
			damaged("page %d: key %d is out of order", id, i)
		}
		last, end = k, start+key+value
	}
	fits := (end+pageSize-1)/pageSize == len(n.b)/pageSize
	if id == 0 {
		fits = end == len(n.b)
	}
	if !fits {
		damaged("page %d has %d bytes in %d", id, end, len(n.b))
	}
}

// extent returns where the key of element i starts in its page, and the lengths
// of the key and of the value behind it, which no branch has.
func (n *node) extent(i int32) (start, key, value int) {
	e := n.element(i)
	u32 := func(at int) int { return int(binary.NativeEndian.Uint32(e[at:])) }
	start = headerLen + int(i)*elementLen
	if n.leaf {
		return start + u32(4), u32(8), u32(12)
	}
	return start + u32(0), u32(4), 0
}

// take marks a page that something points at.
func (v *verifier) take(id uint64) {
	if id >= v.Pages {
		damaged("page %d is past the last, %d", id, v.Pages)
	}
	if !v.seen.add(id) {
		damaged("page %d is pointed at more than once", id)
	}
}

// read returns the node on page id, in the memory of its depth.
func (v *verifier) read(id uint64, depth int) node {
	b, overflow := v.pageAt(id, v.levels[depth])
	v.levels[depth] = b
	for i := range overflow {
		v.take(id + 1 + i)
	}
	return newNode(b, id)
}

// pageAt reads a page with what it overflows into, into buf where that is long
// enough.
func (v *verifier) pageAt(id uint64, buf []byte) (b []byte, overflow uint64) {
	b = v.readAt(id, v.PageSize, buf)
	overflow = uint64(binary.NativeEndian.Uint32(b[12:]))
	if overflow == 0 {
		return b, 0
	}
	if overflow >= v.Pages-id {
		damaged("page %d overflows past the last page", id)
	}
	return v.readAt(id, int(overflow+1)*v.PageSize, buf), overflow
}

func (v *verifier) readAt(id uint64, n int, buf []byte) []byte {
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := v.r.ReadAt(buf, int64(id)*int64(v.PageSize)); err != nil {
		panic(readError{fmt.Errorf("page %d: %w", id, err)})
	}
	return buf
}

const (
	freelistFlag = 0x10
	// longCount as the count of a list of free pages says that the count is the
	// first number in it.
	longCount = 0xffff
	// maxHeads is how many leaves at most are looked at for what they overflow
	// into, as a file of large jobs has no others.
	maxHeads = 20000
)

// freelist verifies the list of free pages: they ascend and none is in use. And
// all pages that are neither used nor free must be what leaves overflow into.
func (v *verifier) freelist() {
	v.take(v.Freelist)
	b, overflow := v.pageAt(v.Freelist, nil)
	for i := range overflow {
		v.take(v.Freelist + 1 + i)
	}
	order := binary.NativeEndian
	count, ids := uint64(order.Uint16(b[10:])), b[headerLen:]
	if is, flags := order.Uint64(b), order.Uint16(b[8:]); is != v.Freelist || flags != freelistFlag {
		damaged("list of free pages on page %d: number %d, flags %#x", v.Freelist, is, flags)
	}
	if count == longCount {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		damaged("list of free pages has %d in %d bytes", count, len(ids))
	}
	last := uint64(1)
	for i := range count {
		id := order.Uint64(ids[i*8:])
		if id <= last {
			damaged("list of free pages is out of order at page %d", id)
		}
		last = id
		v.take(id)
	}
	v.overflows()
}

// overflows verifies that each run of pages that nothing points at belongs to the
// page ahead of it.
func (v *verifier) overflows() {
	heads := 0
	head := make([]byte, headerLen)
	for id := v.seen.nextGap(2); id < v.Pages && heads < maxHeads; heads++ {
		end := id + 1
		for end < v.Pages && !v.seen.has(end) {
			end++
		}
		if _, err := v.r.ReadAt(head, int64(id-1)*int64(v.PageSize)); err != nil {
			panic(readError{fmt.Errorf("page %d: %w", id-1, err)})
		}
		order := binary.NativeEndian
		if order.Uint64(head) != id-1 || order.Uint16(head[8:]) != leafFlag || uint64(order.Uint32(head[12:])) != end-id {
			damaged("pages %d to %d are neither in use nor free", id, end-1)
		}
		id = v.seen.nextGap(end)
	}
}

// A set holds page numbers.
type set struct {
	bits  []uint64
	limit uint64
}

func newSet(limit uint64) set { return set{bits: make([]uint64, limit/64+1), limit: limit} }

func (s set) has(id uint64) bool { return s.bits[id/64]&(1<<(id%64)) != 0 }

// add adds id, and returns false when the set had it.
func (s set) add(id uint64) bool {
	had := s.has(id)
	s.bits[id/64] |= 1 << (id % 64)
	return !had
}

// nextGap returns the first number from id on that is not in s, or the limit.
func (s set) nextGap(id uint64) uint64 {
	for id < s.limit && s.has(id) {
		if id%64 == 0 && s.bits[id/64] == ^uint64(0) {
			id += 64
			continue
		}
		id++
	}
	return min(id, s.limit)
}
