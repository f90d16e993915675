package page

import "encoding/binary"

// Leaf returns the number of the page that c stands in, and how many pages it takes.
func (c *Cursor) Leaf() (number uint64, pages int) {
	leaf := &c.stack[c.depth-1]
	return binary.NativeEndian.Uint64(leaf.b), max(1, len(leaf.b)/c.bucket.pageSize)
}

// Neighbours calls yield with the leaves on both sides of the one that c stands in,
// which bbolt may merge it with when a key of it is deleted.
func (c *Cursor) Neighbours(yield func(number uint64, pages int)) {
	var side Cursor
	for _, back := range []bool{true, false} {
		side.Follow(c)
		leaf := &side.stack[side.depth-1]
		if back {
			leaf.i = 0
		} else {
			leaf.i = leaf.count
		}
		if side.move(back) {
			yield(side.Leaf())
		}
	}
}

// Leaves calls yield with every leaf of b that has keys, and its first key.
func (b *Bucket) Leaves(yield func(number uint64, pages int, key []byte)) {
	c := b.Cursor()
	for key, _ := c.First(); key != nil; {
		number, pages := c.Leaf()
		yield(number, pages, key)
		leaf := &c.stack[c.depth-1]
		leaf.i = leaf.count - 1
		key, _ = c.Next()
	}
}
