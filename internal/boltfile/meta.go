package boltfile

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
)

// Bounds of the size of a page, which is that of the machine's memory.
const (
	MinPageSize = 1 << 10
	MaxPageSize = 1 << 24
)

// A Meta is what bbolt's meta record says.
type Meta struct {
	PageSize uint32
	Root     uint64 // page of the root bucket
	Freelist uint64 // page of the list of free pages, or page.NoFreelist
	Pages    uint64 // pages in use or free; the file may be longer
	Txid     uint64

	flags    uint32
	sequence uint64 // of the root bucket
	offset   int64  // where the page begins
}

// Layout returns what m says of the pages.
func (m *Meta) Layout() page.Layout {
	return page.Layout{PageSize: int(m.PageSize), Pages: m.Pages, Root: m.Root, Freelist: m.Freelist}
}

// CheckMeta looks over the start of a file before bbolt maps it. It returns
// ErrFormat for a file that is none of bbolt's, and ErrDamaged for one that is
// shorter than it says: reading past its end would kill the process.
func CheckMeta(f *os.File) (*Meta, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size > maxMap {
		return nil, damagedf("file of %d bytes is larger than can be mapped", size)
	}
	first, err := ReadMeta(f, 0)
	if err != nil {
		return nil, err
	}
	var second *Meta
	if first != nil {
		second, err = ReadMeta(f, int64(first.PageSize))
	} else {
		// The first one, which gives the page size, is damaged.
		for pageSize := int64(MinPageSize); second == nil && err == nil && pageSize <= MaxPageSize; pageSize *= 2 {
			if second, err = ReadMeta(f, pageSize); second != nil && int64(second.PageSize) != pageSize {
				second = nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	m := first
	if m == nil || second != nil && second.Txid > m.Txid {
		m = second
	}
	if m == nil {
		if hasMagic(f) {
			return nil, damagedf("both meta pages are damaged")
		}
		return nil, fmt.Errorf("%w: no meta page", ErrFormat)
	}
	if m.Pages > maxMap/uint64(m.PageSize) {
		return nil, damagedf("file of %d pages is larger than can be mapped", m.Pages)
	}
	if need := m.Pages * uint64(m.PageSize); m.Pages > uint64(size) || need > uint64(size) {
		return nil, damagedf("file has %d bytes, its meta page says %d pages of %d", size, m.Pages, m.PageSize)
	}
	if m.Root >= m.Pages || m.Freelist >= m.Pages && m.Freelist != page.NoFreelist {
		return nil, damagedf("meta page points past the end of the file")
	}
	return m, nil
}

// ReadMeta reads the meta record of the page at offset. It returns nil for one
// that is not valid.
func ReadMeta(f *os.File, offset int64) (*Meta, error) {
	var start [pageHeaderLen + metaLen]byte
	if _, err := f.ReadAt(start[:], offset); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, order := start[pageHeaderLen:], binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaLen-8])
	m := &Meta{
		PageSize: order.Uint32(b[8:]),
		Root:     order.Uint64(b[16:]),
		Freelist: order.Uint64(b[32:]),
		Pages:    order.Uint64(b[40:]),
		Txid:     order.Uint64(b[48:]),
		flags:    order.Uint32(b[12:]),
		sequence: order.Uint64(b[24:]),
		offset:   offset,
	}
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion ||
		order.Uint64(b[56:]) != sum.Sum64() || m.PageSize < MinPageSize || m.PageSize > MaxPageSize {
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

// checkOtherMeta checks the meta page that m is not from. If it is damaged, it may
// have been the newer of the two, and the last commit would be missing without a
// word. A commit that was cut off does not damage it, as the record is in one
// sector of the disk. And it is the one written before m: if it is much older, a
// newer one was lost.
func checkOtherMeta(f *os.File, m *Meta) error {
	for _, offset := range []int64{0, int64(m.PageSize)} {
		other, err := ReadMeta(f, offset)
		if err != nil {
			return err
		}
		if other == nil {
			return damagedf("meta page %d is damaged: the last commit may be missing", offset/int64(m.PageSize))
		}
		// They differ by one, but by two after the first commit on a copy that
		// bbolt has made.
		if other.Txid != m.Txid && m.Txid-other.Txid > 2 {
			return damagedf("meta pages are of transactions %d and %d: a commit is missing", other.Txid, m.Txid)
		}
	}
	return nil
}
