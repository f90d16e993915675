package page

import (
	"bytes"
)

// maxDepth bounds a descent. Pages hold two keys or more, and trees of bbolt some
// dozens a page, so that a sound one is nowhere near it.
const maxDepth = 8

// A Cursor walks the keys of a bucket in both directions. Keys and values that it
// returns are part of the mapped file: valid until the transaction ends, and never
// to be written to.
type Cursor struct {
	bucket *Bucket
	depth  int // levels of stack in use; 0 before the first move
	stack  [maxDepth]level
}

// A level is a node on the way from the root, and the element taken in it. In the
// leaf, the top, the element is count when the cursor stands past its end.
type level struct {
	node
	i int32
}

// Cursor returns a cursor that stands nowhere yet.
func (b *Bucket) Cursor() *Cursor { return &Cursor{bucket: b} }

// Reset makes c a cursor of b that stands nowhere yet.
func (c *Cursor) Reset(b *Bucket) { c.bucket, c.depth = b, 0 }

// Follow makes c a cursor that stands where other does.
func (c *Cursor) Follow(other *Cursor) {
	c.bucket, c.depth = other.bucket, other.depth
	copy(c.stack[:c.depth], other.stack[:c.depth])
}

// Seek moves to the first key at or past key and returns it with its value, or
// nil at the end of the bucket.
func (c *Cursor) Seek(key []byte) (k, v []byte) {
	c.find(key)
	leaf := &c.stack[c.depth-1]
	leaf.i = leaf.search(key, false)
	if leaf.i == leaf.count {
		k, v = c.Next()
	} else {
		k, v = leaf.key(leaf.i), leaf.value(leaf.i)
	}
	if k != nil && bytes.Compare(k, key) < 0 {
		damaged("key %x is where %x and what comes behind should be", k, key)
	}
	return k, v
}

// Before moves to the last key ahead of key and returns it with its value, or nil
// when there is none.
func (c *Cursor) Before(key []byte) (k, v []byte) {
	c.Seek(key)
	if k, v = c.Prev(); k != nil && bytes.Compare(k, key) >= 0 {
		damaged("key %x is ahead of %x", k, key)
	}
	return k, v
}

// Bucket returns the bucket that c is a cursor of.
func (c *Cursor) Bucket() *Bucket { return c.bucket }

// Find goes to the leaf that key belongs in, whether it is there or not.
func (c *Cursor) Find(key []byte) {
	c.find(key)
	leaf := &c.stack[c.depth-1]
	leaf.i = min(leaf.search(key, false), max(0, leaf.count-1))
}

// find goes to the leaf that key belongs in.
func (c *Cursor) find(key []byte) {
	// Where the last search ended is often where this one will: go up only as
	// far as needed to be sure that the key is below.
	level := c.depth - 1
	for level > 0 && !c.stack[level-1].covers(key) {
		level--
	}
	if level <= 0 {
		level = 0
		c.push(0, c.bucket.root)
	}
	for ; !c.stack[level].leaf; level++ {
		l := &c.stack[level]
		l.i = l.childFor(key)
		c.push(level+1, l.child(l.i))
	}
	c.depth = level + 1
}

// covers reports whether key is certain to be below the child that l took, if
// anywhere.
func (l *level) covers(key []byte) bool {
	return l.i+1 < l.count &&
		bytes.Compare(l.key(l.i), key) <= 0 && bytes.Compare(key, l.key(l.i+1)) < 0
}

// search returns the index of the first element whose key is at or past key, or
// with past, beyond it.
func (n *node) search(key []byte, past bool) int32 {
	low, high := int32(0), n.count
	for low < high {
		mid := (low + high) / 2
		if cmp := bytes.Compare(n.key(mid), key); cmp < 0 || past && cmp == 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// childFor returns the index of the child of a branch that key belongs in: the last
// one whose first key is not past key. The first one also takes what comes before it.
func (n *node) childFor(key []byte) int32 { return max(0, n.search(key, true)-1) }

// First moves to the first key of the bucket.
func (c *Cursor) First() (k, v []byte) {
	c.push(0, c.bucket.root)
	c.descend(0, false)
	if leaf := &c.stack[c.depth-1]; leaf.count == 0 {
		return c.Next()
	}
	return c.current()
}

// Last moves to the last key of the bucket.
func (c *Cursor) Last() (k, v []byte) {
	c.push(0, c.bucket.root)
	c.stack[0].i = c.stack[0].count - 1
	c.descend(0, true)
	if leaf := &c.stack[c.depth-1]; leaf.count == 0 {
		return c.Prev()
	}
	return c.current()
}

// Next moves to the next key. At the end of the bucket it returns nil, and the
// cursor stands past the last key.
func (c *Cursor) Next() (k, v []byte) { return c.step(false) }

// Prev moves to the previous key. At the start of the bucket it returns nil, and
// the cursor stands on the first key still.
func (c *Cursor) Prev() (k, v []byte) { return c.step(true) }

func (c *Cursor) step(back bool) (k, v []byte) {
	for c.move(back) {
		if leaf := &c.stack[c.depth-1]; leaf.count > 0 { // a deletion can leave an empty one
			return leaf.key(leaf.i), leaf.value(leaf.i)
		}
	}
	return nil, nil
}

// move takes the next element of the lowest level that has one, and goes down
// from it to a leaf.
func (c *Cursor) move(back bool) bool {
	for at := c.depth - 1; at >= 0; at-- {
		l := &c.stack[at]
		switch {
		case back && l.i > 0:
			l.i--
		case !back && l.i+1 < l.count:
			l.i++
		default:
			continue
		}
		c.descend(at, back)
		return true
	}
	if leaf := &c.stack[c.depth-1]; !back {
		leaf.i = leaf.count
	}
	return false
}

// descend goes down to a leaf from the element that is taken at level, by the
// last children or the first.
func (c *Cursor) descend(level int, last bool) {
	for ; !c.stack[level].leaf; level++ {
		l := &c.stack[level]
		c.push(level+1, l.child(l.i))
		if last {
			c.stack[level+1].i = c.stack[level+1].count - 1
		}
	}
	c.depth = level + 1
}

// push puts the node of a page at level, its first element taken.
func (c *Cursor) push(at int, id uint64) {
	if at == maxDepth {
		damaged("tree is deeper than %d pages", maxDepth)
	}
	c.stack[at] = level{node: c.bucket.page(id)}
	height := c.bucket.height - uint8(at)
	if id != 0 && (c.bucket.proven.Height(id) != height || height == 0) {
		c.prove(at, id, height)
	}
}

func (c *Cursor) current() (k, v []byte) {
	leaf := &c.stack[c.depth-1]
	return leaf.key(leaf.i), leaf.value(leaf.i)
}

// top returns the leaf that the cursor is in, and the element it stands on.
func (c *Cursor) top() (*node, int32) {
	l := &c.stack[c.depth-1]
	return &l.node, l.i
}
