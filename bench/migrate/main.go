// Command migrate moves a table of jobs out of an SQL database into a store. It is
// made to be copied: the query, the words for the statuses and the driver are those
// of your database, and the rest stays.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	_ "modernc.org/sqlite"

	"github.com/jobstore/jobstore"
)

func main() {
	from := flag.String("from", "jobs.sqlite", "SQLite `file` with the table jobs")
	to := flag.String("to", "jobs.db", "`file` of the new store")
	flag.Parse()
	n, err := run(context.Background(), *from, *to)
	fmt.Println(n, "jobs moved")
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, from, to string) (moved int, err error) {
	db, err := sql.Open("sqlite", from)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	store, err := jobstore.Open(to, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return move(ctx, db, store)
}

// batch is how many jobs share a transaction. Each costs two syncs of the disk, and
// is held in memory as a whole.
const batch = 1000

// move puts the rows of the table jobs into store, the oldest first, and returns how
// many. It refuses a store that has jobs, as a second run mints other IDs for the
// same rows.
func move(ctx context.Context, db *sql.DB, store *jobstore.Store) (moved int, err error) {
	if n, err := store.Count(ctx, jobstore.Query{}); err != nil || n > 0 {
		return 0, errors.Join(err, fmt.Errorf("the store has %d jobs, and has to be empty", n))
	}
	rows, err := db.QueryContext(ctx, `SELECT id, type, source, result, state, params, failure,
		created_at, started_at, finished_at, updated_at FROM jobs ORDER BY created_at, id`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()

	var jobs []*jobstore.Job
	put := func() error {
		if err := store.Put(ctx, jobs...); err != nil {
			return err
		}
		moved, jobs = moved+len(jobs), jobs[:0]
		return nil
	}
	for rows.Next() {
		job, err := read(rows)
		if err != nil {
			return moved, err
		}
		if jobs = append(jobs, job); len(jobs) == batch {
			if err := put(); err != nil {
				return moved, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return moved, err
	}
	return moved, put()
}

// statuses has the words of the old table.
var statuses = map[string]jobstore.Status{
	"pending": jobstore.StatusQueued,
	"running": jobstore.StatusProcessing,
	"done":    jobstore.StatusSucceeded,
	"error":   jobstore.StatusFailed,
	"aborted": jobstore.StatusCancelled,
}

// read makes a job of one row. Put stores a job exactly as it is given, so that all
// four times stay.
func read(rows *sql.Rows) (*jobstore.Job, error) {
	var (
		id, kind, source, state          string
		result, params, failure          sql.NullString
		created                          time.Time
		startedAt, finishedAt, updatedAt sql.NullTime
	)
	if err := rows.Scan(&id, &kind, &source, &result, &state, &params, &failure,
		&created, &startedAt, &finishedAt, &updatedAt); err != nil {
		return nil, err
	}
	job := &jobstore.Job{
		Input: source, Output: result.String, Status: statuses[state],
		Options:   json.RawMessage(params.String),
		CreatedAt: created, StartedAt: startedAt.Time, FinishedAt: finishedAt.Time, UpdatedAt: updatedAt.Time,
	}
	if job.Status == 0 {
		return nil, fmt.Errorf("row %s: no status for the state %q", id, state)
	}
	var err error
	if job.Kind, err = jobstore.ParseKind(kind); err != nil {
		return nil, fmt.Errorf("row %s: %w", id, err)
	}
	if failure.Valid {
		if job.Error, err = json.Marshal(failure.String); err != nil {
			return nil, fmt.Errorf("row %s: %w", id, err)
		}
	}
	// An ID of the documented form stays, and its clients find the job by it. Any other
	// makes room for one that sorts by the age of the job, and stays in the metadata.
	if job.ID, err = jobstore.ParseID(id); err != nil {
		job.ID = jobstore.NewID(created)
		if job.Metadata, err = json.Marshal(map[string]string{"old_id": id}); err != nil {
			return nil, fmt.Errorf("row %s: %w", id, err)
		}
	}
	if err := job.Validate(); err != nil {
		return nil, fmt.Errorf("row %s: %w", id, err)
	}
	return job, nil
}
