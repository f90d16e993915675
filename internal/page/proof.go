package page

import (
	"bytes"
	"encoding/binary"
)

// A Content says what the leaves of a bucket may hold.
type Content struct {
	Buckets bool // buckets
	Entries bool // keys with values
	// Prove checks an entry and returns its seal, which is a checksum over the name
	// of the bucket, the key and the value. Nil takes every entry.
	Prove func(key, value []byte) (seal uint32, err error)
	// Late says that an entry is proven when it is used, so that a damaged one spoils
	// no other. When a search finds nothing, the entries on both sides are proven.
	Late bool
}

// Anything is the content of a bucket of which nothing is known.
var Anything = Content{Buckets: true, Entries: true}

// prove checks the page that was just put at a level of c: that it may be there,
// and that it is sound.
func (c *Cursor) prove(at int, id uint64, height uint8) {
	low, high := c.bounds(at)
	c.bucket.prove(&c.stack[at].node, id, height, low, high)
}

// bounds returns the key that the page at a level has to begin with, and the one
// that it has to stay before. Nil is no bound.
func (c *Cursor) bounds(at int) (low, high []byte) {
	if at > 0 {
		low = c.stack[at-1].key(c.stack[at-1].i)
	}
	for up := at - 1; up >= 0 && high == nil; up-- {
		if l := &c.stack[up]; l.i+1 < l.count {
			high = l.key(l.i + 1)
		}
	}
	return low, high
}

// ProveSiblings proves the pages beside those on the way to where the cursor stands,
// at each height. bbolt reads them when a deletion leaves a page so empty that it
// joins it with one beside it. If parents were joined before, that page may be one of
// another parent. Mark reads them too: when a deletion has emptied a leaf, the way to
// its keys leads to a leaf beside it.
func (c *Cursor) ProveSiblings() {
	var side Cursor
	for at := 1; at < c.depth; at++ {
		for _, back := range [...]bool{true, false} {
			side.Follow(c)
			for side.beside(at, back) && !side.stack[at].leaf && side.stack[at].small(c.bucket.pageSize) {
			}
		}
	}
}

// beside moves the way down to a level to the page beside the one that it ends at.
func (c *Cursor) beside(at int, back bool) bool {
	for up := at - 1; up >= 0; up-- {
		l := &c.stack[up]
		switch {
		case back && l.i > 0:
			l.i--
		case !back && l.i+1 < l.count:
			l.i++
		default:
			continue
		}
		for ; up < at; up++ {
			c.push(up+1, c.stack[up].child(c.stack[up].i))
			if back {
				c.stack[up+1].i = c.stack[up+1].count - 1
			}
		}
		return true
	}
	return false
}

// small reports whether bbolt may join a branch with another one. A branch that was
// joined with a small one is joined with the next, too, when its children are joined.
func (n *node) small(pageSize int) bool {
	start, key, _ := n.extent(n.count - 1)
	return n.count <= 2 || start+key <= pageSize/2
}

// ProveRoot proves the root page of b, whose tree has this height.
func (b *Bucket) ProveRoot(height uint8) {
	if is := b.proven.get(b.root); is != 0 {
		damaged("page %d, the root of a bucket, is free, or another page leads to it", b.root)
	}
	b.height = height
	n := b.page(b.root)
	b.prove(&n, b.root, height, nil, nil)
}

// ProveAll proves all pages of b.
func (b *Bucket) ProveAll() {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
	}
}

// prove checks that a page may stand at this height of the tree, and then the page.
// It notes what it has found. What leads to the page was proven, so that no other
// branch leads to it: each of its children is claimed when a branch is proven.
func (b *Bucket) prove(n *node, id uint64, height uint8, low, high []byte) {
	if height == 0 || height > maxDepth {
		damaged("page %d is deeper in a tree than this is high", id)
	}
	if n.leaf != (height == 1) {
		damaged("page %d is a leaf where a branch should be, or a branch where a leaf should be", id)
	}
	if b.proven.isFree(id) {
		damaged("page %d is led to, but it is free: it is of an earlier commit", id)
	}
	n.verify(id, b.pageSize, low, high)
	var claims []uint64
	if n.leaf {
		n.verifyEntries(id, &b.content, b.content.Late, nil)
		for i := range len(n.b)/b.pageSize - 1 {
			claims = append(claims, id+1+uint64(i))
		}
	} else {
		claims = make([]uint64, n.count)
		for i := range n.count {
			claims[i] = n.child(i)
		}
	}
	for _, page := range claims {
		if page >= uint64(len(b.file)/b.pageSize) {
			damaged("page %d leads to page %d, which is past the last", id, page)
		}
	}
	if page, ok := b.proven.take(id, height, claims); !ok {
		damaged("page %d leads to page %d, which is free, or to which another page leads", id, page)
	}
}

// verify checks the form of a page. Its keys and values lie behind its elements
// without a gap, as bbolt packs them, in as many pages as they need. It begins with
// low, which is the key that its parent gives it. Its keys ascend and stay before
// high. Nil is no bound. A small bucket's page, whose id is 0, ends where its last
// value does.
func (n *node) verify(id uint64, pageSize int, low, high []byte) {
	end := headerLen + int(n.count)*elementLen
	// A page without elements is that of an empty bucket, and empty.
	if end > len(n.b) || n.count == 0 && len(bytes.TrimLeft(n.b[headerLen:], "\x00")) > 0 {
		damaged("page %d has %d elements", id, n.count)
	}
	if low != nil && (n.count == 0 || !bytes.Equal(n.key(0), low)) {
		damaged("page %d does not begin with the key that its parent gives it", id)
	}
	var last []byte
	for i := range n.count {
		start, key, value := n.extent(i)
		if start != end || key == 0 || value < 0 || key < 0 || start+key+value > len(n.b) {
			damaged("page %d: element %d is at %d, not at %d, of %d+%d bytes", id, i, start, end, key, value)
		}
		k := n.b[start : start+key]
		if i > 0 && bytes.Compare(last, k) >= 0 {
			damaged("page %d: key %d is out of order", id, i)
		}
		last, end = k, start+key+value
	}
	if high != nil && n.count > 0 && bytes.Compare(last, high) >= 0 {
		damaged("page %d has keys of the page behind it", id)
	}
	fits := (end+pageSize-1)/pageSize == len(n.b)/pageSize
	if id == 0 {
		fits = end == len(n.b)
	}
	if !fits {
		damaged("page %d has %d bytes in %d", id, end, len(n.b))
	}
}

// verifyEntries checks that a leaf holds what its bucket may hold. It proves the
// entries unless late is set. If each is not nil, it is called with every element,
// and late entries are proven too: those that are damaged are not sound.
func (n *node) verifyEntries(id uint64, content *Content, late bool, each func(e element)) {
	for i := range n.count {
		key, value := n.key(i), n.value(i)
		flags := binary.NativeEndian.Uint32(n.element(i))
		e := element{key: key, value: value, bucket: flags == bucketFlag, sound: true}
		switch {
		case flags == bucketFlag && content.Buckets:
			if len(value) < bucketHeaderLen || binary.NativeEndian.Uint64(value) == 0 && len(value) < bucketHeaderLen+headerLen {
				damaged("page %d: bucket %q has %d bytes", id, key, len(value))
			}
		case flags != 0 || !content.Entries:
			damaged("page %d: element %q has flags %#x", id, key, flags)
		case content.Prove != nil && (!late || each != nil):
			var err error
			e.seal, err = content.Prove(key, value)
			if e.sound = err == nil; err != nil && !late {
				damaged("page %d: %v", id, err)
			}
		}
		if each != nil {
			each(e)
		}
	}
}

// An element is one of a leaf: a bucket, or an entry with its seal.
type element struct {
	key, value    []byte
	bucket, sound bool
	seal          uint32
}

// ProveBeside proves the entries on both sides of key, where a search for it has found
// nothing: one of them may be what was looked for, with a damaged key. That leaves the
// keys of a page in order, or the page is not proven; so it stands beside its place.
func (b *Bucket) ProveBeside(key []byte) { b.Cursor().ProveBeside(key) }

// ProveBeside is that of a bucket. It leaves the cursor in the leaf that key belongs in.
func (c *Cursor) ProveBeside(key []byte) {
	k, v := c.Seek(key)
	c.bucket.ProveEntry(k, v)
	if k != nil {
		c.bucket.ProveEntry(c.Prev())
	} else {
		c.bucket.ProveEntry(c.Last())
	}
	c.Find(key)
}

// ProveEntry proves an entry of a bucket whose entries are proven late. A nil key is
// none.
func (b *Bucket) ProveEntry(key, value []byte) {
	if key == nil || !b.content.Late {
		return
	}
	if _, err := b.content.Prove(key, value); err != nil {
		damaged("%v", err)
	}
}

// IsLate reports whether the entries of b are proven when they are used.
func (b *Bucket) IsLate() bool { return b.content.Late }

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
