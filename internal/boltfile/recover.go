package boltfile

import (
	"encoding/binary"
	"hash/fnv"
	"os"

	"github.com/jobstore/jobstore/internal/page"
)

// prove proves what bbolt and the readers of the file are going to trust. After a
// Close, that is the list of free pages and the state of the tree. The seal in the
// meta page proves both; all other pages are proven when they are first read. A file
// without a seal was not closed, or somebody else wrote to it. It is scanned.
func (f *File) prove(file *os.File, m *Meta) error {
	f.sealed, f.state = false, nil
	if s := readSeal(file, m); s != nil && m.Freelist != page.NoFreelist && !f.unsealed {
		if ids, sum, err := readList(file, m); err == nil && sum == s.list {
			for _, id := range ids {
				f.Proven.SetFree(id)
			}
			for i := range uint64(page.ListPages(len(ids), int(m.PageSize))) {
				f.Proven.SetFree(m.Freelist + i) // the first commit gives it up
			}
			f.state, f.sealed = s.state, true
			return nil
		}
	}
	return f.scan(file, m)
}

// scan proves all pages in use, and writes the list of those that are not. Without
// the list, bbolt would scan the file for them again.
func (f *File) scan(file *os.File, m *Meta) (err error) {
	if err := checkHoles(file, m); err != nil {
		return err
	}
	l := m.Layout()
	if err := f.options.Proof.Begin(file, l); err != nil {
		return err
	}
	bytes, unmap, err := mapFile(file, int(m.Pages)*l.PageSize)
	if err != nil {
		return err
	}
	defer func() {
		if e := unmap(); err == nil {
			err = e
		}
	}()
	scanned, err := page.Scan(bytes, l, f.Proven, f.options.Proof.Content)
	if err != nil {
		return err
	}
	listed := l.Freelist != page.NoFreelist
	if listed {
		if err := scanned.CheckList(bytes, l); err != nil {
			return err
		}
	}
	if err := f.options.Proof.Check(scanned.Sums, m.Txid, listed); err != nil {
		return err
	}
	f.Proven.SetScanned()
	if listed || f.options.ReadOnly {
		return nil
	}
	return f.writeList(file, m, scanned.Free())
}

// writeList writes a list of the free pages ids, and a meta page that names it. The
// list stands in free pages, which it then does not have, or behind the last page.
func (f *File) writeList(file *os.File, m *Meta, ids []uint64) error {
	size := int(m.PageSize)
	need := page.ListPages(len(ids), size)
	next := *m
	next.Txid++
	next.Freelist, ids = takeRun(ids, need)
	if next.Freelist == 0 {
		next.Freelist = m.Pages
		next.Pages += uint64(need)
		if f.options.MaxSize > 0 && int64(next.Pages)*int64(size) > f.options.MaxSize {
			return nil // bbolt scans it again
		}
	}
	list := page.AppendList(nil, next.Freelist, ids, need, size)
	if _, err := file.WriteAt(list, int64(next.Freelist)*int64(size)); err != nil {
		if OutOfRoom(err) {
			return nil // bbolt scans it again
		}
		return err
	}
	if err := f.sync(file); err != nil {
		return err
	}
	b := make([]byte, size)
	appendMeta(b[:0], &next)
	if _, err := file.WriteAt(b, int64(next.Txid%2)*int64(size)); err != nil {
		return err
	}
	return f.sync(file)
}

func (f *File) sync(file *os.File) error {
	if f.options.NoSync {
		return nil
	}
	return file.Sync()
}

// takeRun takes the first run of n numbers out of ids, and returns its start and the
// others; 0 when there is none.
func takeRun(ids []uint64, n int) (start uint64, rest []uint64) {
	for i := 0; i+n <= len(ids); i++ {
		if ids[i+n-1] == ids[i]+uint64(n-1) {
			rest = append(append(rest, ids[:i]...), ids[i+n:]...)
			return ids[i], rest
		}
	}
	return 0, ids
}

// appendMeta appends the header and the record of the meta page m to dst.
func appendMeta(dst []byte, m *Meta) []byte {
	const metaFlag = 0x04
	order := binary.NativeEndian
	dst = order.AppendUint64(dst, m.Txid%2)
	dst = order.AppendUint16(dst, metaFlag)
	dst = append(dst, 0, 0, 0, 0, 0, 0) // count and overflow
	from := len(dst)
	dst = order.AppendUint32(dst, metaMagic)
	dst = order.AppendUint32(dst, metaVersion)
	dst = order.AppendUint32(dst, m.PageSize)
	dst = order.AppendUint32(dst, m.flags)
	dst = order.AppendUint64(dst, m.Root)
	dst = order.AppendUint64(dst, m.sequence)
	dst = order.AppendUint64(dst, m.Freelist)
	dst = order.AppendUint64(dst, m.Pages)
	dst = order.AppendUint64(dst, m.Txid)
	sum := fnv.New64a()
	_, _ = sum.Write(dst[from:])
	return order.AppendUint64(dst, sum.Sum64())
}

// maxMap is the size of the largest file that bbolt maps.
const maxMap = 0xFFFFFFFFFFFF

// checkHoles refuses a file that is said to have far more pages than the disk holds
// of it: what a scan needs of memory goes by the number of pages. All pages were
// written once.
func checkHoles(file *os.File, m *Meta) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	const (
		enough = 64 << 20
		packed = 64 // how much smaller a file system may make what it is given
	)
	size := m.Pages * uint64(m.PageSize)
	if held, ok := heldBytes(info); ok && size > enough && held < size/packed {
		return damagedf("file of %d pages has %d bytes on the disk", m.Pages, held)
	}
	return nil
}
