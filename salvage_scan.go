package jobstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// readLayout finds the meta page to begin with.
func (s *salvager) readLayout(f *os.File) error {
	var metas []*meta
	take := func(offset int64) error {
		m, err := readMeta(f, offset)
		if m != nil && (offset == 0 || int64(m.pageSize) == offset) {
			metas = append(metas, m)
		}
		return err
	}
	if err := take(0); err != nil {
		return err
	}
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 {
		if err := take(size); err != nil {
			return err
		}
	}
	for _, m := range metas {
		if s.meta == nil || m.txid > s.meta.txid {
			s.meta = m
		}
	}
	if len(metas) == 2 {
		a, b := metas[0].txid, metas[1].txid
		s.newest = max(a, b)-min(a, b) <= 2
	}
	return nil
}

// layout returns what is known of the pages, with no more of them than there are.
func (s *salvager) layout() page.Layout {
	l := page.Layout{PageSize: os.Getpagesize()}
	if s.meta != nil {
		l.PageSize, l.Pages, l.Root = int(s.meta.pageSize), s.meta.pages, s.meta.root
	}
	l.Pages = min(l.Pages, uint64(s.file.size)/uint64(l.PageSize))
	return l
}

// follow reads the records that the meta page leads to.
func (s *salvager) follow() {
	if s.meta == nil {
		return
	}
	l := s.layout()
	whole := page.Elements(&s.file, l, index.PathOf(index.Jobs), func(e page.Element) {
		v, job, ok := s.version(e.Key, e.Value, e.Offset)
		if !ok || v.size+max(0, v.tasks) != len(e.Value) && v.tasks != damagedTasks {
			s.lost[string(e.Key)] = true
			s.lostAt[e.Offset] = true
			s.report.Damaged++
			s.report.UnreadBytes += int64(len(e.Value))
			return
		}
		v.inUse = true
		s.offer(job.ID.suffix(), v)
	})
	jobs := int64(0)
	whole = page.Elements(&s.file, l, index.CountsPath(), func(e page.Element) {
		if _, n, err := index.ParseCounter(e.Key, e.Value); err == nil {
			jobs += n
		}
	}) && whole
	s.whole = whole && s.newest && int64(len(s.versions)+len(s.lost)) == jobs
}

// scan looks for records everywhere in the file.
func (s *salvager) scan() error {
	const step = 1 << 20
	s.file.ahead = 4 * step
	holds := newPageSet(s.file.size, s.layout().PageSize)
	for at := int64(record.MarkAt); at < s.file.size; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.progress.report("scan", at, s.file.size)
		window := s.file.at(at, step)
		mark := bytes.IndexByte(window, record.ArrayMark)
		if mark < 0 {
			at += int64(len(window))
			continue
		}
		at += int64(mark)
		end := s.recordAt(at-record.MarkAt, holds)
		at = max(at+1, end+record.MarkAt)
	}
	if !s.whole {
		s.report.UnreadBytes += s.strayPages(holds)
	}
	return nil
}

// recordAt takes the record at offset, if there is one, and returns its end.
func (s *salvager) recordAt(offset int64, holds pageSet) (end int64) {
	size, ok := record.Begins(s.file.at(offset, record.MarkAt+3))
	if !ok || int64(size) > s.file.size-offset {
		return 0
	}
	from := max(0, offset-record.MaxSuffix)
	b := s.file.at(from, int(offset-from)+size)
	before, value := b[:offset-from], b[offset-from:]
	n, ok := record.SuffixLen(before, value)
	if !ok {
		s.damagedAt(offset)
		return 0
	}
	suffix := bytes.Clone(before[len(before)-n:])
	v, job, ok := s.version(suffix, bytes.Clone(value), offset)
	if !ok {
		s.damagedAt(offset)
		return 0
	}
	end = offset + int64(v.size) + int64(max(0, v.tasks))
	holds.add(offset, end)
	s.offer(job.ID.suffix(), v)
	return end
}

// version returns the version of a job that stands at offset, and the job without
// its tasks. It returns false unless value, which may lack the tasks, begins with
// a sound record of that ID.
func (s *salvager) version(suffix, value []byte, offset int64) (v version, job Job, ok bool) {
	size, ok := record.Begins(value)
	if !ok || size > len(value) {
		return v, job, false
	}
	value = value[:size:size]
	v = version{offset: offset, size: size}
	if record.HasTasks(value) {
		v.tasks = s.tasksLen(value, offset+int64(size))
		value = append(value, ' ') // some byte must stand for them
	}
	if job.decode(suffix, value, false) != nil || job.ID.validate("id") != nil {
		return v, job, false
	}
	v.updated = milli(job.UpdatedAt)
	return v, job, true
}

// tasksLen returns the length of the tasks of a record, which begin at offset. Few
// are long.
func (s *salvager) tasksLen(value []byte, offset int64) int {
	for _, most := range []int{16 << 10, MaxJSON} {
		if n, ok := record.TasksLen(value, s.file.at(offset, most)); ok {
			return n
		}
	}
	return damagedTasks
}

// damagedAt counts a record that is damaged, unless it is known already, or in a
// page that is not in use: what stands there may be half of something old.
func (s *salvager) damagedAt(offset int64) {
	if !s.whole && !s.lostAt[offset] {
		s.report.Damaged++
	}
}

// strayPages returns how many bytes are in pages that do not say what they are,
// nor belong to one that does, nor hold a record that was found.
func (s *salvager) strayPages(holds pageSet) (n int64) {
	size := int64(holds.pageSize)
	for id := int64(0); id*size < s.file.size; id++ {
		b := s.file.at(id*size, holds.pageSize)
		if overflow, ok := pageHead(b, id); ok && (id+overflow)*size < s.file.size {
			id += overflow
			continue
		}
		if !holds.has(id) && len(bytes.Trim(b, "\x00")) > 0 {
			n += int64(len(b))
		}
	}
	return n
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

// A pageSet holds numbers of pages.
type pageSet struct {
	pageSize int
	pages    []bool
}

func newPageSet(size int64, pageSize int) pageSet {
	return pageSet{pageSize, make([]bool, size/int64(pageSize)+1)}
}

// add adds the pages of the bytes from from to end.
func (p pageSet) add(from, end int64) {
	for id := from / int64(p.pageSize); id*int64(p.pageSize) < end; id++ {
		p.pages[id] = true
	}
}

func (p pageSet) has(id int64) bool { return p.pages[id] }

// blocks reads a file that a disk may not give all of: what it does not give
// reads as zeros.
type blocks struct {
	r      io.ReaderAt
	size   int64
	unread int64 // bytes that were not given

	ahead  int   // how much to read at once
	from   int64 // where window begins
	window []byte
	bad    map[int64]bool // blocks that were not given
}

const blockLen = 4 << 10

// at returns the n bytes at offset, or fewer at the end of the file. They are
// valid until the next call.
func (b *blocks) at(offset int64, n int) []byte {
	n = int(min(int64(n), b.size-offset))
	if n <= 0 {
		return nil
	}
	if offset < b.from || offset+int64(n) > b.from+int64(len(b.window)) {
		b.from = offset / blockLen * blockLen
		if b.ahead > 0 {
			b.from = max(0, b.from-blockLen) // the key in front of a record
		}
		need := max(b.ahead, int(offset-b.from)+n)
		b.load(int(min(int64(need), b.size-b.from)))
	}
	return b.window[offset-b.from:][:n]
}

// load fills the window with n bytes.
func (b *blocks) load(n int) {
	if cap(b.window) < n {
		b.window = make([]byte, n)
	}
	b.window = b.window[:n]
	if _, err := b.r.ReadAt(b.window, b.from); err == nil || errors.Is(err, io.EOF) {
		return
	}
	for i := 0; i < n; i += blockLen {
		block := b.window[i:min(n, i+blockLen)]
		if _, err := b.r.ReadAt(block, b.from+int64(i)); err == nil || errors.Is(err, io.EOF) {
			continue
		}
		clear(block)
		if number := b.from/blockLen + int64(i/blockLen); !b.bad[number] {
			if b.bad == nil {
				b.bad = map[int64]bool{}
			}
			b.bad[number] = true
			b.unread += int64(len(block))
		}
	}
}

// ReadAt is io.ReaderAt.
func (b *blocks) ReadAt(p []byte, offset int64) (int, error) {
	n := copy(p, b.at(offset, len(p)))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
