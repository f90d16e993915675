package damage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// A Kind is a way to damage a file.
type Kind string

// None leaves the file as it is: whoever looks for damage must find none.
const None Kind = "none"

// The kinds of damage that chance places. All but Any and Cut are aimed at pages
// in use.
const (
	Bit     Kind = "bit"     // one bit
	Any     Kind = "any"     // one bit anywhere in the file
	Keys    Kind = "keys"    // one bit of a key in a leaf
	Pair    Kind = "pair"    // two bits, half of the time in numbers of the pages
	Zeroed  Kind = "zeroed"  // a page of zeros, as of a lost write
	Noise   Kind = "noise"   // a page of random bytes
	Wiped   Kind = "wiped"   // the first bytes of a page zeroed
	Torn    Kind = "torn"    // a page of which some sectors are of an older time
	Swapped Kind = "swapped" // two pages in each other's place, as of misdirected writes
	Copied  Kind = "copied"  // a page in place of another, under the other's number
	Cut     Kind = "cut"     // the end of the file is missing
	Hostile Kind = "hostile" // a number of a page that suits an attacker
	Grown   Kind = "grown"   // the same in a file that is long enough for it
	Stale   Kind = "stale"   // a page as it was some commits ago, as of a lost write
)

// Kinds lists the kinds. Stale, which is the only one that leaves every page
// valid by itself, stands last.
var Kinds = []Kind{Bit, HeaderBits, ChildBits, MetaBits, FreeBits, ElementFlags, SmallBits, Overflows, Loops, Shared,
	Any, Keys, Pair, Zeroed, Noise, Wiped, Torn, Swapped, Copied, Cut, Hostile, Grown, Stale}

// A Damaged is a file with damage.
type Damaged struct {
	Data  []byte
	Size  int64  // of the file, which has a hole behind Data if that is shorter
	Where string // the damage in words
	Page  int    // the place among the pages in use of the page that was hit, or -1
}

// Damage returns f with one damage of a kind: the n-th of those that go through
// all points, and else one that rng picks.
func (f *File) Damage(rng *rand.Rand, kind Kind, n int) Damaged {
	d := damager{File: f, rng: rng, b: bytes.Clone(f.Data), page: -1}
	d.size = int64(len(d.b))
	pass := f.pass(kind)
	if pass != nil {
		d.at(pass, n)
	}
	switch {
	case kind == None, pass != nil:
	case kind == Bit:
		d.bit()
	case kind == Any:
		d.any()
	case kind == Keys:
		d.key()
	case kind == Pair:
		d.pair()
	case kind == Cut:
		d.cut()
	case kind == Hostile, kind == Grown:
		d.hostile(kind == Grown)
	default:
		d.pageOf(kind)
	}
	return Damaged{Data: d.b, Size: d.size, Where: d.where, Page: d.page}
}

type damager struct {
	*File
	rng   *rand.Rand
	b     []byte
	size  int64
	where string
	page  int
}

func (d *damager) note(format string, args ...any) {
	if d.where != "" {
		d.where += "; "
	}
	d.where += fmt.Sprintf(format, args...)
}

// flip flips one bit, and says where it is.
func (d *damager) flip(page, at, bit int) {
	d.b[at] ^= 1 << bit
	d.page = page
	p := &d.Pages[page]
	d.note("%s, byte %d, bit %d, %s", p, at-p.ID*PageSize, bit, d.nameOf(page, at))
}

// nameOf says what an offset of a page belongs to.
func (d *damager) nameOf(page, at int) string {
	for _, fields := range [][]Field{d.fields.Headers, d.fields.Children, d.fields.Metas, d.fields.Free, d.fields.Elements, d.fields.Flags} {
		for i := range fields {
			if f := &fields[i]; f.Page == page && f.At <= at && at < f.At+f.Len {
				return f.Name
			}
		}
	}
	p := &d.Pages[page]
	if p.Type != "leaf" && p.Type != "branch" {
		return "no field"
	}
	b, offset := p.bytes(d.Data), at-p.ID*PageSize
	for i := range int(order.Uint16(b[10:])) {
		if p.Type == "branch" {
			start := headLen + i*elementLen
			key := start + int(order.Uint32(b[start:]))
			if end := key + int(order.Uint32(b[start+4:])); key <= offset && offset < end {
				return fmt.Sprintf("key %d, byte %d of %d", i, offset-key, end-key)
			}
			continue
		}
		switch e := element(b, i); {
		case e.key <= offset && offset < e.value:
			return fmt.Sprintf("key %d, byte %d of %d", i, offset-e.key, e.value-e.key)
		case e.value <= offset && offset < e.end:
			return fmt.Sprintf("value %d, byte %d of %d", i, offset-e.value, e.end-e.value)
		}
	}
	return "no field"
}

// bit flips a bit anywhere in the pages in use.
func (d *damager) bit() {
	n := d.rng.IntN(d.used * PageSize)
	for i := range d.Pages {
		p := &d.Pages[i]
		if n < p.Span*PageSize {
			d.flip(i, p.ID*PageSize+n, d.rng.IntN(8))
			return
		}
		n -= p.Span * PageSize
	}
}

func (d *damager) any() {
	at, bit := d.rng.IntN(len(d.b)), d.rng.IntN(8)
	for i := range d.Pages {
		if p := &d.Pages[i]; p.ID <= at/PageSize && at/PageSize < p.ID+p.Span {
			d.flip(i, at, bit)
			return
		}
	}
	d.b[at] ^= 1 << bit
	d.note("page %d (free), byte %d, bit %d", at/PageSize, at%PageSize, bit)
}

// key flips a bit of a key of a leaf.
func (d *damager) key() {
	for {
		at := d.rng.IntN(len(d.Pages))
		p := &d.Pages[at]
		if p.Type != "leaf" {
			continue
		}
		b := p.bytes(d.Data)
		e := element(b, d.rng.IntN(int(order.Uint16(b[10:]))))
		d.flip(at, p.ID*PageSize+e.key+d.rng.IntN(e.value-e.key), d.rng.IntN(8))
		return
	}
}

// number flips a bit of a number of a page, whichever.
func (d *damager) number() {
	fields := one(d.rng, [][]Field{d.fields.Headers, d.fields.Children, d.fields.Elements, d.fields.Flags})
	f := one(d.rng, fields)
	// The low bits lead to pages that are there.
	n := d.rng.IntN(8 * f.Len)
	if d.rng.IntN(2) == 0 {
		n = d.rng.IntN(8)
	}
	d.flip(f.Page, f.At+n/8, n%8)
}

func (d *damager) pair() {
	for d.where = ""; bytes.Equal(d.b, d.Data); {
		d.where = ""
		for range 2 {
			if d.rng.IntN(2) == 0 {
				d.bit()
			} else {
				d.number()
			}
		}
	}
}

func (d *damager) cut() {
	n := d.rng.IntN(len(d.b))
	if d.rng.IntN(2) == 0 {
		n -= n % PageSize
	}
	d.b, d.size = d.b[:n], int64(n)
	d.note("to %d of %d bytes", n, len(d.Data))
}

// hostile sets a number of a page to one that an attacker would take. In a file
// that is long enough for it, no look at the length refuses it.
func (d *damager) hostile(grown bool) {
	pages := uint64(len(d.b) / PageSize)
	if grown {
		// A hole that costs nothing, and a meta page that counts it in.
		pages = one(d.rng, []uint64{1 << 18, 1 << 22, 1 << 26, 1 << 30, 1 << 38})
		d.size = int64(pages) * int64(PageSize)
		for page := range 2 {
			counted := metaFields(page, page*PageSize+headLen)[7]
			if d.rng.IntN(4) > 0 {
				counted.set(d.b, pages)
				sealMeta(d.b, page)
			}
		}
		d.note("file of %d pages", pages)
	}
	fields := one(d.rng, [][]Field{d.fields.Headers, d.fields.Headers, d.fields.Children, d.fields.Elements, d.fields.Flags, d.fields.Metas, d.fields.Free})
	if len(fields) == 0 {
		fields = d.fields.Headers
	}
	f := one(d.rng, fields)
	other := &d.Pages[d.rng.IntN(len(d.Pages))]
	number := one(d.rng, []uint64{0, 1, 2, 3, 4, 0x10, 0x7f, 0xff, 0x7fff, 0xffff, 0xffffff, 0x7fffffff, 0xffffffff,
		0x7fffffffffffffff, 0xffffffffffffffff, 1 << 20, 1 << 28, 1 << 40, pages, pages - 1, pages + 1, pages / 2,
		uint64(other.ID), uint64(d.Pages[f.Page].ID), f.get(d.b) + 1, f.get(d.b) - 1, f.get(d.b) << 8})
	f.set(d.b, number)
	d.page = f.Page
	d.note("%s, %s = %#x", &d.Pages[f.Page], f.Name, f.get(d.b))
	if f.Page < 2 && f.Name != "checksum" && d.rng.IntN(8) > 0 {
		sealMeta(d.b, f.Page)
		d.note("checksum made to fit")
	}
}

// pageOf damages a page in use as a whole.
func (d *damager) pageOf(kind Kind) {
	at := d.rng.IntN(len(d.Pages))
	if d.rng.IntN(3) == 0 { // pages that hold others together, of which there are few
		at = one(d.rng, d.inner)
	}
	d.page = at
	p := &d.Pages[at]
	d.note("%s", p)
	b := p.bytes(d.b)[:PageSize]
	switch kind {
	case Zeroed:
		clear(b)
	case Noise:
		fill(d.rng, b)
	case Wiped:
		n := one(d.rng, []int{headLen, 64, 512})
		clear(b[:n])
		d.note("%d bytes", n)
	case Swapped, Copied:
		other := at
		for other == at {
			other = d.rng.IntN(len(d.Pages))
		}
		q := d.Pages[other].bytes(d.b)[:PageSize]
		d.note("and %s", &d.Pages[other])
		saved := bytes.Clone(b)
		copy(b, q)
		if kind == Swapped {
			copy(q, saved)
		} else if d.rng.IntN(4) > 0 {
			order.PutUint64(b, uint64(p.ID))
		}
	case Torn, Stale:
		d.older(at, kind)
	}
}

// older puts back what was in a page at an earlier time: sectors or the whole.
func (d *damager) older(at int, kind Kind) {
	for try := 0; ; try++ {
		p := &d.Pages[at]
		old := one(d.rng, d.Older)
		start := p.ID * PageSize
		if start+PageSize <= len(old) && !bytes.Equal(old[start:start+PageSize], d.b[start:start+PageSize]) &&
			(try > 100 || order.Uint64(old[start:]) == uint64(p.ID)) {
			old, now := old[start:start+PageSize], d.b[start:start+PageSize]
			d.page, d.where = at, p.String()
			if kind == Stale {
				copy(now, old)
				d.note("was page %d with flags %d", order.Uint64(old), order.Uint16(old[8:]))
				return
			}
			const sector = 512
			first := sector * (1 + d.rng.IntN(PageSize/sector-1))
			was := bytes.Clone(now)
			if d.rng.IntN(2) == 0 {
				copy(now[first:], old[first:])
				d.note("the old from byte %d on", first)
			} else {
				copy(now[:first], old)
				d.note("the old up to byte %d", first)
			}
			if try < 200 && (bytes.Equal(now, old) || bytes.Equal(now, was)) {
				copy(now, was)
				continue
			}
			return
		}
		at = d.rng.IntN(len(d.Pages))
	}
}

func fill(rng *rand.Rand, p []byte) {
	for i := 0; i+8 <= len(p); i += 8 {
		order.PutUint64(p[i:], rng.Uint64())
	}
}

func one[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
