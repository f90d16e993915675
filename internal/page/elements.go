package page

import (
	"bytes"
	"encoding/binary"
	"io"
)

// An Element is a key of a bucket and its value, and where in the file the value
// begins. It is valid until the function that it was given to returns.
type Element struct {
	Key, Value []byte
	Offset     int64
}

// Elements calls each with the elements of the bucket that path leads to from the
// root, as far as they can be reached, in a file that may be damaged in any way.
// It returns false when a page on the way could not be read or contradicts itself
// or another, so that elements may be missing.
func Elements(r io.ReaderAt, l Layout, path [][]byte, each func(Element)) (whole bool) {
	w := walker{Layout: l, r: r, seen: newSet(l.Pages), whole: true}
	w.bucket(l.Root, path, each)
	return w.whole
}

// A walker is one run of Elements.
type walker struct {
	Layout
	r     io.ReaderAt
	seen  set
	whole bool
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
	found := false
	w.tree(root, 0, func(e Element, flags uint32) {
		if found || !bytes.Equal(e.Key, path[0]) {
			return
		}
		found = true
		if flags != bucketFlag || len(e.Value) < bucketHeaderLen {
			w.whole = false
			return
		}
		if child := binary.NativeEndian.Uint64(e.Value); child != 0 {
			w.bucket(child, path[1:], each)
			return
		}
		w.inline(Element{Value: e.Value[bucketHeaderLen:], Offset: e.Offset + bucketHeaderLen}, path[1:], each)
	})
	w.whole = w.whole && found
}

// inline walks a small bucket, whose page is the value of an element.
func (w *walker) inline(in Element, path [][]byte, each func(Element)) {
	n, ok := w.parse(in.Value, 0)
	if !ok || !n.leaf || len(path) > 0 {
		w.whole = false
		return
	}
	w.leaf(&n, in.Offset, func(e Element, _ uint32) { each(e) })
}

// tree walks the leaves under a page.
func (w *walker) tree(id uint64, depth int, each func(e Element, flags uint32)) {
	n, ok := w.read(id)
	if !ok || depth == maxDepth {
		w.whole = false
		return
	}
	if n.leaf {
		w.leaf(&n, int64(id)*int64(w.PageSize), each)
		return
	}
	var last []byte
	for i := range n.count {
		start, size, _ := n.extent(i)
		if !inside(&n, start, size) {
			w.whole = false
			continue
		}
		key := n.b[start : start+size]
		if last != nil && bytes.Compare(last, key) >= 0 {
			w.whole = false // and what is below may be fine
		}
		last = key
		w.tree(binary.NativeEndian.Uint64(n.element(i)[8:]), depth+1, each)
	}
}

// leaf calls each with the elements of a leaf that begins at offset in the file.
func (w *walker) leaf(n *node, offset int64, each func(e Element, flags uint32)) {
	var last []byte
	for i := range n.count {
		start, key, value := n.extent(i)
		if key == 0 || !inside(n, start, key) || !inside(n, start+key, value) {
			w.whole = false
			continue
		}
		e := Element{
			Key:    n.b[start : start+key],
			Value:  n.b[start+key : start+key+value],
			Offset: offset + int64(start+key),
		}
		if last != nil && bytes.Compare(last, e.Key) >= 0 {
			w.whole = false
		}
		last = e.Key
		each(e, binary.NativeEndian.Uint32(n.element(i)))
	}
}

func inside(n *node, start, size int) bool {
	return start >= 0 && size >= 0 && start <= len(n.b) && size <= len(n.b)-start
}

// read returns the node on page id, unless it was returned before.
func (w *walker) read(id uint64) (node, bool) {
	if id < 2 || id >= w.Pages || !w.seen.add(id) {
		return node{}, false
	}
	b := make([]byte, w.PageSize)
	if _, err := w.r.ReadAt(b, int64(id)*int64(w.PageSize)); err != nil {
		return node{}, false
	}
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	if overflow >= w.Pages-id {
		return node{}, false
	}
	if overflow > 0 {
		b = make([]byte, int(overflow+1)*w.PageSize)
		if _, err := w.r.ReadAt(b, int64(id)*int64(w.PageSize)); err != nil {
			return node{}, false
		}
		for i := range overflow {
			if !w.seen.add(id + 1 + i) {
				w.whole = false
			}
		}
	}
	return w.parse(b, id)
}

// parse returns the node in b if its header and its elements' heads make sense.
func (w *walker) parse(b []byte, id uint64) (n node, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	n = newNode(b, id)
	return n, headerLen+int(n.count)*elementLen <= len(b)
}
