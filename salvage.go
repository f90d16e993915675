package jobstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// A SalvageReport says what [Salvage] found.
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
// What a later version has put into a record beside the fields of Job is not written.
//
// Nobody may have the file open for writing. Memory is up to 150 bytes a job, and some
// megabytes beside, whatever the file says of its size. Holes in the file take neither
// memory nor, on Linux, time.
// The stages are "scan" and "write", in bytes and in jobs.
//
// It fails with [ErrLocked], [ErrFormat] for a file in which there is no sign of a
// store, the error of w as it is, the error of ctx, or one of the operating system.
// Records that cannot be read are not an error.
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
	s := salvager{ctx: ctx, progress: progress, file: f}
	s.report.FileBytes = f.Size
	if err := s.follow(); err != nil {
		return s.report, err
	}
	if !s.whole || s.lost > 0 {
		if err := s.scan(); err != nil {
			return s.report, err
		}
	}
	if s.sound == 0 && !f.IsBolt() {
		return s.report, ErrFormat
	}
	s.report.UnreadBytes = min(s.report.UnreadBytes+s.file.Unread, f.Size)
	return s.report, s.write(w)
}

// A salvager is one run of Salvage. Its memory follows the number of jobs that it
// finds, whatever the file says: it reads into memory that it uses again, as what
// it would leave to the garbage collector would double what it takes.
type salvager struct {
	ctx      context.Context
	progress Progress
	file     *boltfile.Damaged
	report   SalvageReport
	// whole is whether follow has found as many records as there are jobs.
	whole    bool
	versions record.Versions // the best so far
	sound    int64           // how many of them have a sound record
	lost     int64           // how many keys that follow has found have none in their place
	lostAt   []int64         // where the damaged records are that follow has found

	value, memory, line []byte // used again for each record
}

// better reports whether v is to be taken rather than w. What the last meta page
// leads to is what was committed last. If it may not be the last, the last
// commit's records are in pages that it does not lead to, and the time tells.
func (s *salvager) better(v, w record.Version) bool {
	if s.file.Newest && v.InUse != w.InUse {
		return v.InUse
	}
	if v.Updated != w.Updated {
		return v.Updated > w.Updated
	}
	if (v.Tasks == record.DamagedTasks) != (w.Tasks == record.DamagedTasks) {
		return w.Tasks == record.DamagedTasks
	}
	return v.InUse && !w.InUse
}

// offer takes a version of a job, or passes it over.
func (s *salvager) offer(suffix []byte, v record.Version) {
	have := s.versions.Find(suffix)
	switch {
	case have == nil && s.whole:
		s.report.Older++ // of a job that has been deleted
		return
	case have == nil:
		have = s.versions.Add(suffix)
		s.sound++
	case have.Size == 0: // its key is known, and no sound record yet
		s.sound++
	case have.Offset == v.Offset:
		return
	default:
		s.report.Older++
		if !s.better(v, *have) {
			return
		}
	}
	v.Lost = have.Lost
	*have = v
}

// lose notes that the record of a key is damaged in the place that the meta page
// leads to.
func (s *salvager) lose(e page.Element) {
	s.lostAt = append(s.lostAt, e.Offset)
	s.report.Damaged++
	s.report.UnreadBytes += e.Size
	if len(e.Key) > record.MaxSuffix {
		s.lost++ // the key of no job
		return
	}
	have := s.versions.Find(e.Key)
	if have == nil {
		have = s.versions.Add(e.Key)
	}
	if !have.Lost {
		have.Lost = true
		s.lost++
	}
}

// follow reads the records that the meta page leads to.
func (s *salvager) follow() error {
	if s.file.Meta == nil {
		return s.ctx.Err()
	}
	r := untilDone{s.ctx, s.file}
	whole := page.Elements(r, s.file.Layout(), index.PathOf(index.Jobs), func(e page.Element) {
		if s.ctx.Err() != nil {
			return
		}
		v, ok := s.version(e.Key, e.Offset, e.Size)
		if !ok || v.Tasks != record.DamagedTasks && int64(v.Size+v.Tasks) != e.Size {
			s.lose(e)
			return
		}
		v.InUse = true
		s.offer(e.Key, v)
	})
	jobs := int64(0)
	whole = page.Elements(r, s.file.Layout(), index.CountsPath(), func(e page.Element) {
		const most = 64 // a counter is shorter
		if _, n, err := index.ParseCounter(e.Key, s.file.At(e.Offset, int(min(e.Size, most)))); err == nil {
			jobs += n
		}
	}) && whole
	s.whole = whole && s.file.Newest && s.sound+s.lost == jobs
	return s.ctx.Err()
}

// untilDone is a reader that fails when ctx has ended.
type untilDone struct {
	ctx context.Context
	io.ReaderAt
}

func (r untilDone) ReadAt(p []byte, offset int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReaderAt.ReadAt(p, offset)
}

// scan looks for records everywhere in the file.
func (s *salvager) scan() error {
	slices.Sort(s.lostAt)
	holds := make(page.SparseSet) // pages with records
	for from, end := range s.file.Data {
		if err := s.scanPart(from, end, holds); err != nil {
			return err
		}
	}
	s.file.Ahead = scanStep
	if s.whole {
		return nil
	}
	stray, err := s.file.StrayBytes(s.ctx, holds)
	s.report.UnreadBytes += stray
	return err
}

const scanStep = 1 << 20

// scanPart looks for the records that have their mark in one part of the file.
func (s *salvager) scanPart(from, end int64, holds page.SparseSet) error {
	s.file.Ahead = int(min(4*scanStep, end-from))
	for at := max(from, record.MarkAt); at < end; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.progress.report("scan", at, s.file.Size)
		window := s.file.At(at, int(min(scanStep, end-at)))
		mark := slices.IndexFunc(window, record.IsMark)
		if mark < 0 {
			at += int64(len(window))
			continue
		}
		at += int64(mark)
		recordEnd := s.recordAt(at-record.MarkAt, holds)
		at = max(at+1, recordEnd+record.MarkAt)
	}
	return nil
}

// recordAt takes the record at offset, if there is one, and returns its end.
func (s *salvager) recordAt(offset int64, holds page.SparseSet) (end int64) {
	size, ok := record.Begins(s.file.At(offset, record.MinLen))
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
	var suffix [record.MaxSuffix]byte
	copy(suffix[:], before[len(before)-n:])
	v, ok := s.version(suffix[:n], offset, int64(size))
	if !ok {
		s.damagedAt(offset)
		return 0
	}
	end = offset + int64(v.Size) + int64(max(0, v.Tasks))
	size64 := int64(s.file.Layout().PageSize)
	for id := offset / size64; id*size64 < end; id++ {
		holds.Add(uint64(id))
	}
	s.offer(suffix[:n], v)
	return end
}

// version returns the version of a job that stands at offset in the file. It returns
// false unless the size bytes there, which may lack the tasks, begin with a sound
// record of that ID.
func (s *salvager) version(suffix []byte, offset, size int64) (v record.Version, ok bool) {
	const usual = 16 << 10
	value := s.file.At(offset, int(min(size, usual)))
	n, ok := record.Begins(value)
	if !ok || int64(n) > size {
		return v, false
	}
	if n > len(value) {
		if value = s.file.At(offset, n); n > len(value) {
			return v, false
		}
	}
	s.value = append(s.value[:0], value[:n]...)
	v = record.Version{Offset: offset, Size: int32(n)}
	if record.HasTasks(s.value) {
		v.Tasks = s.tasksLen(s.value, offset+int64(n))
		s.value = append(s.value, ' ') // some byte must stand for them
	}
	var job Job
	if s.decode(&job, suffix, false) != nil || job.ID.validate("id") != nil {
		return v, false
	}
	v.Updated = milli(job.UpdatedAt)
	return v, true
}

// decode reads the record in s.value into j, which is good until the next call.
func (s *salvager) decode(j *Job, suffix []byte, withTasks bool) error {
	if need := len(idPrefix) + record.MaxSuffix + len(s.value); len(s.memory) < need {
		s.memory = make([]byte, 2*need)
	}
	memory := record.MemoryOf(s.memory)
	return j.decodeInto(&memory, suffix, s.value, withTasks)
}

// tasksLen returns the length of the tasks of a record, which begin at offset. Few
// are long.
func (s *salvager) tasksLen(value []byte, offset int64) int32 {
	for _, most := range []int{16 << 10, MaxJSON} {
		if n, ok := record.TasksLen(value, s.file.At(offset, most)); ok {
			return int32(n)
		}
	}
	return record.DamagedTasks
}

// damagedAt counts a record that is damaged, unless it is known already, or in a
// page that is not in use: what stands there may be half of something old.
func (s *salvager) damagedAt(offset int64) {
	if _, known := slices.BinarySearch(s.lostAt, offset); !s.whole && !known {
		s.report.Damaged++
	}
}

// write writes the jobs that were found.
func (s *salvager) write(w io.Writer) error {
	s.file.Ahead = 0 // from here on, where it reads follows the IDs
	var compact bytes.Buffer
	for suffix, v := range s.versions.Sorted() {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if v.Size == 0 {
			continue
		}
		var job Job
		if err := s.read(&job, suffix, v); err != nil {
			s.report.Damaged++ // the disk has given something else this time
			continue
		}
		s.line = job.AppendJSON(s.line[:0])
		if bytes.ContainsAny(s.line, "\r\n") { // in the raw fields
			compact.Reset()
			if err := json.Compact(&compact, s.line); err != nil {
				return err
			}
			s.line = append(s.line[:0], compact.Bytes()...)
		}
		s.line = append(s.line, '\n')
		if _, err := w.Write(s.line); err != nil {
			return &writeError{err}
		}
		s.report.Jobs++
		if !v.InUse {
			s.report.Uncertain++
		}
		s.progress.report("write", s.report.Jobs, s.sound)
	}
	return nil
}

// writeError carries an error of the caller's writer.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// read reads the job of a version that was found before.
func (s *salvager) read(j *Job, suffix []byte, v *record.Version) error {
	s.value = append(s.value[:0], s.file.At(v.Offset, int(v.Size+max(0, v.Tasks)))...)
	if v.Tasks == record.DamagedTasks {
		s.report.TasksLost++
		s.value = append(s.value, ' ') // some byte must stand for them
	}
	return s.decode(j, suffix, v.Tasks > 0)
}
