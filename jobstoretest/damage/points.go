package damage

import (
	"bytes"
	"fmt"
	"slices"
)

// The kinds that go through all points there are: trial n is point n.
const (
	HeaderBits   Kind = "header-bits"   // every bit of the headers of pages
	ChildBits    Kind = "child-bits"    // every bit of page numbers in branches and of buckets
	MetaBits     Kind = "meta-bits"     // every bit of both meta pages, as far as they hold something
	FreeBits     Kind = "free-bits"     // every bit of the list of free pages
	ElementFlags Kind = "element-flags" // every bit of the flags of a leaf's entries
	SmallBits    Kind = "small-bits"    // every bit of the leaves that hold buckets and what is kept beside them
	Overflows    Kind = "overflows"     // a leaf that claims the one, two or four pages behind it
	Loops        Kind = "loops"         // a leaf that is a branch, a branch that leads to itself or to another's child
	Shared       Kind = "shared"        // new branches, six levels deep, all of whose entries lead to one child
)

// sharedFan is how many entries the branches of Shared have.
const sharedFan = 80

// Every returns how many points a kind goes through in f, and 0 for one that
// chance places.
func (f *File) Every(kind Kind) int {
	n := 0
	if p := f.pass(kind); p != nil {
		for i := range p.fields {
			n += 8 * p.fields[i].Len
		}
		n += len(p.changes)
	}
	return n
}

// Trials returns the numbers of n trials of a kind. Of one that goes through all
// points they are at even distances, and no more than there are points.
func (f *File) Trials(kind Kind, n int) []int {
	every := f.Every(kind)
	if f.pass(kind) != nil {
		n = min(n, every)
	}
	numbers := make([]int, n)
	for i := range numbers {
		if numbers[i] = i; every > 0 {
			numbers[i] = i * every / n
		}
	}
	return numbers
}

// A pass is a list of points: fields of which every bit is one, or changes.
type pass struct {
	fields  []Field
	changes []change
}

// A change is a damage that is more than a bit.
type change struct {
	page int
	name string
	do   func(d *damager)
}

// pass returns the points of a kind, or nil.
func (f *File) pass(kind Kind) *pass {
	switch kind {
	case HeaderBits:
		return &pass{fields: f.fields.Headers}
	case ChildBits:
		return &pass{fields: f.fields.Children}
	case MetaBits:
		return &pass{fields: f.metaBytes}
	case FreeBits:
		return &pass{fields: f.fields.Free}
	case ElementFlags:
		return &pass{fields: f.fields.Flags}
	case SmallBits:
		return &pass{fields: f.smallBytes()}
	case Overflows:
		return &pass{changes: f.overflows()}
	case Loops:
		return &pass{changes: f.loops()}
	case Shared:
		return &pass{changes: f.shared()}
	}
	return nil
}

// at damages point n of a pass.
func (d *damager) at(p *pass, n int) {
	for i := range p.fields {
		f := &p.fields[i]
		if n < 8*f.Len {
			d.flip(f.Page, f.At+n/8, n%8)
			return
		}
		n -= 8 * f.Len
	}
	c := &p.changes[n]
	d.page = c.page
	d.note("%s, %s", &d.Pages[c.page], c.name)
	c.do(d)
}

// smallBytes returns the bytes that are in use of leaves that hold buckets, the
// root's and those one level down.
func (f *File) smallBytes() (list []Field) {
	for i := range f.Pages {
		p := &f.Pages[i]
		b := p.bytes(f.Data)
		if p.Type != "leaf" || !holdsBuckets(b) {
			continue
		}
		for at, v := range b {
			// Zeros at the end of a page are in use of nobody.
			if v != 0 || at < headLen || bytes.IndexFunc(b[at:min(len(b), at+16)], func(r rune) bool { return r != 0 }) >= 0 {
				list = append(list, Field{Page: i, At: p.ID*PageSize + at, Len: 1, Name: "byte"})
			}
		}
	}
	return list
}

func holdsBuckets(leaf []byte) bool {
	for i := range int(order.Uint16(leaf[10:])) {
		if element(leaf, i).flags&bucketFlag != 0 {
			return true
		}
	}
	return false
}

func (d *damager) head(page int) []Field {
	return header(page, d.Pages[page].ID*PageSize, "")
}

func (f *File) overflows() (list []change) {
	for i := range f.Pages {
		if f.Pages[i].Type != "leaf" && f.Pages[i].Type != "branch" {
			continue
		}
		for _, more := range []uint64{1, 2, 4} {
			list = append(list, change{i, fmt.Sprintf("overflow and %d", more), func(d *damager) {
				o := d.head(i)[3]
				o.set(d.b, o.get(d.b)^more)
			}})
		}
	}
	return list
}

func (f *File) loops() (list []change) {
	for i := range f.Pages {
		switch f.Pages[i].Type {
		case "leaf":
			list = append(list, change{i, "made a branch", func(d *damager) { d.head(i)[1].set(d.b, branch) }})
			for _, to := range []string{"itself", "its root"} {
				list = append(list, change{i, "made a branch whose entries lead to " + to, func(d *damager) {
					id := uint64(d.Pages[i].ID)
					if to != "itself" {
						id = uint64(d.rootOf(i))
					}
					d.head(i)[1].set(d.b, branch)
					b := d.Pages[i].bytes(d.b)
					for n := range int(order.Uint16(b[10:])) {
						at := headLen + n*elementLen
						key, size := order.Uint32(b[at+4:]), order.Uint32(b[at+8:])
						order.PutUint32(b[at:], key)
						order.PutUint32(b[at+4:], size)
						order.PutUint64(b[at+8:], id)
					}
				}})
			}
		case "branch":
			b := f.Pages[i].bytes(f.Data)
			count := int(order.Uint16(b[10:]))
			for n := range count {
				child := Field{Page: i, At: f.Pages[i].ID*PageSize + headLen + n*elementLen + 8, Len: 8}
				next := headLen + (n+1)%count*elementLen + 8
				lead := func(name string, id uint64) {
					list = append(list, change{i, fmt.Sprintf("child %d is %s", n, name), func(d *damager) { child.set(d.b, id) }})
				}
				lead("itself", uint64(f.Pages[i].ID))
				lead("its root", uint64(f.rootOf(i)))
				lead("its neighbour", order.Uint64(b[next:]))
			}
		}
	}
	return list
}

// rootOf returns the number of the root page of the bucket that a page is in.
func (f *File) rootOf(page int) int {
	return f.Pages[slices.IndexFunc(f.Pages, func(p Page) bool {
		return p.Path == f.Pages[page].Path && p.Type != "meta" && p.Type != "freelist"
	})].ID
}

// shared makes, in place of every branch and of its first child, a tree of
// branches in which every entry of a level leads to the same page of the next: a
// walk of sharedFan to the power of six keys.
func (f *File) shared() (list []change) {
	for i := range f.Pages {
		if f.Pages[i].Type != "branch" {
			continue
		}
		for _, root := range []bool{true, false} {
			name := "a child of it shared"
			if root {
				name = "its children shared"
			}
			list = append(list, change{i, name, func(d *damager) { d.share(i, root) }})
		}
	}
	return list
}

func (d *damager) share(at int, root bool) {
	const levels = 6
	p := &d.Pages[at]
	first := order.Uint64(p.bytes(d.b)[headLen+8:])
	pos := headLen + int(order.Uint32(p.bytes(d.b)[headLen:]))
	key := bytes.Clone(p.bytes(d.b)[pos : pos+int(order.Uint32(p.bytes(d.b)[headLen+4:]))])
	key = key[:min(len(key), 24)]
	meta := d.newestMeta()
	pages := metaFields(meta, meta*PageSize+headLen)[7]
	start := pages.get(d.b)
	pages.set(d.b, start+levels+1)
	sealMeta(d.b, meta)
	for len(d.b) < int(start+levels+1)*PageSize {
		d.b = append(d.b, make([]byte, PageSize)...)
	}
	d.size = int64(len(d.b))
	for level := range uint64(levels) {
		id := start + level
		if root && level == 0 {
			id = uint64(p.ID)
		}
		child := start + level + 1
		if level == levels-1 && !root {
			child = first // which is sound
		}
		b := d.b[id*uint64(PageSize) : (id+1)*uint64(PageSize)]
		clear(b)
		order.PutUint64(b, id)
		order.PutUint16(b[8:], branch)
		order.PutUint16(b[10:], sharedFan)
		end := headLen + sharedFan*elementLen
		for i := range sharedFan {
			k := append(bytes.Clone(key), bytes.Repeat([]byte{'A'}, int(level))...)
			k = append(k, byte('A'+i))
			k = k[:min(len(k), (PageSize-headLen)/sharedFan-elementLen)]
			at := headLen + i*elementLen
			order.PutUint32(b[at:], uint32(end-at))
			order.PutUint32(b[at+4:], uint32(len(k)))
			order.PutUint64(b[at+8:], child)
			end += copy(b[end:], k)
		}
	}
	if !root {
		order.PutUint64(p.bytes(d.b)[headLen+8:], start)
		return
	}
	// A leaf of one key that comes behind those of the first entries.
	b := d.b[(start+levels)*uint64(PageSize):]
	order.PutUint64(b, start+levels)
	order.PutUint16(b[8:], leaf)
	order.PutUint16(b[10:], 1)
	order.PutUint32(b[headLen+4:], elementLen)
	order.PutUint32(b[headLen+8:], uint32(len(key)+levels+2))
	copy(b[headLen+elementLen:], append(key, bytes.Repeat([]byte{'A'}, levels+2)...))
}

// newestMeta returns the number of the meta page that counts.
func (f *File) newestMeta() int {
	if order.Uint64(f.Data[PageSize+headLen+48:]) > order.Uint64(f.Data[headLen+48:]) {
		return 1
	}
	return 0
}

// metaBytes returns the bytes of the meta pages that hold something: the header,
// bbolt's record, and whatever else is not zero, with what is around it.
func metaBytes(file []byte) (list []Field) {
	for page := range 2 {
		b := file[page*PageSize : (page+1)*PageSize]
		for i := range PageSize {
			used := i < headLen+metaLen
			for j := max(headLen+metaLen, i-8); j < min(PageSize, i+9) && !used; j++ {
				used = b[j] != 0
			}
			if used {
				list = append(list, Field{Page: page, At: page*PageSize + i, Len: 1})
			}
		}
	}
	return list
}
