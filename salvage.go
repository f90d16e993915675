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
	"os"
	"slices"
	"strings"

	bbolterrors "go.etcd.io/bbolt/errors"
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
		return report, fmt.Errorf("jobstore: salvage %s: %w", path, withoutPath(err))
	}
	return report, nil
}

func salvage(ctx context.Context, path string, w io.Writer, progress Progress) (SalvageReport, error) {
	f, err := openToSalvage(path)
	if err != nil {
		return SalvageReport{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return SalvageReport{}, err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	s := salvager{
		ctx: ctx, progress: progress, file: blocks{r: f, size: info.Size()},
		versions: map[string]version{}, lost: map[string]bool{}, lostAt: map[int64]bool{},
	}
	s.report.FileBytes = info.Size()
	if err := s.readLayout(f); err != nil {
		return s.report, err
	}
	s.follow()
	if !s.whole || len(s.lost) > 0 {
		if err := s.scan(); err != nil {
			return s.report, err
		}
	}
	if s.meta == nil && len(s.versions) == 0 && !hasMagic(f) {
		return s.report, ErrFormat
	}
	s.report.UnreadBytes += s.file.unread
	return s.report, s.write(w)
}

// openToSalvage opens a file that nobody is writing to.
func openToSalvage(path string) (*os.File, error) {
	info, err := os.Stat(path) // before it is opened, which would wait for a FIFO's writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file", ErrFormat)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = lockFile(f, false, DefaultLockTimeout)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// A salvager is one run of Salvage.
type salvager struct {
	ctx      context.Context
	progress Progress
	file     blocks
	report   SalvageReport

	meta *meta // the newest that is valid; nil when none is
	// newest is whether meta is certain to be the last one written.
	newest bool
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
	if s.newest && v.inUse != w.inUse {
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

// write writes the jobs that were found.
func (s *salvager) write(w io.Writer) error {
	s.file.ahead = 0 // from here on, where it reads follows the IDs
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
	value := bytes.Clone(s.file.at(v.offset, v.size+max(0, v.tasks)))
	if v.tasks == damagedTasks {
		s.report.TasksLost++
		value = append(value, ' ') // some byte must stand for them
	}
	err = job.decode([]byte(suffix), value, v.tasks > 0)
	return job, err
}
