package boltfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jobstore/jobstore/internal/page"
)

// A Damaged reads a file that may be damaged in any way. What the disk does not give
// reads as zeros.
type Damaged struct {
	// Size is the length of the file in bytes, Unread how many of them the disk
	// has not given so far.
	Size, Unread int64
	// Ahead is how many bytes to read at once, for a caller that reads in order.
	Ahead int
	// Meta is the newest meta page that is valid; nil when none is. Newest says
	// that it is certain to be the last one that was written.
	Meta   *Meta
	Newest bool

	file   *os.File
	from   int64 // where window begins
	window []byte
	bad    page.SparseSet // blocks that were not given
}

const blockLen = 4 << 10

// OpenDamaged opens a file that nobody is writing to, and looks for its meta
// pages.
func OpenDamaged(path string, lockTimeout time.Duration) (*Damaged, error) {
	info, err := os.Stat(path) // before it is opened, which would wait for a FIFO's writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file", ErrFormat)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	d := &Damaged{file: file, bad: make(page.SparseSet)}
	err = lockFile(file, false, lockTimeout)
	if err == nil {
		info, err = file.Stat()
	}
	if err == nil {
		d.Size = info.Size()
		err = d.findMeta()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return d, nil
}

// Close closes the file.
func (d *Damaged) Close() error { return d.file.Close() }

// findMeta finds the meta page to begin with.
func (d *Damaged) findMeta() error {
	var metas []*Meta
	take := func(offset int64) error {
		m, err := ReadMeta(d.file, offset)
		if m != nil && (offset == 0 || int64(m.PageSize) == offset) {
			metas = append(metas, m)
		}
		return err
	}
	if err := take(0); err != nil {
		return err
	}
	for size := int64(MinPageSize); size <= MaxPageSize; size *= 2 {
		if err := take(size); err != nil {
			return err
		}
	}
	for _, m := range metas {
		if d.Meta == nil || m.Txid > d.Meta.Txid {
			d.Meta = m
		}
	}
	if len(metas) == 2 {
		a, b := metas[0].Txid, metas[1].Txid
		d.Newest = max(a, b)-min(a, b) <= 2
	}
	return nil
}

// IsBolt reports whether the file at least began as one of bbolt's.
func (d *Damaged) IsBolt() bool { return d.Meta != nil || hasMagic(d.file) }

// Layout returns what is known of the pages, with no more of them than there are.
func (d *Damaged) Layout() page.Layout {
	l := page.Layout{PageSize: os.Getpagesize()}
	if d.Meta != nil {
		l.PageSize, l.Pages, l.Root = int(d.Meta.PageSize), d.Meta.Pages, d.Meta.Root
	}
	l.Pages = min(l.Pages, uint64(d.Size)/uint64(l.PageSize))
	return l
}

// At returns the n bytes at offset, or fewer at the end of the file. They are
// valid until the next call.
func (d *Damaged) At(offset int64, n int) []byte {
	n = int(min(int64(n), d.Size-offset))
	if n <= 0 {
		return nil
	}
	if offset < d.from || offset+int64(n) > d.from+int64(len(d.window)) {
		d.from = offset / blockLen * blockLen
		if d.Ahead > 0 {
			d.from = max(0, d.from-blockLen) // the key in front of a record
		}
		need := max(d.Ahead, int(offset-d.from)+n)
		d.load(int(min(int64(need), d.Size-d.from)))
	}
	return d.window[offset-d.from:][:n]
}

// load fills the window with n bytes.
func (d *Damaged) load(n int) {
	if cap(d.window) < n {
		d.window = make([]byte, n)
	}
	d.window = d.window[:n]
	if _, err := d.file.ReadAt(d.window, d.from); err == nil || errors.Is(err, io.EOF) {
		return
	}
	for i := 0; i < n; i += blockLen {
		block := d.window[i:min(n, i+blockLen)]
		if _, err := d.file.ReadAt(block, d.from+int64(i)); err == nil || errors.Is(err, io.EOF) {
			continue
		}
		clear(block)
		if d.bad.Add(uint64(d.from/blockLen + int64(i/blockLen))) {
			d.Unread += int64(len(block))
		}
	}
}

// ReadAt is io.ReaderAt.
func (d *Damaged) ReadAt(p []byte, offset int64) (int, error) {
	n := copy(p, d.At(offset, len(p)))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Data calls yield with the parts of the file in which there may be anything but
// zeros, as their beginnings and ends. It passes over holes, which take no room on
// the disk, where the operating system says where they are.
func (d *Damaged) Data(yield func(from, end int64) bool) {
	for end := int64(0); end < d.Size; {
		var from int64
		from, end = nextData(d.file, end, d.Size)
		if from < end && !yield(from, end) {
			return
		}
	}
}

// StrayBytes returns how many bytes are in pages that do not say what they are,
// nor belong to one that does, nor are in known. It fails with the error of ctx.
func (d *Damaged) StrayBytes(ctx context.Context, known page.SparseSet) (n int64, err error) {
	size := int64(d.Layout().PageSize)
	next, rest := int64(0), int64(0) // the page to look at, and how many more of the one before it there are
	for from, end := range d.Data {
		if id := from / size; id > next {
			next, rest = id, max(0, rest-(id-next))
		}
		for ; next*size < end; next++ {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			b := d.At(next*size, int(size))
			overflow, ok := pageHead(b, next)
			switch {
			case ok:
				rest = overflow
			case rest > 0:
				rest--
			case !known.Has(uint64(next)) && len(bytes.Trim(b, "\x00")) > 0:
				n += int64(len(b))
			}
		}
	}
	return n, nil
}

// pageHead reports whether b begins as the page with this number does, and
// returns how many pages it goes on for.
func pageHead(b []byte, id int64) (overflow int64, ok bool) {
	const branch, leaf, meta, freelist = 1, 2, 4, 16
	if len(b) < pageHeaderLen || int64(binary.NativeEndian.Uint64(b)) != id {
		return 0, false
	}
	switch binary.NativeEndian.Uint16(b[8:]) {
	case branch, leaf, meta, freelist:
		return int64(binary.NativeEndian.Uint32(b[12:])), true
	}
	return 0, false
}
