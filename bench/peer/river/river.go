// Package river keeps jobs in River, a job queue for Go, on its SQLite driver,
// and lists them by its JobList.
//
// River's states stand for the statuses, and what River has no column for is in
// a job's arguments. Its job IDs are numbers; here they are the milliseconds of
// our IDs, which no two jobs of the datasets share. JobList has no cursor for the
// page before, and filters neither on arguments nor, therefore, on the input.
package river

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite" // the driver that River's documentation uses

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// New returns River as a peer.
func New() peer.Peer { return queue{} }

type queue struct{}

func (queue) Name() string  { return "river" }
func (queue) Files() string { return "river" }
func (queue) MaxSize() int  { return 0 }

func (queue) About() string {
	return "River's JobList on riversqlite with modernc.org/sqlite, its own tables and indexes, WAL, synchronous=FULL, 64 MB cache, 32 GB mmap"
}

func (queue) Open(dir string, mode peer.Mode) (peer.Store, error) {
	synchronous := "FULL"
	if mode == peer.Loading {
		synchronous = "OFF"
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "river.sqlite")+
		"?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+
		")&_pragma=cache_size(-65536)&_pragma=mmap_size(34359738368)")
	if err != nil {
		return nil, err
	}
	s := &store{db: db}
	if err := s.begin(mode); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

type store struct {
	mu     sync.Mutex // of single writes, which would wait in SQLite's busy loop
	db     *sql.DB
	client *river.Client[*sql.Tx]
}

func (s *store) begin(mode peer.Mode) error {
	driver := riversqlite.New(s.db)
	if mode != peer.Reading {
		migrator, err := rivermigrate.New(driver, nil)
		if err != nil {
			return err
		}
		if _, err := migrator.Migrate(context.Background(), rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
	}
	var err error
	s.client, err = river.NewClient(driver, &river.Config{})
	return err
}

var states = map[jobstore.Status]rivertype.JobState{
	jobstore.StatusQueued:     rivertype.JobStateAvailable,
	jobstore.StatusProcessing: rivertype.JobStateRunning,
	jobstore.StatusSucceeded:  rivertype.JobStateCompleted,
	jobstore.StatusFailed:     rivertype.JobStateDiscarded,
	jobstore.StatusCancelled:  rivertype.JobStateCancelled,
}

var statuses = func() map[rivertype.JobState]jobstore.Status {
	m := map[rivertype.JobState]jobstore.Status{}
	for status, state := range states {
		m[state] = status
	}
	return m
}()

// args are a job's arguments: what River has no column for.
type args struct {
	ID       string          `json:"id"`
	Input    string          `json:"input"`
	Output   string          `json:"output"`
	Options  json.RawMessage `json:"options"`
	Error    json.RawMessage `json:"error,omitempty"`
	Created  *int64          `json:"created"`
	Started  *int64          `json:"started,omitempty"`
	Finished *int64          `json:"finished,omitempty"`
	Updated  *int64          `json:"updated"`
}

func milli(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	m := t.UnixMilli()
	return &m
}

func timeOf(milli *int64) time.Time {
	if milli == nil {
		return time.Time{}
	}
	return time.UnixMilli(*milli).UTC()
}

// Import writes the rows that River would have after it ran the jobs; its own
// inserts know no past.
func (s *store) Import(ctx context.Context, jobs []*jobstore.Job) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	insert, err := tx.PrepareContext(ctx, `INSERT INTO river_job
		(id, args, attempt, attempted_at, created_at, finalized_at, kind, max_attempts, metadata, state, scheduled_at)
		VALUES (?, jsonb(?), 1, ?, ?, ?, ?, 1, jsonb(?), ?, ?)`)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := insertJob(ctx, insert, j); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Create adds the row of a job.
func (s *store) Create(ctx context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	job.CreatedAt = time.Now()
	job.UpdatedAt = job.CreatedAt
	if job.Status == 0 {
		job.Status = jobstore.StatusQueued
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Import(ctx, []*jobstore.Job{job})
}

func insertJob(ctx context.Context, insert *sql.Stmt, j *jobstore.Job) error {
	number, err := numberOf(j.ID)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(args{
		ID: string(j.ID), Input: j.Input, Output: j.Output, Options: object(j.Options), Error: j.Error,
		Created: milli(j.CreatedAt), Started: milli(j.StartedAt), Finished: milli(j.FinishedAt), Updated: milli(j.UpdatedAt),
	})
	if err != nil {
		return err
	}
	_, err = insert.ExecContext(ctx, number, string(encoded), column(j.StartedAt), column(j.CreatedAt),
		column(j.FinishedAt), j.Kind.String(), string(object(j.Metadata)), string(states[j.Status]), column(j.CreatedAt))
	return err
}

func object(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("{}")
	}
	return raw
}

// column writes a time as River does.
func column(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// numberOf returns what stands for an ID as the number of a job.
func numberOf(id jobstore.ID) (int64, error) {
	created, ok := id.Time()
	if !ok {
		return 0, fmt.Errorf("%s has no time", id)
	}
	return created.UnixMilli(), nil
}

// Loaded gathers statistics for the planner of SQLite.
func (s *store) Loaded() error {
	for _, stmt := range []string{"ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.db.Exec(stmt); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) Reader() (peer.Reader, error) { return reader{s.client}, nil }

func (s *store) Close() error { return s.db.Close() }

type reader struct{ client *river.Client[*sql.Tx] }

func (reader) Close() error { return nil }

func (r reader) List(ctx context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	if q.Input != "" || q.Before != "" {
		return nil, peer.ErrUnsupported
	}
	limit := q.Limit
	if limit == 0 {
		limit = jobstore.DefaultLimit
	}
	order := river.SortOrderDesc
	if q.Order == jobstore.Asc {
		order = river.SortOrderAsc
	}
	params := river.NewJobListParams().OrderBy(river.JobListOrderByID, order).First(limit)
	if q.Kind != 0 {
		var kinds []string
		for _, kind := range q.Kind.Kinds() {
			kinds = append(kinds, kind.String())
		}
		params = params.Kinds(kinds...)
	}
	if q.Status != 0 {
		var wanted []rivertype.JobState
		for _, status := range q.Status.Statuses() {
			wanted = append(wanted, states[status])
		}
		params = params.States(wanted...)
	}
	if q.After != "" {
		number, err := numberOf(q.After)
		if err != nil {
			return nil, err
		}
		params = params.After(river.JobListCursorFromJob(&rivertype.JobRow{ID: number}))
	}
	result, err := r.client.JobList(ctx, params)
	if err != nil {
		return nil, err
	}
	jobs := make([]jobstore.Job, len(result.Jobs))
	for i, row := range result.Jobs {
		if err := decode(&jobs[i], row); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

func (r reader) Get(ctx context.Context, id jobstore.ID) (job jobstore.Job, err error) {
	number, err := numberOf(id)
	if err != nil {
		return job, err
	}
	row, err := r.client.JobGet(ctx, number)
	if err != nil {
		return job, err
	}
	return job, decode(&job, row)
}

func decode(j *jobstore.Job, row *rivertype.JobRow) (err error) {
	var a args
	if err := json.Unmarshal(row.EncodedArgs, &a); err != nil {
		return err
	}
	*j = jobstore.Job{
		ID: jobstore.ID(a.ID), Input: a.Input, Output: a.Output, Options: a.Options, Metadata: row.Metadata,
		Status: statuses[row.State], Error: a.Error,
		CreatedAt: timeOf(a.Created), StartedAt: timeOf(a.Started), FinishedAt: timeOf(a.Finished), UpdatedAt: timeOf(a.Updated),
	}
	j.Kind, err = jobstore.ParseKind(row.Kind)
	return err
}
