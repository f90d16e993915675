package page

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
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

// MaxLevels is how deep buckets may stand in one another below the top.
const MaxLevels = 8

// A Sum is the number of entries of a bucket, and the sum of their seals modulo 2^64.
type Sum struct{ Count, Seals uint64 }

// Add adds an entry.
func (s *Sum) Add(seal uint32) { s.Count++; s.Seals += uint64(seal) }

// Remove takes an entry away.
func (s *Sum) Remove(seal uint32) { s.Count--; s.Seals -= uint64(seal) }

// A Found is the sum of the entries that a scan has found in a bucket. Damaged is how
// many of them could not be proven.
type Found struct {
	Sum
	Damaged uint64
}

func (f *Found) add(e element) {
	f.Add(e.seal)
	if !e.sound {
		f.Damaged++
	}
}

// A Scanned is what a scan of a whole file has found.
type Scanned struct {
	// Sums are those of the buckets whose content is known, by path, the names of
	// which are joined by a slash.
	Sums map[string]Found
	used set
}

// Free returns the numbers of the pages that are not in use, in order.
func (s *Scanned) Free() []uint64 {
	var ids []uint64
	for id := s.used.nextGap(2); id < s.used.limit; id = s.used.nextGap(id + 1) {
		ids = append(ids, id)
	}
	return ids
}

// Scan proves every page in use of a file, as a page is proven when it is first read,
// and that it is led to once. Content says what the bucket at a path may hold.
// Entries that cannot be proven are counted and end nothing. What is proven is noted
// in proven, unless that is nil.
//
// It fails with a Damage. The file is read by as many goroutines as there are
// processors, none of which is left when it returns.
func Scan(file []byte, l Layout, proven *Proven, content func(path [][]byte) Content) (*Scanned, error) {
	s := scanner{
		Layout: l, file: file, proven: proven, content: content,
		Scanned: Scanned{Sums: map[string]Found{}, used: newSet(l.Pages)},
	}
	s.used.add(0)
	s.used.add(1)
	err := s.run(func() { s.bucket(nil, l.Root, 0) })
	if err != nil {
		return nil, err
	}
	return &s.Scanned, nil
}

// CheckList checks that the list of free pages on page l.Freelist, in the bytes of
// the file, has just the pages that are not in use.
func (s *Scanned) CheckList(file []byte, l Layout) error {
	return catch(func() {
		b := pageBytes(file, l, l.Freelist)
		for i := range len(b) / l.PageSize {
			if !s.used.add(l.Freelist + uint64(i)) {
				damaged("page %d, of the list of free pages, is in use", l.Freelist+uint64(i))
			}
		}
		listed, err := ReadList(b, l)
		if err != nil {
			panic(Damage{err.Error()})
		}
		used := uint64(0)
		for i := range s.used.bits {
			used += uint64(bits.OnesCount64(s.used.bits[i].Load()))
		}
		if used+uint64(len(listed)) != l.Pages || !slices.Equal(listed, s.Free()) {
			damaged("list of free pages does not have just the pages that are not in use")
		}
	})
}

// catch returns the panic of a damaged page as an error, whatever form it has.
func catch(fn func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Damage:
			err = r
		default:
			err = Damage{fmt.Sprint(r)}
		}
	}()
	fn()
	return nil
}

// pageBytes returns the bytes of a page with those that it overflows into.
func pageBytes(file []byte, l Layout, id uint64) []byte {
	if id < 2 || id >= l.Pages {
		damaged("page %d is not between the first and the last, %d", id, l.Pages)
	}
	start := id * uint64(l.PageSize)
	overflow := uint64(binary.NativeEndian.Uint32(file[start+12:]))
	if overflow >= l.Pages-id {
		damaged("page %d overflows past the last page", id)
	}
	end := start + (overflow+1)*uint64(l.PageSize)
	return file[start:end:end]
}

// A scanner is one run of Scan.
type scanner struct {
	Layout
	Scanned
	file    []byte
	proven  *Proven
	content func(path [][]byte) Content

	mu   sync.Mutex // held for Sums
	stop atomic.Bool
	work chan func() // subtrees to scan, for whoever is free
}

// run runs fn and what it hands out, and returns the first damage.
func (s *scanner) run(fn func()) error {
	s.work = make(chan func())
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) - 1 {
		workers.Go(func() {
			for task := range s.work {
				task()
			}
		})
	}
	err := catch(fn)
	close(s.work)
	workers.Wait()
	return err
}

// offer has somebody else run fn, or runs it if nobody is free.
func (s *scanner) offer(fn func()) {
	select {
	case s.work <- fn:
	default:
		fn()
	}
}

// A nested is a bucket that stands in a leaf.
type nested struct {
	name []byte
	root uint64
}

// bucket scans the tree of the bucket at path, and the buckets in it.
func (s *scanner) bucket(path [][]byte, root uint64, levels int) {
	if levels > MaxLevels+1 {
		damaged("bucket %q is more than %d levels deep", bytes.Join(path, []byte("/")), MaxLevels)
	}
	t := &treeScan{scanner: s, path: path, content: Content{Buckets: true}}
	if path != nil {
		t.content = s.content(path)
	}
	t.scan(root)
	if t.content.Prove != nil {
		s.mu.Lock()
		s.Sums[string(bytes.Join(path, []byte("/")))] = t.total
		s.mu.Unlock()
	}
	for _, b := range t.buckets {
		s.bucket(append(slices.Clone(path), b.name), b.root, levels+1)
	}
}

// A treeScan is the scan of the tree of one bucket.
type treeScan struct {
	*scanner
	path    [][]byte
	content Content

	mu      sync.Mutex
	parts   sync.WaitGroup
	failure error
	total   Found
	buckets []nested
}

// scan scans the tree at root.
func (t *treeScan) scan(root uint64) {
	var sum Found
	err := catch(func() { t.page(root, t.heightOf(root), nil, nil, &sum) })
	t.part(sum, err)
	t.parts.Wait()
	if t.failure != nil {
		panic(t.failure)
	}
}

// part takes in what has come of a part of the tree.
func (t *treeScan) part(sum Found, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Count += sum.Count
	t.total.Seals += sum.Seals
	t.total.Damaged += sum.Damaged
	if err != nil && t.failure == nil {
		t.failure = err
		t.stop.Store(true)
	}
}

// heightOf returns the height of a tree, which is that of its first leaf. All
// others have to be at the same.
func (t *treeScan) heightOf(root uint64) uint8 {
	for height := uint8(1); height <= maxDepth; height++ {
		n := newNode(pageBytes(t.file, t.Layout, root), root)
		if n.leaf {
			return height
		}
		root = n.child(0)
	}
	damaged("tree is deeper than %d pages at page %d", maxDepth, root)
	return 0
}

// page scans the tree under a page, and adds its entries to sum.
func (t *treeScan) page(id uint64, height uint8, low, high []byte, sum *Found) {
	if t.stop.Load() {
		return
	}
	b := pageBytes(t.file, t.Layout, id)
	for i := range uint64(len(b) / t.PageSize) {
		if !t.used.add(id + i) {
			damaged("page %d is led to more than once", id+i)
		}
	}
	n := newNode(b, id)
	if n.leaf != (height == 1) {
		damaged("page %d is at the depth of a leaf, or is a leaf at that of a branch", id)
	}
	n.verify(id, t.PageSize, low, high)
	if n.leaf {
		n.verifyEntries(id, &t.content, true, func(e element) {
			if e.bucket {
				t.child(e.key, e.value)
				return
			}
			sum.add(e)
		})
	}
	if t.proven != nil {
		t.proven.Set(id, height)
	}
	if n.leaf {
		return
	}
	for i := range n.count {
		childHigh := high
		if i+1 < n.count {
			childHigh = n.key(i + 1)
		}
		child, low := n.child(i), n.key(i)
		// Leaves alone are too small a part to be handed over.
		if height != 3 {
			t.page(child, height-1, low, childHigh, sum)
			continue
		}
		t.parts.Add(1)
		t.offer(func() {
			defer t.parts.Done()
			var part Found
			err := catch(func() { t.page(child, height-1, low, childHigh, &part) })
			t.part(part, err)
		})
	}
}

// child takes in a bucket that stands in a leaf.
func (t *treeScan) child(name, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		t.buckets = append(t.buckets, nested{bytes.Clone(name), root})
		return
	}
	path := append(slices.Clone(t.path), name)
	content := t.scanner.content(path)
	content.Buckets = false // bbolt keeps no bucket within one that has no page
	inline := inlineNode(value)
	inline.verify(0, t.PageSize, nil, nil)
	var sum Found
	inline.verifyEntries(0, &content, true, sum.add)
	if content.Prove != nil {
		t.scanner.mu.Lock()
		t.Sums[string(bytes.Join(path, []byte("/")))] = sum
		t.scanner.mu.Unlock()
	}
}

// A set holds page numbers. Several goroutines may add to it.
type set struct {
	bits  []atomic.Uint64
	limit uint64
}

func newSet(limit uint64) set { return set{bits: make([]atomic.Uint64, limit/64+1), limit: limit} }

// add adds id, and returns false when the set had it.
func (s set) add(id uint64) bool {
	bit := uint64(1) << (id % 64)
	return s.bits[id/64].Or(bit)&bit == 0
}

// nextGap returns the first number from id on that is not in s, or the limit.
func (s set) nextGap(id uint64) uint64 {
	for id < s.limit {
		missing := ^s.bits[id/64].Load() >> (id % 64)
		if missing != 0 {
			return min(id+uint64(bits.TrailingZeros64(missing)), s.limit)
		}
		id = id/64*64 + 64
	}
	return s.limit
}
