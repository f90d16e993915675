package page

import (
	"sync"
	"sync/atomic"
)

// A Proven remembers which pages of an open file were found sound, and at which
// height of a tree, so that each is proven in whole when it is first read and never
// again. The height of a leaf is 1. A page that bbolt writes later is sound, as bbolt
// made it of pages that were proven; Mark notes it.
//
// It also knows which pages were free when the file was opened. Until Mark notes
// that they were written, nothing may lead to them. That finds pages of an earlier
// commit, which are valid by themselves.
//
// It may be used by several goroutines. The zero value knows nothing.
type Proven struct {
	mu     sync.Mutex // held to write
	chunks atomic.Pointer[[]*chunk]
	// scanned says that every page that is in use was proven, so that any other
	// is free.
	scanned atomic.Bool
}

// A chunk has four bits for each of some pages: 0 if nothing is known of the page,
// free, led, or the height at which it was proven. Chunks are made as pages are read,
// so that memory follows what is there and not what the file says of itself.
type chunk [chunkPages / 8]atomic.Uint32

const (
	chunkBits  = 16
	chunkPages = 1 << chunkBits

	free = 15
	// led is a page that a page which was proven leads to or goes on in, and that was not
	// read yet.
	led = 13
)

// Height returns the height at which the page was proven, or 0.
func (p *Proven) Height(id uint64) uint8 {
	switch h := p.get(id); h {
	case free, led:
		return 0
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

// take notes that a page was proven at a height, and that it leads to others, or goes on
// in them. It returns false, with one of all these, when that one belongs to another page,
// stands at another height, or is free.
//
// Nobody has read what a page leads to that was not proven, and what bbolt has written
// was marked. So a page of which anything is known is led to twice, or is of an earlier
// commit.
func (p *Proven) take(id uint64, height uint8, claims []uint64) (page uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	is := p.get(id)
	if p.Height(id) == height {
		return 0, true // another reader was faster
	}
	if is != 0 && is != led {
		return id, false
	}
	p.put(id, height)
	for i, page := range claims {
		if p.get(page) != 0 || p.scanned.Load() {
			for _, other := range claims[:i] {
				p.put(other, 0)
			}
			p.put(id, is)
			return page, false
		}
		p.put(page, led)
	}
	return 0, true
}

func (p *Proven) set(id uint64, value uint8) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(id, value)
}

func (p *Proven) put(id uint64, value uint8) {
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
