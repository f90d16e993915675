package page

import (
	"bytes"
	"encoding/binary"
	"io"
)

// An Element is a key of a bucket, and where in the file its value is. The key is
// valid until the function that it was given to returns.
type Element struct {
	Key    []byte
	Offset int64 // where the value begins
	Size   int64 // how long it says that it is; it ends within its page
}

// Elements calls each with the elements of the bucket that path leads to from the
// root, as far as they can be reached, in a file that may be damaged in any way.
// It returns false when a page on the way could not be read or contradicts itself
// or another, so that elements may be missing.
//
// It always ends: no page is walked twice, and no two elements of a page overlap.
// An error of r is a page that cannot be read. So r can end the walk early, by
// failing from then on. The memory follows the number of pages that were read,
// whatever the file says of its size and of theirs.
func Elements(r io.ReaderAt, l Layout, path [][]byte, each func(Element)) (whole bool) {
	w := walker{Layout: l, r: r, seen: make(SparseSet), whole: true}
	w.bucket(l.Root, path, each)
	return w.whole
}

// A walker is one run of Elements.
type walker struct {
	Layout
	r     io.ReaderAt
	seen  SparseSet // pages that were walked
	whole bool
	areas [maxDepth]area // the page that is open at each depth
}

// bucket walks the bucket with this root page, or the one that path leads to from
// there.
func (w *walker) bucket(root uint64, path [][]byte, each func(Element)) {
	if len(path) == 0 {
		w.tree(root, 0, func(e Element, flags uint32) {
			if flags != 0 {
				w.whole = false
				return
			}
			each(e)
		})
		return
	}
	var child *Element
	w.tree(root, 0, func(e Element, flags uint32) {
		if child != nil || !bytes.Equal(e.Key, path[0]) {
			return
		}
		child = &Element{Offset: e.Offset, Size: e.Size}
		if flags != bucketFlag {
			child.Size = 0
		}
	})
	var header [bucketHeaderLen]byte
	if child == nil || child.Size < bucketHeaderLen || !w.readAt(header[:], child.Offset) {
		w.whole = false
		return
	}
	if root := binary.NativeEndian.Uint64(header[:]); root != 0 {
		w.bucket(root, path[1:], each)
		return
	}
	// A small bucket, whose page is the value.
	a := &w.areas[0]
	if len(path) > 1 || !w.open(a, 0, child.Offset+bucketHeaderLen, child.Size-bucketHeaderLen) || !a.leaf {
		w.whole = false
		return
	}
	w.leaf(a, func(e Element, _ uint32) { each(e) })
	w.whole = w.whole && a.end == a.size
}

// tree walks the leaves under a page.
func (w *walker) tree(id uint64, depth int, each func(e Element, flags uint32)) {
	if depth == maxDepth || !w.page(&w.areas[depth], id) {
		w.whole = false
		return
	}
	a := &w.areas[depth]
	if a.leaf {
		w.leaf(a, each)
	} else {
		for i := range a.count {
			if _, ok := w.element(a, i); ok {
				w.tree(a.child, depth+1, each)
			}
		}
	}
	// A page is as long as its elements need.
	w.whole = w.whole && (a.end+int64(w.PageSize)-1)/int64(w.PageSize) == a.size/int64(w.PageSize)
}

// leaf calls each with the elements of a leaf.
func (w *walker) leaf(a *area, each func(e Element, flags uint32)) {
	for i := range a.count {
		if e, ok := w.element(a, i); ok {
			each(e, a.flags)
		}
	}
}

// element reads element i of a page, the elements being read in their order. It
// returns false for one that cannot be where it says.
//
// Keys and values stand without a gap, in the order of the elements, and the keys
// ascend. Where that is not so, the bucket is not whole. An element that overlaps
// the one before it is passed over; any other is good as far as the walker can
// tell.
func (w *walker) element(a *area, i int64) (e Element, ok bool) {
	at := headerLen + i*elementLen
	head, ok := w.bytes(a, at, elementLen)
	if !ok {
		w.whole = false
		return e, false
	}
	u32 := func(at int) int64 { return int64(binary.NativeEndian.Uint32(head[at:])) }
	start, key, value := at+u32(0), u32(4), int64(0)
	if a.leaf {
		a.flags = uint32(u32(0))
		start, key, value = at+u32(4), u32(8), u32(12)
	} else {
		a.child = binary.NativeEndian.Uint64(head[8:])
	}
	if start != a.end {
		w.whole = false
	}
	if start < a.end || key == 0 || key > maxKeySize || value > a.size-start-key {
		w.whole = false
		return e, false
	}
	if e.Key, ok = w.bytes(a, start, key); !ok {
		w.whole = false
		return e, false
	}
	if i > 0 && bytes.Compare(a.last, e.Key) >= 0 {
		w.whole = false
	}
	a.last = append(a.last[:0], e.Key...)
	a.end = start + key + value
	e.Offset, e.Size = a.offset+start+key, value
	return e, true
}

// maxKeySize is the length of the longest key that bbolt stores.
const maxKeySize = 1 << 15

// An area is a page, or the page of a small bucket, somewhere in the file. Only
// its beginning is in memory.
type area struct {
	offset, size int64
	begin        []byte
	more         []byte // what was read last of the rest

	leaf  bool
	count int64

	// What the element that was read last says.
	end   int64 // where it ends
	last  []byte
	flags uint32 // in a leaf
	child uint64 // in a branch
}

// maxBegin is how much of a page is read at once.
const maxBegin = 64 << 10

// page opens the page with this number, unless it was walked before.
func (w *walker) page(a *area, id uint64) bool {
	var header [headerLen]byte
	offset := int64(id) * int64(w.PageSize)
	if id < 2 || id >= w.Pages || w.seen.Has(id) || !w.readAt(header[:], offset) {
		return false
	}
	overflow := uint64(binary.NativeEndian.Uint32(header[12:]))
	if overflow >= w.Pages-id || !w.open(a, id, offset, int64(overflow+1)*int64(w.PageSize)) {
		return false
	}
	return w.seen.Add(id)
}

// open reads the beginning of a page, which has to say that it is id.
func (w *walker) open(a *area, id uint64, offset, size int64) bool {
	n := min(size, int64(w.PageSize), maxBegin)
	if n < headerLen {
		return false
	}
	if int64(cap(a.begin)) < n {
		a.begin = make([]byte, n)
	}
	*a = area{offset: offset, size: size, begin: a.begin[:n], more: a.more, last: a.last[:0]}
	if !w.readAt(a.begin, offset) || binary.NativeEndian.Uint64(a.begin) != id {
		return false
	}
	flags := binary.NativeEndian.Uint16(a.begin[8:])
	a.leaf, a.count = flags == leafFlag, int64(binary.NativeEndian.Uint16(a.begin[10:]))
	a.end = headerLen + a.count*elementLen
	return (flags == leafFlag || flags == branchFlag && a.count > 0) && a.end <= size
}

// bytes returns n bytes of a page, n being no more than maxKeySize. They are valid
// until the next call for the page.
func (w *walker) bytes(a *area, at, n int64) ([]byte, bool) {
	if at < 0 || n > a.size-at {
		return nil, false
	}
	if at+n <= int64(len(a.begin)) {
		return a.begin[at : at+n], true
	}
	if int64(cap(a.more)) < n {
		a.more = make([]byte, n)
	}
	a.more = a.more[:n]
	return a.more, w.readAt(a.more, a.offset+at)
}

func (w *walker) readAt(p []byte, offset int64) bool {
	_, err := w.r.ReadAt(p, offset)
	return err == nil
}
