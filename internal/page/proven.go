package page

import (
	"sync"
	"sync/atomic"
)

// A Proven remembers which pages of an open file were found sound, and at which
// height of a tree, so that each is proven in whole when it is first read and never
// again. The height of a leaf is 1. A page that bbolt writes later is sound of
// itself; Mark takes it in.
//
// It also knows which pages were free when the file was opened: until Mark says
// that they were written, nothing may lead to them. A page of an earlier commit,
// which is valid by itself, is told by that.
//
// It may be used by several goroutines. The zero value knows nothing.
type Proven struct {
	mu     sync.Mutex // held to write
	chunks atomic.Pointer[[]*chunk]
	// scanned says that every page that is in use was proven, so that any other
	// is free.
	scanned atomic.Bool
}

// A chunk has four bits for each of some pages: 0 for a page that was not proven,
// its height, or free. Chunks are made as pages are read, so that memory follows
// what is there and not what the file says of itself.
type chunk [chunkPages / 8]atomic.Uint32

const (
	chunkBits  = 16
	chunkPages = 1 << chunkBits

	free = 15
	// claimed is a page that a branch which was proven leads to, and that was not read
	// yet.
	claimed = 13
	// leafProven is the height of a leaf whose late entries were proven too.
	leafProven = 14
)

// Height returns the height at which the page was proven, or 0.
func (p *Proven) Height(id uint64) uint8 {
	switch h := p.get(id); h {
	case free, claimed:
		return 0
	case leafProven:
		return 1
	default:
		return h
	}
}

func (p *Proven) get(id uint64) uint8 {
	chunks := p.chunks.Load()
	if chunks == nil || id>>chunkBits >= uint64(len(*chunks)) {
		return 0
	}
	c := (*chunks)[id>>chunkBits]
	if c == nil {
		return 0
	}
	return uint8(c[id%chunkPages/8].Load()>>(id%8*4)) & 15
}

// isFree reports whether the page was free when the file was opened, and has not
// been written since.
func (p *Proven) isFree(id uint64) bool {
	h := p.get(id)
	return h == free || h == 0 && p.scanned.Load()
}

// Set notes that a page was proven at a height.
func (p *Proven) Set(id uint64, height uint8) { p.set(id, height) }

// SetFree notes that a page is free.
func (p *Proven) SetFree(id uint64) { p.set(id, free) }

// SetScanned notes that all pages in use were proven.
func (p *Proven) SetScanned() { p.scanned.Store(true) }

func (p *Proven) set(id uint64, value uint8) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(id, value)
}

// setBranch notes that the branch on page id was proven at a height, and that its
// children belong to it. It returns false, with a child, when that belongs to another
// branch or is free.
//
// Nobody has read a child of a branch that was not proven, and a branch that bbolt has
// written was. So a child of which anything is known is led to twice, or is of an
// earlier commit.
func (p *Proven) setBranch(id uint64, height uint8, children []uint64) (child uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Height(id) == height {
		return 0, true // another reader was faster
	}
	for i, child := range children {
		if p.get(child) != 0 {
			for _, other := range children[:i] {
				p.setLocked(other, 0)
			}
			return child, false
		}
		p.setLocked(child, claimed)
	}
	p.setLocked(id, height)
	return 0, true
}

func (p *Proven) setLocked(id uint64, value uint8) {
	chunks := p.chunks.Load()
	at := id >> chunkBits
	if chunks == nil || at >= uint64(len(*chunks)) {
		grown := make([]*chunk, at+1+at/4)
		if chunks != nil {
			copy(grown, *chunks)
		}
		chunks = &grown
		p.chunks.Store(chunks)
	}
	c := (*chunks)[at]
	if c == nil {
		c = new(chunk)
		grown := make([]*chunk, len(*chunks)) // readers look at the old one without a lock
		copy(grown, *chunks)
		grown[at] = c
		p.chunks.Store(&grown)
	}
	word := &c[id%chunkPages/8]
	shift := id % 8 * 4
	word.Store(word.Load()&^(15<<shift) | uint32(value)<<shift)
}
