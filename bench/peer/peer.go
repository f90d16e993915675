// Package peer says what a benchmark asks of a way to keep jobs: this library,
// the physical floor beneath it, and what a Go team would pick instead.
//
// Every peer gives back the same decoded jobs for the same query, or says with
// ErrUnsupported that it cannot. Nothing is timed before its answers were
// compared.
package peer

import (
	"context"
	"errors"
	"iter"

	"github.com/jobstore/jobstore"
)

// ErrUnsupported is returned for what a peer has no way to do, as opposed to
// what it does slowly. Reports show it as a dash.
var ErrUnsupported = errors.New("not supported by this peer")

// A Peer is one way to keep jobs in a folder of the local disk.
type Peer interface {
	// Name is short and stands in tables and file names.
	Name() string
	// About says in one line how the peer is set up, for the report.
	About() string
	// MaxSize is the largest number of jobs at which the peer is usable; 0 is
	// any.
	MaxSize() int
	// Open opens the store in dir, an existing folder, and makes one when there
	// is none. Peers that keep the same files share them: they return the same
	// Files.
	Open(dir string, mode Mode) (Store, error)
	// Files names the folder that the peer keeps its store in.
	Files() string
}

// A Mode says how sure a write must be.
type Mode int

const (
	// Durable is for measurements: a write that has returned survives a crash
	// of the machine.
	Durable Mode = iota
	// Loading is for building a store that is then measured: nothing is synced
	// before Close.
	Loading
	// Reading promises that nothing is written, so that two peers may have the
	// same files open.
	Reading
)

// A Store is an open peer. Its methods may be called from any number of
// goroutines.
type Store interface {
	// Import adds jobs, sorted by ID, in one transaction.
	Import(ctx context.Context, jobs []*jobstore.Job) error
	// Reader returns a session for one goroutine.
	Reader() (Reader, error)
	Close() error
}

// A Reader reads on behalf of one goroutine.
type Reader interface {
	// List returns the page of jobs that q selects, without their tasks. What
	// it returns stays valid.
	List(ctx context.Context, q jobstore.Query) ([]jobstore.Job, error)
	Close() error
}

// A Counter is a Reader that counts the jobs of a filter.
type Counter interface {
	Count(ctx context.Context, q jobstore.Query) (int64, error)
}

// A Getter is a Reader that reads one job, tasks included.
type Getter interface {
	Get(ctx context.Context, id jobstore.ID) (jobstore.Job, error)
}

// A Walker is a Reader that has a better way to read every job, newest first,
// than page by page.
type Walker interface {
	Walk(ctx context.Context) iter.Seq2[jobstore.Job, error]
}

// An Offsetter is a Reader that can skip jobs by their number, newest first.
type Offsetter interface {
	Offset(ctx context.Context, skipped int) ([]jobstore.Job, error)
}

// A Creator is a Store that makes single jobs durable, each as it would be done
// on behalf of one request.
type Creator interface {
	Create(ctx context.Context, job *jobstore.Job) error
}

// An Updater is a Store that makes a change of one job's status durable.
type Updater interface {
	SetStatus(ctx context.Context, id jobstore.ID, status jobstore.Status) error
}

// An Explainer is a Reader that knows how many keys a page examined.
type Explainer interface {
	Examined(ctx context.Context, q jobstore.Query) (int, error)
}

// A Loader is a Store that wants to be told once all jobs were imported in
// Loading mode.
type Loader interface {
	Loaded() error
}

// Answers reports whether p gives back jobs. The floor that reads no records
// does not.
func Answers(p Peer) bool {
	b, ok := p.(interface{ BytesOnly() bool })
	return !ok || !b.BytesOnly()
}
