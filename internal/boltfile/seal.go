package boltfile

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"github.com/jobstore/jobstore/internal/page"
)

// Close seals the file. The seal stands behind the record in the meta page, where
// bbolt leaves the page empty; every commit writes zeros there. It lets the next Open
// trust the list of free pages, and has the state of the tree, which is the store's:
//
//	offset  bytes
//	128     8     "jobstsel"
//	136     8     number of the transaction of the meta page
//	144     8     number of pages that are in use or free
//	152     4     CRC32C of the list of free pages, header and numbers
//	156     2     n, the length of the state
//	158     n     state
//	158+n   4     CRC32C of all ahead of it, from offset 128 on
//
// Numbers are little-endian.
const (
	sealAt    = 128
	sealMagic = "jobstsel"
	sealHead  = 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A seal is what Close keeps.
type seal struct {
	txid  uint64
	pages uint64
	list  uint32 // checksum of the list of free pages
	state []byte
}

// append appends the form of s in the file to dst.
func (s *seal) append(dst []byte) []byte {
	from := len(dst)
	dst = append(dst, sealMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, s.txid)
	dst = binary.LittleEndian.AppendUint64(dst, s.pages)
	dst = binary.LittleEndian.AppendUint32(dst, s.list)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s.state)))
	dst = append(dst, s.state...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}

// readSeal returns the seal of the meta page m, or nil when it has none.
func readSeal(f io.ReaderAt, m *Meta) *seal {
	b := make([]byte, MinPageSize-sealAt)
	if _, err := f.ReadAt(b, m.offset+sealAt); err != nil || string(b[:8]) != sealMagic {
		return nil
	}
	end := sealHead + int(binary.LittleEndian.Uint16(b[28:]))
	if end+4 > len(b) || crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return nil
	}
	s := &seal{
		txid:  binary.LittleEndian.Uint64(b[8:]),
		pages: binary.LittleEndian.Uint64(b[16:]),
		list:  binary.LittleEndian.Uint32(b[24:]),
		state: b[sealHead:end],
	}
	if s.txid != m.Txid || s.pages != m.Pages {
		return nil
	}
	return s
}

// readList returns the numbers in the list of free pages that m names, and the
// checksum of the list.
func readList(f *os.File, m *Meta) (ids []uint64, sum uint32, err error) {
	l := m.Layout()
	b := make([]byte, l.PageSize)
	if _, err := f.ReadAt(b, int64(l.Freelist)*int64(l.PageSize)); err != nil {
		return nil, 0, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(b[12:]))
	if overflow >= l.Pages-l.Freelist {
		return nil, 0, damagedf("list of free pages on page %d overflows past the last page", l.Freelist)
	}
	b = make([]byte, int(overflow+1)*l.PageSize)
	if _, err := f.ReadAt(b, int64(l.Freelist)*int64(l.PageSize)); err != nil {
		return nil, 0, err
	}
	ids, err = page.ReadList(b, l)
	if err != nil {
		return nil, 0, damagedf("%v", err)
	}
	if page.ListPages(len(ids), l.PageSize) > int(overflow+1) {
		return nil, 0, damagedf("list of free pages is longer than its pages")
	}
	return ids, listSum(l.Freelist, overflow, ids), nil
}

// listSum returns the checksum of a list of free pages.
func listSum(id, overflow uint64, ids []uint64) uint32 {
	b := make([]byte, 0, 24+8*len(ids))
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.LittleEndian.AppendUint64(b, overflow)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	return crc32.Checksum(b, castagnoli)
}

// writeSeal puts a seal with state behind the record of the newest meta page, and
// syncs the file. A crash on the way leaves a file without a seal, which is as good.
func writeSeal(f *os.File, state []byte) error {
	m, err := CheckMeta(f)
	if err != nil {
		return err
	}
	_, sum, err := readList(f, m)
	if err != nil {
		return err
	}
	s := seal{txid: m.Txid, pages: m.Pages, list: sum, state: state}
	b := s.append(nil)
	if len(b) > MinPageSize-sealAt {
		return nil // the next Open scans the file
	}
	if _, err := f.WriteAt(b, m.offset+sealAt); err != nil {
		return err
	}
	return f.Sync()
}
