package jobstore

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/jobstore/jobstore/internal/page"
)

// The start of a bbolt file: two pages, each with a header and a meta record,
// of which the valid one with the higher transaction ID counts. Numbers are in
// the byte order of the machine.
const (
	pageHeaderLen = 16
	metaLen       = 64
	metaMagic     = 0xED0CDAED
	metaVersion   = 2

	minPageSize = 1 << 10
	maxPageSize = 1 << 24
)

// A meta is what bbolt's meta record says.
type meta struct {
	pageSize uint32
	root     uint64 // page of the root bucket
	freelist uint64 // page of the list of free pages, or page.NoFreelist
	pages    uint64 // pages in use or free; the file may be longer
	txid     uint64
}

// layout returns what m says of the pages.
func (m *meta) layout() page.Layout {
	return page.Layout{PageSize: int(m.pageSize), Pages: m.pages, Root: m.root, Freelist: m.freelist}
}

// checkMeta looks over the start of a file before bbolt maps it. It returns
// ErrFormat for a file that is none of bbolt's, and ErrCorrupt for one that is
// shorter than it says: reading past its end would kill the process.
func checkMeta(f *os.File) (*meta, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	first, err := readMeta(f, 0)
	if err != nil {
		return nil, err
	}
	var second *meta
	if first != nil {
		second, err = readMeta(f, int64(first.pageSize))
	} else {
		// The first one, which gives the page size, is damaged.
		for pageSize := int64(minPageSize); second == nil && err == nil && pageSize <= maxPageSize; pageSize *= 2 {
			if second, err = readMeta(f, pageSize); second != nil && int64(second.pageSize) != pageSize {
				second = nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	m := first
	if m == nil || second != nil && second.txid > m.txid {
		m = second
	}
	if m == nil {
		if hasMagic(f) {
			return nil, corruptf("both meta pages are damaged")
		}
		return nil, fmt.Errorf("%w: no meta page", ErrFormat)
	}
	if need := m.pages * uint64(m.pageSize); m.pages > uint64(size) || need > uint64(size) {
		return nil, corruptf("file has %d bytes, its meta page says %d pages of %d", size, m.pages, m.pageSize)
	}
	if m.root >= m.pages || m.freelist >= m.pages && m.freelist != page.NoFreelist {
		return nil, corruptf("meta page points past the end of the file")
	}
	return m, nil
}

// readMeta reads the meta record of the page at offset. It returns nil for one
// that is not valid.
func readMeta(f *os.File, offset int64) (*meta, error) {
	var start [pageHeaderLen + metaLen]byte
	if _, err := f.ReadAt(start[:], offset); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, order := start[pageHeaderLen:], binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaLen-8])
	m := &meta{
		pageSize: order.Uint32(b[8:]),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion ||
		order.Uint64(b[56:]) != sum.Sum64() || m.pageSize < minPageSize || m.pageSize > maxPageSize {
		return nil, nil
	}
	return m, nil
}

// hasMagic reports whether the file at least began as one of bbolt's.
func hasMagic(f *os.File) bool {
	var b [4]byte
	for _, offset := range []int64{0, int64(os.Getpagesize())} {
		if _, err := f.ReadAt(b[:], offset+pageHeaderLen); err == nil && binary.NativeEndian.Uint32(b[:]) == metaMagic {
			return true
		}
	}
	return false
}
