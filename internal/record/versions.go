package record

import (
	"bytes"
	"hash/maphash"
	"iter"
	"math"
	"slices"
)

// A Version is a sound record somewhere in a file.
type Version struct {
	Offset  int64
	Updated int64 // Unix milliseconds
	Size    int32 // without tasks; 0 while no sound record is known
	Tasks   int32 // how long they are, or DamagedTasks
	InUse   bool  // in a page that the meta page leads to
	Lost    bool  // what the meta page leads to is damaged
}

// DamagedTasks stands for the length of tasks that are damaged.
const DamagedTasks = -1

// Versions holds one Version for each of many suffixes, in about 75 bytes each. It
// is made for millions: what it allocates are a few large pieces, in which the
// garbage collector finds nothing to follow. The zero value is empty.
type Versions struct {
	blocks []*versionBlock
	n      int
	// slots is a hash table with open addressing: 1 + the number of a version, or
	// 0 for a slot that is free.
	slots []uint32
	seed  maphash.Seed
}

const blockVersions = 512

// A versionBlock holds the next 512 versions and their suffixes.
type versionBlock struct {
	versions [blockVersions]Version
	ends     [blockVersions]uint16 // where in suffixes each ends; they are MaxSuffix long at most
	suffixes []byte
}

// Len returns how many there are.
func (t *Versions) Len() int { return t.n }

// Find returns the version of suffix, or nil when there is none.
func (t *Versions) Find(suffix []byte) *Version {
	if t.n == 0 {
		return nil
	}
	for at := t.slot(suffix); t.slots[at] != 0; at = (at + 1) % len(t.slots) {
		if i := int(t.slots[at] - 1); bytes.Equal(t.suffix(i), suffix) {
			return t.version(i)
		}
	}
	return nil
}

// Add adds a version for suffix, which has none and is no longer than MaxSuffix.
func (t *Versions) Add(suffix []byte) *Version {
	if len(suffix) > MaxSuffix || uint64(t.n) == math.MaxUint32-1 {
		panic("record: too long a suffix, or too many")
	}
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	i := t.n
	if i%blockVersions == 0 {
		t.blocks = append(t.blocks, &versionBlock{suffixes: make([]byte, 0, blockVersions*mintedLen)})
	}
	b := t.blocks[i/blockVersions]
	b.suffixes = append(b.suffixes, suffix...)
	b.ends[i%blockVersions] = uint16(len(b.suffixes))
	t.n++
	t.place(i)
	return t.version(i)
}

// Sorted returns the versions in the order of their suffixes. It takes the memory
// of the hash table: Find and Add must not be called any more.
func (t *Versions) Sorted() iter.Seq2[[]byte, *Version] {
	order := t.slots[:0]
	for i := range t.n {
		order = append(order, uint32(i))
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(t.suffix(int(a)), t.suffix(int(b))) })
	return func(yield func([]byte, *Version) bool) {
		for _, i := range order {
			if !yield(t.suffix(int(i)), t.version(int(i))) {
				return
			}
		}
	}
}

func (t *Versions) version(i int) *Version {
	return &t.blocks[i/blockVersions].versions[i%blockVersions]
}

func (t *Versions) suffix(i int) []byte {
	b, i := t.blocks[i/blockVersions], i%blockVersions
	start := uint16(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.suffixes[start:b.ends[i]:b.ends[i]]
}

// slot returns where the search for suffix begins.
func (t *Versions) slot(suffix []byte) int {
	return int(maphash.Bytes(t.seed, suffix) % uint64(len(t.slots)))
}

// place puts version i into the hash table.
func (t *Versions) place(i int) {
	at := t.slot(t.suffix(i))
	for t.slots[at] != 0 {
		at = (at + 1) % len(t.slots)
	}
	t.slots[at] = uint32(i + 1)
}

func (t *Versions) grow() {
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]uint32, max(1024, 2*len(t.slots)))
	for i := range t.n {
		t.place(i)
	}
}
