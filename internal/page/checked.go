package page

import (
	"sync"
	"sync/atomic"
)

// A Checked remembers which pages of a file were found sound, so that each is
// checked in whole when it is first read and never again. A page that bbolt
// writes later is sound of itself. It may be used by several goroutines.
type Checked struct {
	mu   sync.Mutex // held to grow
	bits atomic.Pointer[[]atomic.Uint64]
}

func (c *Checked) has(id uint64) bool {
	bits := c.bits.Load()
	return bits != nil && id/64 < uint64(len(*bits)) && (*bits)[id/64].Load()&(1<<(id%64)) != 0
}

func (c *Checked) add(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bits := c.bits.Load()
	if bits == nil || id/64 >= uint64(len(*bits)) {
		grown := make([]atomic.Uint64, 2*(id/64)+16)
		if bits != nil {
			for i := range *bits {
				grown[i].Store((*bits)[i].Load())
			}
		}
		bits = &grown
		c.bits.Store(bits)
	}
	(*bits)[id/64].Or(1 << (id % 64))
}

// check checks the page that was just put at a level of c, as far as a page can be
// without knowing what is in it.
func (c *Cursor) check(at int, id uint64) {
	var low, high []byte
	if at > 0 {
		low = c.stack[at-1].key(c.stack[at-1].i)
		if c.stack[at-1].i == 0 {
			low = nil // the first child also takes what comes before it
		}
	}
	for up := at - 1; up >= 0 && high == nil; up-- {
		if l := &c.stack[up]; l.i+1 < l.count {
			high = l.key(l.i + 1)
		}
	}
	c.stack[at].verify(id, c.bucket.pageSize, low, high)
}
