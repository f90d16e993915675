package sqlite

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

func object(raw json.RawMessage) string {
	if raw == nil {
		return "{}"
	}
	return string(raw)
}

func text(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// A row holds what a row is scanned into.
type row struct {
	kind, status                        byte
	created, started, finished, updated sql.NullInt64
	dest                                [13]any
}

// into makes r ready to scan into j, and returns where to.
func (r *row) into(j *jobstore.Job, withTasks bool) []any {
	r.dest = [13]any{
		(*string)(&j.ID), &r.kind, &r.status, &j.Input, &j.Output,
		(*[]byte)(&j.Options), (*[]byte)(&j.Metadata), (*[]byte)(&j.Error),
		&r.created, &r.started, &r.finished, &r.updated, (*[]byte)(&j.Tasks),
	}
	if withTasks {
		return r.dest[:]
	}
	return r.dest[:12]
}

// finish sets the fields of j that were scanned in another form.
func (r *row) finish(j *jobstore.Job) {
	j.Kind, j.Status = peer.KindOf(r.kind), peer.StatusOf(r.status)
	j.CreatedAt, j.StartedAt = timeOf(r.created), timeOf(r.started)
	j.FinishedAt, j.UpdatedAt = timeOf(r.finished), timeOf(r.updated)
}

func timeOf(milli sql.NullInt64) time.Time {
	if !milli.Valid {
		return time.Time{}
	}
	return time.UnixMilli(milli.Int64).UTC()
}
