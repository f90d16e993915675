// Package sqlite keeps jobs in a table of SQLite, through either of the two
// drivers that Go teams use, with one index for each column or with all
// composite indexes that the list call could wish for.
//
// It is also the oracle of the library's answers: its single-column form puts
// every query as one plain SELECT.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/mattn/go-sqlite3" // driver "sqlite3"
	_ "modernc.org/sqlite"          // driver "sqlite"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// A Driver is the name of a driver of database/sql.
type Driver string

// The drivers.
const (
	Mattn   Driver = "sqlite3" // C, through cgo
	Modernc Driver = "sqlite"  // C translated to Go
)

// Indexes is a set of indexes.
type Indexes int

const (
	// Single is an index on kind, one on status and one on input. The table is
	// WITHOUT ROWID, so that each is ordered by its column and then by ID: with
	// row numbers SQLite would have to sort all that an index finds.
	Single Indexes = iota
	// Composites are seven indexes, one for each combination of filters, each
	// followed by the ID. The table has row numbers, by which SQLite finds the
	// rows of an index 20% faster than by ID.
	Composites
)

// New returns SQLite through driver.
func New(driver Driver, indexes Indexes) peer.Peer { return lite{driver: driver, indexes: indexes} }

// NewGrouped returns SQLite through driver with all composites, its creates
// behind a group commit of the library's kind.
func NewGrouped(driver Driver) peer.Peer {
	return lite{driver: driver, indexes: Composites, grouped: true}
}

type lite struct {
	driver  Driver
	indexes Indexes
	grouped bool
}

func (l lite) Name() string {
	name := "mattn"
	if l.driver == Modernc {
		name = "modernc"
	}
	if l.indexes == Single {
		name += "-single"
	}
	if l.grouped {
		name += "-grouped"
	}
	return name
}

func (l lite) About() string {
	about := "SQLite through github.com/mattn/go-sqlite3"
	if l.driver == Modernc {
		about = "SQLite through modernc.org/sqlite"
	}
	if l.indexes == Single {
		about += ", indexes on kind, status and input, WITHOUT ROWID"
	} else {
		about += ", seven composite indexes"
	}
	if l.grouped {
		about += ", creates behind a group commit"
	}
	return about + "; WAL, synchronous=FULL, 64 MB cache, 32 GB mmap, ANALYZE, prepared statements"
}

// Files are the same for both drivers.
func (l lite) Files() string {
	if l.indexes == Single {
		return "sqlite-single"
	}
	return "sqlite-composites"
}

func (lite) MaxSize() int { return 0 }

var indexColumns = map[Indexes][]string{
	Single: {"kind", "status", "input"},
	Composites: {
		"kind, id", "status, id", "status, kind, id",
		"input, id", "input, kind, id", "input, status, id", "input, status, kind, id",
	},
}

const table = `CREATE TABLE IF NOT EXISTS jobs (
	id          TEXT PRIMARY KEY,
	kind        INTEGER NOT NULL,
	status      INTEGER NOT NULL,
	input       TEXT NOT NULL,
	output      TEXT NOT NULL,
	options     TEXT NOT NULL,
	metadata    TEXT NOT NULL,
	error       TEXT,
	created_at  INTEGER,
	started_at  INTEGER,
	finished_at INTEGER,
	updated_at  INTEGER,
	tasks       TEXT
)`

func (l lite) Open(dir string, mode peer.Mode) (peer.Store, error) {
	db, err := sql.Open(string(l.driver), filepath.Join(dir, "jobs.sqlite"))
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, lite: l, mode: mode}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// A Store is an open database. All writes go through one connection, as SQLite
// has room for one writer.
type Store struct {
	db   *sql.DB
	lite lite
	mode peer.Mode

	mu     sync.Mutex // of everything below
	conn   *sql.Conn
	insert *sql.Stmt
	update *sql.Stmt
	queue  *group // nil unless grouped
}

func (s *Store) begin() (err error) {
	ctx := context.Background()
	if s.conn, err = s.connect(ctx); err != nil || s.mode == peer.Reading {
		return err
	}
	create := table
	if s.lite.indexes == Single {
		create += " WITHOUT ROWID"
	}
	if _, err := s.conn.ExecContext(ctx, create); err != nil {
		return err
	}
	if s.mode == peer.Durable {
		if err := s.createIndexes(ctx); err != nil {
			return err
		}
	}
	if s.insert, err = s.conn.PrepareContext(ctx, insertSQL); err != nil {
		return err
	}
	if s.update, err = s.conn.PrepareContext(ctx, updateSQL); err != nil {
		return err
	}
	if s.lite.grouped {
		s.queue = newGroup(s)
	}
	return nil
}

// connect returns a connection with the settings of s.
func (s *Store) connect(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	synchronous := "FULL"
	if s.mode == peer.Loading {
		synchronous = "OFF"
	}
	for _, pragma := range []string{
		"busy_timeout = 60000", "journal_mode = WAL", "synchronous = " + synchronous,
		"cache_size = -65536", "mmap_size = 34359738368", "temp_store = MEMORY",
	} {
		if _, err := conn.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", pragma, err), conn.Close())
		}
	}
	return conn, nil
}

func (s *Store) createIndexes(ctx context.Context) error {
	for _, columns := range indexColumns[s.lite.indexes] {
		name := "jobs_" + strings.ReplaceAll(columns, ", ", "_")
		_, err := s.conn.ExecContext(ctx, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON jobs (%s)", name, columns))
		if err != nil {
			return err
		}
	}
	return nil
}

// Loaded makes the indexes, which is faster and more compact once the rows are
// there, and gathers statistics for the planner.
func (s *Store) Loaded() error {
	ctx := context.Background()
	if err := s.createIndexes(ctx); err != nil {
		return err
	}
	for _, stmt := range []string{"ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.conn.ExecContext(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	if s.queue != nil {
		s.queue.stop()
	}
	return errors.Join(s.conn.Close(), s.db.Close())
}

const (
	columns = "id, kind, status, input, output, options, metadata, error, created_at, started_at, finished_at, updated_at"

	insertSQL = "INSERT INTO jobs (" + columns + ", tasks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	updateSQL = "UPDATE jobs SET status = ?, updated_at = ? WHERE id = ?"
)

// fields returns what stands for j in a row.
func fields(j *jobstore.Job) []any {
	return []any{
		string(j.ID), int64(peer.KindCode(j.Kind)), int64(peer.StatusCode(j.Status)), j.Input, j.Output,
		object(j.Options), object(j.Metadata), text(j.Error),
		millis(j.CreatedAt), millis(j.StartedAt), millis(j.FinishedAt), millis(j.UpdatedAt), text(j.Tasks),
	}
}
