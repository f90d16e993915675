package page

import (
	"bytes"
	"encoding/binary"
)

// Mark notes as proven the pages of b that a commit has written. Old is the root page
// of the tree that b has taken the place of, and oldHeight the height of that tree; 0
// is no tree. Key is one that the commit has put or deleted, so that the way to it
// leads over pages that were written or proven. Pages that bbolt writes are sound, and
// are not read in whole. Mark returns the height of the new tree.
//
// A page at one height is new if it is the child of a new page and was not the
// child of a page that was replaced. So Mark compares the trees a height at a time,
// and its cost follows the number of new branches.
func (b *Bucket) Mark(old uint64, oldHeight uint8, key []byte) (height uint8) {
	if b.root == 0 {
		return 0
	}
	if b.root == old {
		return oldHeight
	}
	height = b.heightAt(key)
	var written, replaced []uint64
	for h := max(height, oldHeight); h > 0; h-- {
		if h == height {
			written = append(written, b.root)
		}
		if h == oldHeight {
			replaced = append(replaced, old)
		}
		written, replaced = without(written, replaced), without(replaced, written)
		for _, id := range written {
			b.proven.Set(id, h)
			if h > 1 {
				continue
			}
			n := b.page(id)
			for i := range len(n.b)/b.pageSize - 1 {
				b.proven.Set(id+1+uint64(i), led)
			}
		}
		if h > 1 {
			written, replaced = b.childrenOf(written, replaced)
		}
	}
	return height
}

// heightAt returns the height of the tree of b, as the way to key shows it.
func (b *Bucket) heightAt(key []byte) uint8 {
	id := b.root
	for height := uint8(1); height <= maxDepth; height++ {
		n := b.page(id)
		if n.leaf {
			return height
		}
		id = n.child(n.childFor(key))
	}
	damaged("tree is deeper than %d pages", maxDepth)
	return 0
}

// childrenOf returns the children of the written and of the replaced branches, but for
// some that both have. One that takes the place of another one, as most do, has most
// children in common with it.
func (b *Bucket) childrenOf(written, replaced []uint64) (ofWritten, ofReplaced []uint64) {
	if len(written) != 1 || len(replaced) != 1 {
		return b.children(written), b.children(replaced)
	}
	n, o := b.page(written[0]), b.page(replaced[0])
	from, n1, o1 := int32(0), n.count, o.count
	for from < n1 && from < o1 && n.child(from) == o.child(from) {
		from++
	}
	for n1 > from && o1 > from && n.child(n1-1) == o.child(o1-1) {
		n1, o1 = n1-1, o1-1
	}
	for i := from; i < n1; i++ {
		ofWritten = append(ofWritten, n.child(i))
	}
	for i := from; i < o1; i++ {
		ofReplaced = append(ofReplaced, o.child(i))
	}
	return ofWritten, ofReplaced
}

// children returns the children of some branches.
func (b *Bucket) children(ids []uint64) (children []uint64) {
	for _, id := range ids {
		n := b.page(id)
		for i := range n.count {
			children = append(children, n.child(i))
		}
	}
	return children
}

// without returns the numbers of ids that are not in other.
func without(ids, other []uint64) []uint64 {
	// Most commits change a few children of a branch and leave the others as they were.
	for len(ids) > 0 && len(other) > 0 && ids[0] == other[0] {
		ids, other = ids[1:], other[1:]
	}
	for len(ids) > 0 && len(other) > 0 && ids[len(ids)-1] == other[len(other)-1] {
		ids, other = ids[:len(ids)-1], other[:len(other)-1]
	}
	if len(ids) == 0 || len(other) == 0 {
		return ids
	}
	has := make(map[uint64]bool, len(other))
	for _, id := range other {
		has[id] = true
	}
	rest := make([]uint64, 0, len(ids))
	for _, id := range ids {
		if !has[id] {
			rest = append(rest, id)
		}
	}
	return rest
}

// AppendState appends the keys, flags and values of all elements of b to dst. They
// tell this version of b from any other, as the values of the buckets in b have the
// numbers of their root pages.
func (b *Bucket) AppendState(dst []byte) []byte {
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		leaf, i := c.top()
		dst = binary.LittleEndian.AppendUint32(dst, binary.NativeEndian.Uint32(leaf.element(i)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(k)))
		dst = append(dst, k...)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// Buckets calls each with the name of every bucket in b.
func (b *Bucket) Buckets(each func(name []byte)) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if leaf, i := c.top(); binary.NativeEndian.Uint32(leaf.element(i)) == bucketFlag {
			each(bytes.Clone(k))
		}
	}
}
