package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// Import adds jobs in one transaction.
func (s *Store) Import(ctx context.Context, jobs []*jobstore.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inTx(ctx, func() error {
		for _, j := range jobs {
			if _, err := s.insert.ExecContext(ctx, fields(j)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// inTx runs do between BEGIN and COMMIT.
func (s *Store) inTx(ctx context.Context, do func() error) error {
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := do(); err != nil {
		_, rollback := s.conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	_, err := s.conn.ExecContext(ctx, "COMMIT")
	return err
}

// Create adds a job. Unless behind a group commit, it is a transaction of its
// own; those who wait for the writer wait here and not in SQLite's busy loop,
// which would be slower.
func (s *Store) Create(ctx context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	job.CreatedAt = time.Now()
	job.UpdatedAt = job.CreatedAt
	if s.queue != nil {
		return s.queue.do(func() error { return s.insertOne(ctx, job) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insertOne(ctx, job)
}

func (s *Store) insertOne(ctx context.Context, job *jobstore.Job) error {
	_, err := s.insert.ExecContext(ctx, fields(job)...)
	return err
}

// Put replaces or adds a job.
func (s *Store) Put(ctx context.Context, job *jobstore.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inTx(ctx, func() error {
		if _, err := s.conn.ExecContext(ctx, "DELETE FROM jobs WHERE id = ?", string(job.ID)); err != nil {
			return err
		}
		return s.insertOne(ctx, job)
	})
}

// Delete removes the job with this ID and reports whether there was one.
func (s *Store) Delete(ctx context.Context, id jobstore.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.conn.ExecContext(ctx, "DELETE FROM jobs WHERE id = ?", string(id))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// SetStatus changes the status of a job.
func (s *Store) SetStatus(ctx context.Context, id jobstore.ID, status jobstore.Status) error {
	change := func() error {
		result, err := s.update.ExecContext(ctx, int64(peer.StatusCode(status)), time.Now().UnixMilli(), string(id))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, sql.ErrNoRows)
		}
		return nil
	}
	if s.queue != nil {
		return s.queue.do(change)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return change()
}
