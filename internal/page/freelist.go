package page

import (
	"encoding/binary"
	"fmt"
)

const (
	freelistFlag = 0x10
	// longCount as the count of a list of free pages says that the count is the
	// first number in it.
	longCount = 0xffff
)

// ReadList returns the numbers in the list of free pages that b, the bytes of its
// pages, holds. They ascend and are those of pages of the file.
func ReadList(b []byte, l Layout) ([]uint64, error) {
	order := binary.NativeEndian
	count, rest := uint64(order.Uint16(b[10:])), b[headerLen:]
	if is, flags := order.Uint64(b), order.Uint16(b[8:]); is != l.Freelist || flags != freelistFlag {
		return nil, fmt.Errorf("list of free pages on page %d says it is page %d, with flags %#x", l.Freelist, is, flags)
	}
	if count == longCount {
		count, rest = order.Uint64(rest), rest[8:]
	}
	if count > uint64(len(rest)/8) {
		return nil, fmt.Errorf("list of free pages has %d in %d bytes", count, len(rest))
	}
	ids := make([]uint64, count)
	last := uint64(1)
	for i := range ids {
		ids[i] = order.Uint64(rest[i*8:])
		if ids[i] <= last || ids[i] >= l.Pages {
			return nil, fmt.Errorf("list of free pages has page %d behind page %d", ids[i], last)
		}
		last = ids[i]
	}
	return ids, nil
}

// AppendList appends the pages of a list of free pages, of which there are n from
// page id on, to dst, as bbolt writes it.
func AppendList(dst []byte, id uint64, ids []uint64, n, pageSize int) []byte {
	from := len(dst)
	order := binary.NativeEndian
	dst = order.AppendUint64(dst, id)
	dst = order.AppendUint16(dst, freelistFlag)
	if len(ids) < longCount {
		dst = order.AppendUint16(dst, uint16(len(ids)))
	} else {
		dst = order.AppendUint16(dst, longCount)
	}
	dst = order.AppendUint32(dst, uint32(n-1))
	if len(ids) >= longCount {
		dst = order.AppendUint64(dst, uint64(len(ids)))
	}
	for _, id := range ids {
		dst = order.AppendUint64(dst, id)
	}
	return append(dst, make([]byte, n*pageSize-(len(dst)-from))...)
}

// ListPages returns how many pages a list of n free pages takes.
func ListPages(n, pageSize int) int {
	size := headerLen + 8*n
	if n >= longCount {
		size += 8
	}
	return (size + pageSize - 1) / pageSize
}
