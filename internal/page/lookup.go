package page

import "bytes"

// A Lookup finds the values of several keys of a bucket at once, in less time than
// one after the other. What a search in a large file costs is waiting for memory,
// a dozen times for each key, as every step says where the next one reads. Here all
// keys go down the tree together, a level at a time, and what the next step of each
// reads is touched for all of them ahead of it, so that the processor waits for many
// at once. The zero value is ready, and can be used again.
type Lookup struct {
	ways    []way
	touched byte // kept, or the compiler would leave the touching out
}

// A way is how far the search for one key has come.
type way struct {
	node
	id        uint64 // of the page of node
	begins    []byte // the key that the parent of node gives it; nil in the root
	low, high []byte // the keys below node are at or past low and before high; nil is no bound
	value     []byte
}

// line is the length in bytes of what a processor reads from memory at once.
const line = 64

// Find looks up keys, which are in ascending or descending order, in b. What it
// found is there for Value until the next call, or the end of the transaction.
func (l *Lookup) Find(b *Bucket, keys [][]byte) {
	l.start(b, len(keys))
	for height := b.height; l.descend(b, keys, height-1); height-- {
		if height == 0 {
			damaged("tree is deeper than it is high")
		}
	}
	l.touchLeaves()
	for i := range l.ways {
		w := &l.ways[i]
		if at := w.search(keys[i], false); at < w.count && bytes.Equal(w.key(at), keys[i]) {
			w.value = w.node.value(at)
		}
	}
	l.touchValues()
}

// Value returns the value of the key at place i of those that were looked up, and
// false when the bucket does not have it.
func (l *Lookup) Value(i int) (value []byte, ok bool) {
	return l.ways[i].value, l.ways[i].value != nil
}

// start puts n ways at the root of b.
func (l *Lookup) start(b *Bucket, n int) {
	if cap(l.ways) < n {
		l.ways = make([]way, n)
	}
	l.ways = l.ways[:n]
	for i := range l.ways {
		l.ways[i] = way{id: b.root}
		l.enter(b, i, b.height)
	}
}

// descend takes the ways one level down, and returns whether there was one that
// was not in a leaf yet.
func (l *Lookup) descend(b *Bucket, keys [][]byte, height uint8) bool {
	descends := false
	for i := range l.ways {
		w := &l.ways[i]
		switch {
		case w.leaf:
			continue
		case i > 0 && l.ways[i-1].covers(keys[i]): // as neighbours often do
			w.id, w.begins, w.low, w.high = l.ways[i-1].id, l.ways[i-1].begins, l.ways[i-1].low, l.ways[i-1].high
		default:
			w.choose(keys[i])
		}
		descends = true
	}
	if !descends {
		return false
	}
	touched := byte(0)
	for i := range l.ways {
		if at := l.ways[i].id * uint64(b.pageSize); at < uint64(len(b.file)) {
			touched ^= b.file[at]
		}
	}
	l.touched = touched
	for i := range l.ways {
		l.enter(b, i, height)
	}
	return true
}

// choose makes the child of w that key belongs in the next page of w.
func (w *way) choose(key []byte) {
	i := w.childFor(key)
	if i+1 < w.count {
		w.high = w.key(i + 1)
	}
	w.begins = w.key(i)
	if i > 0 {
		w.low = w.begins
	}
	w.id = w.child(i)
}

// covers reports whether key belongs below the page that w has chosen.
func (w *way) covers(key []byte) bool {
	return bytes.Compare(w.low, key) <= 0 && (w.high == nil || bytes.Compare(key, w.high) < 0)
}

// enter reads the page that way i has chosen.
func (l *Lookup) enter(b *Bucket, i int, height uint8) {
	w := &l.ways[i]
	if i > 0 && l.ways[i-1].id == w.id {
		w.node = l.ways[i-1].node
		return
	}
	w.node = b.page(w.id)
	if w.id != 0 && (b.proven.Height(w.id) != height || height == 0) {
		b.prove(&w.node, w.id, height, w.begins, w.high)
	}
}

// touchLeaves touches what a search of the leaves reads: their elements, then the
// keys that these point to.
func (l *Lookup) touchLeaves() {
	touched := byte(0)
	for i := range l.ways {
		touched ^= l.ways[i].touchElements()
	}
	for i := range l.ways {
		if i == 0 || l.ways[i-1].id != l.ways[i].id {
			touched ^= l.ways[i].touchKeys()
		}
	}
	l.touched = touched
}

// touchElements touches the elements of n behind the first line of the page.
func (n *node) touchElements() (touched byte) {
	for at := line; at < min(headerLen+int(n.count)*elementLen, len(n.b)); at += line {
		touched ^= n.b[at]
	}
	return touched
}

// touchKeys touches the keys of n, if each has some lines to itself.
func (n *node) touchKeys() (touched byte) {
	if n.count > maxTouched {
		return 0
	}
	for i := range n.count {
		if key := n.key(i); len(key) > 0 {
			touched ^= key[0]
		}
	}
	return touched
}

// touchValues touches the values that were found.
func (l *Lookup) touchValues() {
	touched := byte(0)
	for i := range l.ways {
		touched ^= Touch(l.ways[i].value)
	}
	l.touched = touched
}

// Touch reads from every line of b, or of its start, and returns what its caller
// has to keep, so that the compiler does not leave the reading out. Calls one after
// the other let the processor wait for all of the memory at once, where reading what
// is in it waits for one line after the other.
func Touch(b []byte) (touched byte) {
	for at := 0; at < min(len(b), maxTouched*line); at += line {
		touched ^= b[at]
	}
	return touched
}

// maxTouched bounds what is touched of one page or value.
const maxTouched = 16
