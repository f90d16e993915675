package jobstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// A SalvageReport says what Salvage found.
type SalvageReport struct {
	Jobs int64 // how many it wrote
	// Uncertain is how many of them it found only outside of the pages that are
	// known to be in use: they may have been deleted, or have changed since.
	Uncertain int64
	// TasksLost is how many of the jobs it wrote without their tasks, which are
	// damaged.
	TasksLost int64
	Older     int64 // earlier versions of the jobs, passed over
	// Damaged is how many records have a checksum that does not fit, remains of
	// deleted jobs among them.
	Damaged int64
	// UnreadBytes is how much of the file it made nothing of: what the disk did
	// not give, damaged records, and pages that are none. Remains in free pages
	// can be among them.
	UnreadBytes int64
	FileBytes   int64
}

// Salvage reads the jobs that still can be read out of a damaged file, and writes
// them to w as NDJSON, in the order of their IDs, tasks included: what the import
// command takes. It changes nothing.
//
// It does not open the file as a store. As far as the pages lead from one to the
// next it follows them; if that gives as many sound records as the counters say
// there are jobs, these are all. Otherwise it looks through the whole file, byte
// by byte, for records whose checksum proves them and the ID in front of them,
// whatever has become of the pages around. So it also comes upon earlier versions
// of jobs, of which it takes the one that was updated last, and jobs that have
// been deleted: what is gone for good and what has only lost its place cannot be
// told apart. The report says how many may be such. Idempotency keys are not read.
//
// Nobody may have the file open for writing. Memory is about 150 bytes a job.
// The stages are "scan" and "write", in bytes and in jobs.
//
// It fails with ErrLocked, ErrFormat for a file in which there is no sign of a
// store, the error of w as it is, the error of ctx, or one of the operating
// system. Records that cannot be read are not an error.
func Salvage(ctx context.Context, path string, w io.Writer, progress Progress) (SalvageReport, error) {
	report, err := salvage(ctx, path, w, progress)
	if err != nil {
		var ofWriter *writeError
		if errors.As(err, &ofWriter) {
			return report, ofWriter.err
		}
		return report, fmt.Errorf("jobstore: salvage %s: %w", path, boltfile.WithoutPath(err))
	}
	return report, nil
}

func salvage(ctx context.Context, path string, w io.Writer, progress Progress) (SalvageReport, error) {
	f, err := boltfile.OpenDamaged(path, DefaultLockTimeout)
	if err != nil {
		return SalvageReport{}, ofFile(err)
	}
	defer func() { _ = f.Close() }()
	if ctx == nil {
		ctx = context.Background()
	}
	s := salvager{
		ctx: ctx, progress: progress, file: f,
		versions: map[string]version{}, lost: map[string]bool{}, lostAt: map[int64]bool{},
	}
	s.report.FileBytes = f.Size
	s.follow()
	if !s.whole || len(s.lost) > 0 {
		if err := s.scan(); err != nil {
			return s.report, err
		}
	}
	if len(s.versions) == 0 && !f.IsBolt() {
		return s.report, ErrFormat
	}
	s.report.UnreadBytes += s.file.Unread
	return s.report, s.write(w)
}

// A salvager is one run of Salvage.
type salvager struct {
	ctx      context.Context
	progress Progress
	file     *boltfile.Damaged
	report   SalvageReport

	// whole is whether follow has found as many records as there are jobs.
	whole    bool
	versions map[string]version // the best so far, by suffix
	// lost are the keys of damaged records among those that follow has found.
	lost   map[string]bool
	lostAt map[int64]bool // and where they are
}

// A version is a sound record somewhere in the file.
type version struct {
	offset  int64
	size    int   // without tasks
	tasks   int   // how long they are; damagedTasks if they are that
	updated int64 // Unix milliseconds
	inUse   bool  // in a page that the meta page leads to
}

const damagedTasks = -1

// better reports whether v is to be taken rather than w. What the last meta page
// leads to is what was committed last. If it may not be the last, the last
// commit's records are in pages that it does not lead to, and the time tells.
func (s *salvager) better(v, w version) bool {
	if s.file.Newest && v.inUse != w.inUse {
		return v.inUse
	}
	if v.updated != w.updated {
		return v.updated > w.updated
	}
	if (v.tasks == damagedTasks) != (w.tasks == damagedTasks) {
		return w.tasks == damagedTasks
	}
	return v.inUse && !w.inUse
}

// offer takes a version of a job, or passes it over.
func (s *salvager) offer(suffix string, v version) {
	have, ok := s.versions[suffix]
	switch {
	case ok && have.offset == v.offset:
		return
	case ok:
		s.report.Older++
		if !s.better(v, have) {
			return
		}
	case s.whole && !s.lost[suffix]:
		s.report.Older++ // of a job that has been deleted
		return
	}
	s.versions[strings.Clone(suffix)] = v // a part of a record's memory otherwise
}

// follow reads the records that the meta page leads to.
func (s *salvager) follow() {
	if s.file.Meta == nil {
		return
	}
	whole := page.Elements(s.file, s.file.Layout(), index.PathOf(index.Jobs), func(e page.Element) {
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
	whole = page.Elements(s.file, s.file.Layout(), index.CountsPath(), func(e page.Element) {
		if _, n, err := index.ParseCounter(e.Key, e.Value); err == nil {
			jobs += n
		}
	}) && whole
	s.whole = whole && s.file.Newest && int64(len(s.versions)+len(s.lost)) == jobs
}

// scan looks for records everywhere in the file.
func (s *salvager) scan() error {
	const step = 1 << 20
	s.file.Ahead = 4 * step
	holds := s.file.NewPageSet()
	for at := int64(record.MarkAt); at < s.file.Size; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.progress.report("scan", at, s.file.Size)
		window := s.file.At(at, step)
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
		s.report.UnreadBytes += s.file.StrayBytes(holds)
	}
	return nil
}

// recordAt takes the record at offset, if there is one, and returns its end.
func (s *salvager) recordAt(offset int64, holds boltfile.PageSet) (end int64) {
	size, ok := record.Begins(s.file.At(offset, record.MarkAt+3))
	if !ok || int64(size) > s.file.Size-offset {
		return 0
	}
	from := max(0, offset-record.MaxSuffix)
	b := s.file.At(from, int(offset-from)+size)
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
	holds.Add(offset, end)
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
		if n, ok := record.TasksLen(value, s.file.At(offset, most)); ok {
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

// write writes the jobs that were found.
func (s *salvager) write(w io.Writer) error {
	s.file.Ahead = 0 // from here on, where it reads follows the IDs
	var line, compact bytes.Buffer
	for _, suffix := range slices.SortedFunc(maps.Keys(s.versions), cmp.Compare) {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		v := s.versions[suffix]
		job, err := s.read(suffix, v)
		if err != nil {
			s.report.Damaged++ // the disk has given something else this time
			continue
		}
		line.Reset()
		compact.Reset()
		line.Write(job.AppendJSON(nil))
		text := &line
		if bytes.ContainsAny(line.Bytes(), "\r\n") { // in the raw fields
			if err := json.Compact(&compact, line.Bytes()); err != nil {
				return err
			}
			text = &compact
		}
		text.WriteByte('\n')
		if _, err := w.Write(text.Bytes()); err != nil {
			return &writeError{err}
		}
		s.report.Jobs++
		if !v.inUse {
			s.report.Uncertain++
		}
		s.progress.report("write", s.report.Jobs, int64(len(s.versions)))
	}
	return nil
}

// writeError carries an error of the caller's writer.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// read returns the job of a version that was found before.
func (s *salvager) read(suffix string, v version) (job Job, err error) {
	value := bytes.Clone(s.file.At(v.offset, v.size+max(0, v.tasks)))
	if v.tasks == damagedTasks {
		s.report.TasksLost++
		value = append(value, ' ') // some byte must stand for them
	}
	err = job.decode([]byte(suffix), value, v.tasks > 0)
	return job, err
}
