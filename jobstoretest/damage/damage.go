package damage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
)

// A Kind is a way to damage a file.
type Kind string

// The kinds of damage.
const (
	FlippedBit Kind = "flipped-bit" // one bit anywhere
	ZeroedPage Kind = "zeroed-page" // a page of zeros, as of a lost write
	RandomPage Kind = "random-page" // a page of noise
	WipedHead  Kind = "wiped-head"  // the header of a page zeroed, and some more or none
	CutFile    Kind = "cut-file"    // the end is missing
	Swapped    Kind = "swapped"     // two pages in each other's place, as of misdirected writes
	OldPage    Kind = "old-page"    // a page as it was some commits ago, as of a lost write
)

// Kinds lists the kinds of damage. OldPage, which is the only one that leaves
// every page valid by itself, stands last.
var Kinds = []Kind{FlippedBit, ZeroedPage, RandomPage, WipedHead, CutFile, Swapped, OldPage}

// PageSize is the size of a page in a sample, which is that of the machine's
// memory.
var PageSize = os.Getpagesize()

const (
	headLen  = 16 // of a page
	branch   = 1
	leaf     = 2
	freelist = 16
)

// Damage returns file with one damage of a kind, and says where it is. Half of
// the time it picks a page among those that hold the tree together, of which
// there are few, and else among all.
func (s *Sample) Damage(rng *rand.Rand, kind Kind, file []byte) (damaged []byte, where string) {
	b := bytes.Clone(file)
	id := pick(rng, b)
	where = describe(b, id)
	p := page(b, id)
	switch kind {
	case FlippedBit:
		// The first bytes of a page say where all others are.
		among := PageSize
		if rng.IntN(2) == 0 {
			among = 256
		}
		at, bit := rng.IntN(among), rng.IntN(8)
		p[at] ^= 1 << bit
		where += fmt.Sprintf(", byte %d, bit %d", at, bit)
	case ZeroedPage:
		clear(p)
	case RandomPage:
		fill(rng, p)
	case WipedHead:
		n := one(rng, []int{headLen, 64, 512})
		clear(p[:n])
		where += fmt.Sprintf(", %d bytes", n)
	case CutFile:
		n := rng.IntN(len(b))
		if rng.IntN(2) == 0 {
			n -= n % PageSize
		}
		return b[:n], fmt.Sprintf("to %d of %d bytes", n, len(b))
	case Swapped:
		other := id
		for other == id {
			other = pick(rng, b)
		}
		where += " with " + describe(b, other)
		q := page(b, other)
		saved := bytes.Clone(p)
		copy(p, q)
		copy(q, saved)
	case OldPage:
		for {
			old := one(rng, s.Older)
			if (id+1)*PageSize <= len(old) && inUse(old, id) && !bytes.Equal(page(old, id), p) {
				where += ", was " + describe(old, id)
				copy(p, page(old, id))
				break
			}
			id = pick(rng, b)
			p = page(b, id)
			where = describe(b, id)
		}
	}
	return b, where
}

func page(file []byte, id int) []byte { return file[id*PageSize : (id+1)*PageSize] }

func flags(file []byte, id int) int {
	return int(binary.NativeEndian.Uint16(page(file, id)[8:]))
}

// inUse reports whether page id has the form of one that was once written.
func inUse(file []byte, id int) bool {
	return int(binary.NativeEndian.Uint64(page(file, id))) == id && flags(file, id) != 0
}

func pick(rng *rand.Rand, file []byte) int {
	pages := len(file) / PageSize
	if rng.IntN(2) == 0 {
		return rng.IntN(pages)
	}
	for {
		if id := rng.IntN(pages); id < 2 || inUse(file, id) && (flags(file, id) != leaf || hasBuckets(page(file, id))) {
			return id
		}
	}
}

// hasBuckets reports whether a leaf page's first element is a bucket.
func hasBuckets(p []byte) bool { return binary.NativeEndian.Uint32(p[headLen:]) == 1 }

func describe(file []byte, id int) string {
	name := "unused"
	if id < 2 || inUse(file, id) {
		switch {
		case id < 2:
			name = "meta"
		case flags(file, id) == branch:
			name = "branch"
		case flags(file, id) == freelist:
			name = "freelist"
		case hasBuckets(page(file, id)):
			name = "buckets"
		default:
			name = "leaf"
		}
	}
	return fmt.Sprintf("page %d (%s)", id, name)
}

func fill(rng *rand.Rand, p []byte) {
	for i := 0; i+8 <= len(p); i += 8 {
		binary.NativeEndian.PutUint64(p[i:], rng.Uint64())
	}
}
