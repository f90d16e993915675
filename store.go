package jobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
	"github.com/jobstore/jobstore/internal/record"
)

// DefaultLockTimeout is how long [Open] waits for a locked file.
const DefaultLockTimeout = 2 * time.Second

// Options configure a Store. The zero value holds the defaults.
type Options struct {
	// ReadOnly opens the file for reading alone, beside other readers. The
	// file must exist, and is not changed in any way.
	ReadOnly bool

	// LockTimeout is how long Open waits while somebody else holds the file,
	// before it fails with ErrLocked. Zero is DefaultLockTimeout; anything
	// shorter than 50ms tries once.
	LockTimeout time.Duration

	// NoSync leaves it to the operating system when a commit reaches the disk.
	// A crash of the machine can then lose commits or damage the file, a crash
	// of the process cannot. It is for tests, and for loads that can start over.
	NoSync bool

	// MaxSize is the size in bytes that the file may not outgrow: a write that
	// needs more fails with ErrFull. Zero is no limit. Deletions have room even
	// then: other writes leave what they need, which Prune says.
	MaxSize int64

	// OnceFor is how long CreateOnce remembers a key: at least a millisecond. Zero
	// is DefaultOnceFor.
	OnceFor time.Duration

	// MintedOnly refuses an ID that is given to Create or CreateOnce, and a Put of a
	// job that is not in the store. All IDs then ascend in the order of commits, so
	// that a reader that goes on from the newest job it has seen misses none.
	MintedOnly bool

	// Now is the clock for timestamps and minted IDs. Nil is time.Now. It is
	// called when a method that stamps jobs is, on the goroutine of its caller and
	// from one goroutine at a time, must be quick, and must not use the store. A
	// time outside the years 1 to 9999 is refused with a FieldError. A panic in it
	// reaches that one caller, and nothing of the call is done.
	Now func() time.Time

	// Logger is told of what no caller is: damage found and commits that
	// failed. Nil logs nothing. A logger that panics is passed over.
	Logger *slog.Logger

	// OnCommit is told of every commit, before the callers whose operations were
	// in it go on. It is called from one goroutine at a time, which is that of one
	// of these callers, must be quick, and must not use the store. A panic in it
	// reaches that one caller, whose operation has been committed nevertheless; all
	// others get their outcomes. Nil tells nobody.
	OnCommit func(Commit)

	// OnPage is told how every page was read, and what that cost. It is called on
	// the goroutine that reads, with no transaction open, and a panic in it reaches
	// the one who called. Nil tells nobody.
	OnPage func(Plan)

	// hashInput stands in for index.HashInput in tests of colliding inputs.
	hashInput func(string) index.Hash
}

// A Commit is what one transaction of the writer did, for metrics.
type Commit struct {
	Operations int           // calls of Create, Put and so on that it carried out
	Jobs       int           // jobs that it put or deleted
	Duration   time.Duration // from its begin to the end of its last sync
	Err        error         // why it failed; nil when it is on disk
}

// A Store is an open jobs store. Its methods may be called from any number of
// goroutines at once: reads run side by side on snapshots, writes are gathered
// and committed together.
//
// Every method takes a context. A read looks at it before it starts, [Store.All]
// before every page; a write gives up waiting for its turn when the context ends, and
// once it has been taken up, waits for its outcome.
type Store struct {
	file      *boltfile.File
	path      string
	options   Options
	hashInput func(string) index.Hash
	log       *slog.Logger
	writer    *writer // nil when read-only
	// leaked is set when pages were given up that are not in the list of free
	// pages. Close does not write the list then, so that the next Open finds
	// them. It belongs to the writer, and to Close after that.
	leaked bool
	// tight is set when a deletion has left no long run of free pages.
	tight atomic.Bool

	snapshots snapshots

	closed atomic.Bool
	close  sync.Once
}

// Get returns the job with the given ID, its tasks included. It costs one search.
//
// It fails with [ErrNotFound], a [FieldError] for a malformed ID, [ErrClosed],
// [ErrCorrupt], or the error of ctx.
func (s *Store) Get(ctx context.Context, id ID) (Job, error) {
	job, _, err := s.get(ctx, id)
	return job, err
}

// get returns the job with the given ID and a copy of its record.
func (s *Store) get(ctx context.Context, id ID) (job Job, stored []byte, err error) {
	if err := id.validate("id"); err != nil {
		return Job{}, nil, err
	}
	err = s.view(ctx, func(t index.View) error {
		bucket, err := t.Bucket(index.Jobs)
		if err != nil {
			return err
		}
		suffix := []byte(id.suffix())
		value := bucket.Get(suffix)
		if value == nil {
			bucket.ProveBeside(suffix) // or its key is damaged
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		stored = bytes.Clone(value)
		return job.decode(suffix, stored, true)
	})
	if err != nil {
		return Job{}, nil, err
	}
	return job, stored, nil
}

// Stats are figures about a whole store.
type Stats struct {
	Jobs      int64
	ByKind    map[Kind]int64   // only kinds that have jobs
	ByStatus  map[Status]int64 // only statuses that have jobs
	FileBytes int64            // length of the file
	// FreeBytes is the part of FileBytes that holds nothing and will be written
	// before the file grows. A read-only store knows it only of a file that was
	// closed cleanly, and otherwise leaves it 0.
	FreeBytes int64
	Format    int // version of the layout of the file
}

// Stats returns figures about the store, without walking it.
//
// It fails with [ErrClosed], [ErrCorrupt], or the error of ctx.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{ByKind: map[Kind]int64{}, ByStatus: map[Status]int64{}}
	err := s.view(ctx, func(t index.View) (err error) {
		counts, err := t.Counts()
		if err != nil {
			return err
		}
		for p, n := range counts.All {
			st.Jobs += n
			st.ByKind[kindOfCode(p.Kind)] += n
			st.ByStatus[statusOfCode(p.Status)] += n
		}
		st.Format = index.Format
		info, err := s.file.Stat()
		if err != nil {
			return err
		}
		st.FileBytes = info.Size()
		db := s.file.DB.Stats()
		st.FreeBytes = int64(db.FreePageN+db.PendingPageN)*int64(s.file.DB.Info().PageSize) +
			max(0, st.FileBytes-t.Size())
		return nil
	})
	if err != nil {
		return Stats{}, err
	}
	return st, nil
}

// Close waits for the writes that were begun, and closes the file. Whatever is called
// afterwards fails with [ErrClosed]; a second Close does nothing. It fails with the
// error of the operating system. Without a Close nothing is lost, and the next [Open]
// takes longer.
func (s *Store) Close() error {
	if s == nil || s.file == nil {
		return ErrClosed
	}
	var err error
	s.close.Do(func() {
		s.closed.Store(true)
		if s.writer != nil {
			s.writer.stop()
		}
		err = s.closeFile()
	})
	return err
}

func (s *Store) closeFile() error {
	if s.writer != nil && !s.file.Wrecked() {
		// If pages were given up, the file is not sealed: then the next Open scans it
		// and finds them. But a file with damage is sealed nevertheless, as the scan
		// would refuse it and this store can live with the damage.
		if !s.leaked || s.file.Verify() != nil {
			s.writer.settle()
		}
		if err := s.file.TrimTail(); err != nil {
			s.say(slog.LevelWarn, "jobstore: what the file has grown too far was not given back", "path", s.path, "error", err)
		}
	}
	return s.translate(s.file.Close())
}

// view runs fn in a read transaction, whose snapshot it sees. It is the
// boundary of every read: a damaged page makes the engine panic, or the memory
// map fault, and both become ErrCorrupt here.
func (s *Store) view(ctx context.Context, fn func(index.View) error) error {
	if err := s.readable(ctx); err != nil {
		return err
	}
	return s.translate(boltfile.Guard(func() error {
		tx, err := s.file.Begin(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		last, err := s.snapshots.of(tx.ID())
		if err != nil {
			return err
		}
		view, err := index.Read(tx, s.file.Proven, last)
		if err != nil {
			return err
		}
		return fn(view)
	}))
}

// readable returns why nothing can be read, or nil.
func (s *Store) readable(ctx context.Context) error {
	switch {
	case s == nil || s.file == nil || s.closed.Load():
		return ErrClosed
	case ctx != nil && ctx.Err() != nil:
		return ctx.Err()
	case s.file.Wrecked():
		return corruptf("%s cannot be read any more", s.path)
	}
	return nil
}

// translate turns the errors of the packages underneath into ours.
func (s *Store) translate(err error) error {
	if s.file != nil {
		err = s.file.Explain(err)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bbolterrors.ErrInvalidMapping):
		return fmt.Errorf("jobstore: %s: %w", s.path, boltfile.ErrUnmapped)
	case errors.Is(err, record.ErrDamaged), errors.Is(err, index.ErrDamaged), errors.Is(err, index.ErrFormat):
		err = fmt.Errorf("%w: %v", ErrCorrupt, err)
	case errors.Is(err, bbolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	default:
		err = ofFile(err)
	}
	if errors.Is(err, ErrCorrupt) {
		s.say(slog.LevelError, "jobstore: damage found", "path", s.path, "error", err)
	}
	return err
}

// ofFile returns an error of the floor below, which knows the file alone, as ours.
func ofFile(err error) error {
	for _, e := range []struct{ theirs, ours error }{
		{boltfile.ErrDamaged, ErrCorrupt}, {boltfile.ErrLocked, ErrLocked},
		{boltfile.ErrFormat, ErrFormat}, {boltfile.ErrFull, ErrFull},
	} {
		if errors.Is(err, e.theirs) {
			detail := strings.TrimPrefix(err.Error(), e.theirs.Error())
			ours := fmt.Errorf("%w%s", e.ours, detail)
			var errno syscall.Errno
			if errors.As(err, &errno) {
				return systemError{ours, errno}
			}
			return ours
		}
	}
	return err
}
