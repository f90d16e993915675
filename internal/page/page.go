// Package page reads the B+trees of a bbolt file straight from its pages, in the
// snapshot of a transaction that bbolt keeps.
//
// It does what bbolt's own cursor does, for two reasons. The first is that it trusts
// nothing that it reads. A page is proven in whole when it is first read, see Proven.
// Every access is a slice expression within one page, and a descent is bounded. So
// damage ends in a panic that the caller recovers from, where bbolt's cursor reads
// wild memory or descends for ever. The second is that it takes about half the time,
// as a cursor is one allocation and a search starts from where the last one ended.
//
// The layout is that of version 2 of bbolt's format, which has not changed since
// 2013; the tests compare every move with bbolt's cursor.
package page

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"go.etcd.io/bbolt"
)

// A page is a header, then its elements, then the keys and values that they point
// to. Numbers are in the byte order of the machine.
//
//	header          id u64 · flags u16 · count u16 · overflow u32
//	branch element  pos u32 · ksize u32 · child page u64
//	leaf element    flags u32 · pos u32 · ksize u32 · vsize u32
//
// pos is counted from the start of the element. The value of an element with
// bucketFlag is a bucket: root page u64 · sequence u64, and where the root page is
// 0, the page itself behind it.
const (
	headerLen  = 16
	elementLen = 16

	branchFlag = 0x01
	leafFlag   = 0x02

	bucketFlag      = 0x01
	bucketHeaderLen = 16
)

// A Damage is what a cursor panics with when a page cannot be what it should be.
// Accesses past the end of a page panic with Go's own run-time error.
type Damage struct{ reason string }

// Error says what is wrong with which page.
func (d Damage) Error() string { return d.reason }

func damaged(format string, args ...any) {
	panic(Damage{fmt.Sprintf(format, args...)})
}

// A Bucket is one B+tree in the snapshot of a transaction. It is valid until the
// transaction ends, and so is all that is read from it.
type Bucket struct {
	file     []byte // as far as the transaction knows it
	pageSize int
	root     uint64
	height   uint8 // of the tree
	inline   node  // the only page of a small bucket, whose root is 0
	content  Content
	proven   *Proven
}

// Root returns the bucket that holds the top-level buckets in tx, and nothing else.
// In a write transaction it is the tree as last committed. What is proven of its
// pages is noted in proven, which belongs to the file and knows the root page.
func Root(tx *bbolt.Tx, proven *Proven) Bucket {
	return RootAt(tx, proven, uint64(tx.Cursor().Bucket().Root()))
}

// RootAt is Root for a snapshot whose root page is known to have this number.
func RootAt(tx *bbolt.Tx, proven *Proven, root uint64) Bucket {
	info := tx.DB().Info()
	// The map holds at least the pages that the transaction knows: the file was
	// grown to them before they were committed.
	start := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	return Bucket{
		file:     unsafe.Slice((*byte)(start), tx.Size()),
		pageSize: info.PageSize,
		root:     root,
		height:   proven.Height(root),
		content:  Content{Buckets: true},
		proven:   proven,
	}
}

// Bucket returns the bucket of this name in b, which holds content, and whether there
// is one.
func (b *Bucket) Bucket(name []byte, content Content) (Bucket, bool) {
	c := b.Cursor()
	key, _ := c.Seek(name)
	if string(key) != string(name) {
		return Bucket{}, false
	}
	leaf, i := c.top()
	if binary.NativeEndian.Uint32(leaf.element(i)) != bucketFlag {
		damaged("%q is no bucket", name)
	}
	value := leaf.value(i)
	child := b.Numbered(binary.NativeEndian.Uint64(value), content)
	if child.root == 0 {
		child.height = 1
		child.inline = inlineNode(value)
		child.inline.verify(0, b.pageSize, nil, nil)
		child.inline.verifyEntries(0, &content, content.Late, nil)
	}
	return child, true
}

// BucketRoot returns the number of the root page of the bucket of this name in b, 0 for
// a small one, and whether there is such a bucket.
func (b *Bucket) BucketRoot(name []byte) (root uint64, ok bool) {
	c := b.Cursor()
	if key, _ := c.Seek(name); string(key) != string(name) {
		return 0, false
	}
	leaf, i := c.top()
	if binary.NativeEndian.Uint32(leaf.element(i)) != bucketFlag {
		damaged("%q is no bucket", name)
	}
	return binary.NativeEndian.Uint64(leaf.value(i)), true
}

// inlineNode returns the page in the value of a small bucket.
func inlineNode(value []byte) node {
	n := newNode(value[bucketHeaderLen:], 0)
	if !n.leaf || binary.NativeEndian.Uint32(n.b[12:]) != 0 {
		damaged("a small bucket has a branch, or more than a page")
	}
	return n
}

// Get returns the value of key, or nil when there is none.
func (b *Bucket) Get(key []byte) []byte {
	c := b.Cursor()
	if k, v := c.Seek(key); k != nil && string(k) == string(key) {
		return v
	}
	return nil
}

// page returns the node on the page with this number.
func (b *Bucket) page(id uint64) node {
	if id == 0 {
		return b.inline
	}
	if id >= uint64(len(b.file)/b.pageSize) {
		damaged("page %d is past the end", id)
	}
	start := int(id) * b.pageSize
	overflow := int(binary.NativeEndian.Uint32(b.file[start+12 : start+headerLen]))
	end := start + (overflow+1)*b.pageSize
	return newNode(b.file[start:end:end], id)
}

// Numbered returns the bucket whose root page has this number, as Number gave it in
// the same snapshot, and which holds content. The number of a small bucket, 0, leads
// to none.
func (b *Bucket) Numbered(root uint64, content Content) Bucket {
	child := Bucket{file: b.file, pageSize: b.pageSize, root: root, content: content, proven: b.proven}
	if root != 0 {
		child.height = b.proven.Height(root)
	}
	return child
}

// Number returns the number of the root page of b, or 0 for a small bucket, which
// has no page of its own.
func (b *Bucket) Number() uint64 { return b.root }

// Height returns the height of the tree of b, or 0 for a small bucket.
func (b *Bucket) Height() uint8 {
	if b.root == 0 {
		return 0
	}
	return b.height
}

// A node is a branch or leaf page.
type node struct {
	b     []byte
	count int32
	leaf  bool
	posAt uint8 // where in an element pos stands, and ksize behind it
}

// newNode reads the header of the page in b, which has to say that it is id.
func newNode(b []byte, id uint64) node {
	h := b[:headerLen]
	flags := binary.NativeEndian.Uint16(h[8:])
	if is := binary.NativeEndian.Uint64(h); is != id {
		damaged("page %d says it is page %d", id, is)
	}
	if flags != branchFlag && flags != leafFlag {
		damaged("page %d has flags %#x", id, flags)
	}
	n := node{b: b, count: int32(binary.NativeEndian.Uint16(h[10:])), leaf: flags == leafFlag}
	if n.leaf {
		n.posAt = 4
	}
	if n.count == 0 && !n.leaf {
		damaged("branch page %d is empty", id)
	}
	return n
}

func (n *node) element(i int32) []byte {
	at := headerLen + int(i)*elementLen
	return n.b[at : at+elementLen : at+elementLen]
}

// key returns the key of element i.
func (n *node) key(i int32) []byte {
	at := headerLen + int(i)*elementLen
	e := n.b[at+int(n.posAt):][:8]
	start := at + int(binary.NativeEndian.Uint32(e))
	end := start + int(binary.NativeEndian.Uint32(e[4:]))
	return n.b[start:end:end]
}

// value returns the value of element i of a leaf: it stands behind its key.
func (n *node) value(i int32) []byte {
	at := headerLen + int(i)*elementLen
	e := n.b[at : at+elementLen]
	start := at + int(binary.NativeEndian.Uint32(e[4:])) + int(binary.NativeEndian.Uint32(e[8:]))
	end := start + int(binary.NativeEndian.Uint32(e[12:]))
	return n.b[start:end:end]
}

// child returns the page number in element i of a branch.
func (n *node) child(i int32) uint64 {
	id := binary.NativeEndian.Uint64(n.element(i)[8:])
	if id < 2 {
		damaged("branch points at page %d", id)
	}
	return id
}
