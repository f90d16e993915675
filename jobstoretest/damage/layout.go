package damage

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
)

// PageSize is the size of a page in a sample, which is that of the machine's
// memory.
var PageSize = os.Getpagesize()

var order = binary.NativeEndian

// What bbolt writes in the header of a page, and behind it.
const (
	headLen    = 16 // of a page: id, flags, count, overflow
	elementLen = 16 // of an entry of a branch or a leaf
	metaLen    = 64

	branch   = 1
	leaf     = 2
	freelist = 16

	bucketFlag = 1          // of an element of a leaf
	noFreelist = ^uint64(0) // in place of the page number of the list
)

// A Page is a run of pages in use: one page and those that it overflows into.
type Page struct {
	ID   int
	Span int    // how many pages
	Type string // "meta", "branch", "leaf" or "freelist"
	Path string // the names of the buckets that lead to it, with slashes

	next, prev int // places of the leaves beside it in the same bucket, or -1
}

// Walk returns the pages in use of a sound file, in the order of the tree. It
// knows bbolt's pages and nothing of what the store keeps in them.
func Walk(file []byte) []Page {
	w := walker{file: file}
	w.pages = []Page{{0, 1, "meta", "", -1, -1}, {1, 1, "meta", "", -1, -1}}
	m := w.newest()
	if list := order.Uint64(m[32:]); list != noFreelist {
		w.add(int(list), "freelist", "")
	}
	w.bucket(int(order.Uint64(m[16:])), "")
	return w.pages
}

type walker struct {
	file  []byte
	pages []Page
	last  int // place of the last leaf of the bucket under way, or -1
}

// newest returns the record of the meta page that counts.
func (w *walker) newest() []byte {
	a, b := w.file[headLen:], w.file[PageSize+headLen:]
	if order.Uint64(b[48:]) > order.Uint64(a[48:]) {
		return b
	}
	return a
}

func (w *walker) add(id int, kind, path string) {
	span := 1 + int(order.Uint32(w.file[id*PageSize+12:]))
	w.pages = append(w.pages, Page{ID: id, Span: span, Type: kind, Path: path, next: -1, prev: -1})
}

// bucket walks the pages of one bucket, and then those of the buckets in it.
func (w *walker) bucket(root int, path string) {
	type inner struct {
		root int
		name string
	}
	var buckets []inner
	w.last = -1
	var descend func(id int)
	descend = func(id int) {
		b := w.file[id*PageSize:]
		count := int(order.Uint16(b[10:]))
		if order.Uint16(b[8:]) == branch {
			w.add(id, "branch", path)
			for i := range count {
				descend(int(order.Uint64(b[headLen+i*elementLen+8:])))
			}
			return
		}
		w.add(id, "leaf", path)
		at := len(w.pages) - 1
		if w.pages[at].prev = w.last; w.last >= 0 {
			w.pages[w.last].next = at
		}
		w.last = at
		for i := range count {
			e := element(b, i)
			if e.flags&bucketFlag != 0 {
				if root := int(order.Uint64(b[e.value:])); root != 0 {
					buckets = append(buckets, inner{root, string(b[e.key:e.value])})
				}
			}
		}
	}
	descend(root)
	for _, i := range buckets {
		w.bucket(i.root, path+"/"+i.name)
	}
}

// A leafElement is an entry of a leaf; key, value and end are offsets in the page.
type leafElement struct {
	flags           uint32
	key, value, end int
}

func element(page []byte, i int) leafElement {
	at := headLen + i*elementLen
	e := leafElement{flags: order.Uint32(page[at:]), key: at + int(order.Uint32(page[at+4:]))}
	e.value = e.key + int(order.Uint32(page[at+8:]))
	e.end = e.value + int(order.Uint32(page[at+12:]))
	return e
}

func (p *Page) bytes(file []byte) []byte {
	return file[p.ID*PageSize : (p.ID+p.Span)*PageSize]
}

func (p *Page) String() string {
	s := fmt.Sprintf("page %d (%s", p.ID, p.Type)
	if p.Path != "" {
		s += " of " + p.Path
	}
	if p.Span > 1 {
		s += fmt.Sprintf(", %d pages", p.Span)
	}
	return s + ")"
}

// A Field is a number in a page that says something of pages.
type Field struct {
	Page int // place among the pages in use
	At   int // offset in the file
	Len  int // in bytes
	Name string
}

// Fields are the numbers of a file by what they belong to.
type Fields struct {
	Headers  []Field // of pages, those of buckets within a leaf included
	Children []Field // page numbers in branches and of buckets
	Flags    []Field // of the entries of leaves
	Elements []Field // where the keys and values of branches and leaves are
	Metas    []Field
	Free     []Field // the list of free pages
}

func fieldsOf(file []byte, pages []Page) (f Fields) {
	for i := range pages {
		p := &pages[i]
		start := p.ID * PageSize
		f.Headers = append(f.Headers, header(i, start, "")...)
		b := p.bytes(file)
		count := int(order.Uint16(b[10:]))
		switch p.Type {
		case "meta":
			f.Metas = append(f.Metas, metaFields(i, start+headLen)...)
		case "freelist":
			for n := range count {
				f.Free = append(f.Free, Field{i, start + headLen + 8*n, 8, fmt.Sprintf("free page %d of %d", n, count)})
			}
		case "branch":
			for n := range count {
				at := start + headLen + n*elementLen
				name := fmt.Sprintf("element %d of %d, ", n, count)
				f.Elements = append(f.Elements, Field{i, at, 4, name + "position"}, Field{i, at + 4, 4, name + "key size"})
				f.Children = append(f.Children, Field{i, at + 8, 8, name + "child"})
			}
		case "leaf":
			for n := range count {
				at := start + headLen + n*elementLen
				name := fmt.Sprintf("element %d of %d, ", n, count)
				f.Flags = append(f.Flags, Field{i, at, 4, name + "flags"})
				f.Elements = append(f.Elements, Field{i, at + 4, 4, name + "position"},
					Field{i, at + 8, 4, name + "key size"}, Field{i, at + 12, 4, name + "value size"})
				e := element(b, n)
				if e.flags&bucketFlag == 0 {
					continue
				}
				f.Children = append(f.Children, Field{i, start + e.value, 8, name + "root"})
				if order.Uint64(b[e.value:]) == 0 {
					f.Headers = append(f.Headers, header(i, start+e.value+16, name+"page within, ")...)
				}
			}
		}
	}
	return f
}

func header(page, at int, name string) []Field {
	return []Field{
		{page, at, 8, name + "id"}, {page, at + 8, 2, name + "flags"},
		{page, at + 10, 2, name + "count"}, {page, at + 12, 4, name + "overflow"},
	}
}

func metaFields(page, at int) []Field {
	return []Field{
		{page, at, 4, "magic"}, {page, at + 4, 4, "version"}, {page, at + 8, 4, "page size"}, {page, at + 12, 4, "flags"},
		{page, at + 16, 8, "root"}, {page, at + 24, 8, "sequence"}, {page, at + 32, 8, "freelist"},
		{page, at + 40, 8, "pages"}, {page, at + 48, 8, "transaction"}, {page, at + 56, 8, "checksum"},
	}
}

// CountPages has both meta pages of a file say that it has so many pages.
func CountPages(file []byte, pages uint64) {
	for page := range 2 {
		metaFields(page, page*PageSize+headLen)[7].set(file, pages)
		sealMeta(file, page)
	}
}

// sealMeta writes the checksum of a meta page, which is bbolt's own.
func sealMeta(file []byte, page int) {
	m := file[page*PageSize+headLen:]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56])
	order.PutUint64(m[56:], sum.Sum64())
}

func (f Field) get(file []byte) uint64 {
	var b [8]byte
	copy(b[:], file[f.At:f.At+f.Len])
	return binary.LittleEndian.Uint64(b[:]) // the bytes that matter, on the machines that bbolt runs on
}

func (f Field) set(file []byte, n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	copy(file[f.At:f.At+f.Len], b[:])
}
