package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"math/bits"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// Reader returns a session with a connection and prepared statements of its own.
func (s *Store) Reader() (peer.Reader, error) {
	conn, err := s.connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &Reader{conn: conn, indexes: s.lite.indexes, statements: map[string]*sql.Stmt{}}, nil
}

// A Reader is a connection.
type Reader struct {
	conn       *sql.Conn
	indexes    Indexes
	statements map[string]*sql.Stmt // by their text
	text       strings.Builder
	args       []any
}

// Close closes the connection.
func (r *Reader) Close() error {
	var errs []error
	for _, stmt := range r.statements {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, r.conn.Close())...)
}

func (r *Reader) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := r.statements[text]; ok {
		return stmt, nil
	}
	stmt, err := r.conn.PrepareContext(ctx, text)
	if err == nil {
		r.statements[text] = stmt
	}
	return stmt, err
}

// List returns the page of q.
func (r *Reader) List(ctx context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	limit := q.Limit
	if limit == 0 {
		limit = jobstore.DefaultLimit
	}
	backward := q.Before != "" && q.After == ""
	r.text.Reset()
	r.args = r.args[:0]
	r.selectPage(q, (q.Order == jobstore.Desc) != backward, limit)
	stmt, err := r.statement(ctx, r.text.String())
	if err != nil {
		return nil, err
	}
	jobs, err := r.query(ctx, stmt, limit)
	if backward {
		slices.Reverse(jobs)
	}
	return jobs, err
}

// Offset returns the page that lies skipped jobs deep, newest first: how those
// page who have no cursor. As the indexes make no difference to it, only one form
// has it.
func (r *Reader) Offset(ctx context.Context, skipped int) ([]jobstore.Job, error) {
	if r.indexes == Single {
		return nil, peer.ErrUnsupported
	}
	stmt, err := r.statement(ctx, "SELECT "+columns+" FROM jobs ORDER BY id DESC LIMIT ? OFFSET ?")
	if err != nil {
		return nil, err
	}
	r.args = append(r.args[:0], jobstore.DefaultLimit, skipped)
	return r.query(ctx, stmt, jobstore.DefaultLimit)
}

func (r *Reader) query(ctx context.Context, stmt *sql.Stmt, limit int) ([]jobstore.Job, error) {
	jobs := make([]jobstore.Job, 0, min(limit, jobstore.MaxLimit))
	for job, err := range r.rows(ctx, stmt) {
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, *job)
	}
	return jobs, nil
}

// rows runs stmt with r.args. A job is valid until the next one.
func (r *Reader) rows(ctx context.Context, stmt *sql.Stmt) iter.Seq2[*jobstore.Job, error] {
	return func(yield func(*jobstore.Job, error) bool) {
		rows, err := stmt.QueryContext(ctx, r.args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = rows.Close() }()
		var scanned row
		var job jobstore.Job
		dest := scanned.into(&job, false)
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				yield(nil, err)
				return
			}
			scanned.finish(&job)
			if !yield(&job, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// Walk reads all rows by one SELECT.
func (r *Reader) Walk(ctx context.Context) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		stmt, err := r.statement(ctx, "SELECT "+columns+" FROM jobs ORDER BY id DESC")
		if err != nil {
			yield(jobstore.Job{}, err)
			return
		}
		r.args = r.args[:0]
		for job, err := range r.rows(ctx, stmt) {
			if err != nil {
				yield(jobstore.Job{}, err)
				return
			}
			if !yield(*job, nil) {
				return
			}
		}
	}
}

// selectPage writes the SELECT of a page. With composites, a filter on sets is a
// union of the pages of their members, each of which has an index in the order
// asked for; SQLite would sort every match of a single SELECT with IN.
func (r *Reader) selectPage(q jobstore.Query, desc bool, limit int) {
	order := " ORDER BY id"
	if desc {
		order += " DESC"
	}
	order += " LIMIT ?"
	kinds, statuses := q.Kind.Kinds(), q.Status.Statuses()
	if r.indexes == Single || len(kinds) <= 1 && len(statuses) <= 1 {
		r.selectWhere("SELECT "+columns+" FROM jobs", q)
		r.text.WriteString(order)
		r.args = append(r.args, limit)
		return
	}
	r.text.WriteString("SELECT * FROM (")
	branches := 0
	for _, kind := range orNone(kinds) {
		for _, status := range orNone(statuses) {
			if branches++; branches > 1 {
				r.text.WriteString(" UNION ALL ")
			}
			branch := q
			branch.Kind, branch.Status = kind, status
			r.text.WriteString("SELECT * FROM (")
			r.selectWhere("SELECT "+columns+" FROM jobs", branch)
			r.text.WriteString(order + ")")
			r.args = append(r.args, limit)
		}
	}
	r.text.WriteString(")" + order)
	r.args = append(r.args, limit)
}

// orNone returns the set of nothing asked for when set is empty.
func orNone[S ~uint16](set []S) []S {
	if len(set) == 0 {
		return []S{0}
	}
	return set
}

// selectWhere writes a SELECT with the filters and cursors of q.
func (r *Reader) selectWhere(what string, q jobstore.Query) {
	r.text.WriteString(what)
	word := " WHERE "
	condition := func(text string, args ...any) {
		r.text.WriteString(word + text)
		r.args = append(r.args, args...)
		word = " AND "
	}
	if q.Kind != 0 {
		condition("kind"+in(bits.OnesCount16(uint16(q.Kind))), codes(q.Kind.Kinds(), peer.KindCode)...)
	}
	if q.Status != 0 {
		condition("status"+in(bits.OnesCount16(uint16(q.Status))), codes(q.Status.Statuses(), peer.StatusCode)...)
	}
	if q.Input != "" {
		condition("input = ?", q.Input)
	}
	past, ahead := "id < ?", "id > ?"
	if q.Order == jobstore.Asc {
		past, ahead = ahead, past
	}
	if q.After != "" {
		condition(past, string(q.After))
	}
	if q.Before != "" {
		condition(ahead, string(q.Before))
	}
}

func in(n int) string {
	if n == 1 {
		return " = ?"
	}
	return " IN (?" + strings.Repeat(", ?", n-1) + ")"
}

func codes[S any](members []S, code func(S) byte) []any {
	args := make([]any, len(members))
	for i, m := range members {
		args[i] = int64(code(m))
	}
	return args
}

// Count counts the rows of q's filter, in its composite index if it has one.
func (r *Reader) Count(ctx context.Context, q jobstore.Query) (n int64, err error) {
	q.After, q.Before = "", ""
	r.text.Reset()
	r.args = r.args[:0]
	r.selectWhere("SELECT count(*) FROM jobs", q)
	stmt, err := r.statement(ctx, r.text.String())
	if err != nil {
		return 0, err
	}
	return n, stmt.QueryRowContext(ctx, r.args...).Scan(&n)
}

// Get returns the job with this ID.
func (r *Reader) Get(ctx context.Context, id jobstore.ID) (j jobstore.Job, err error) {
	stmt, err := r.statement(ctx, "SELECT "+columns+", tasks FROM jobs WHERE id = ?")
	if err != nil {
		return j, err
	}
	var scanned row
	if err := stmt.QueryRowContext(ctx, string(id)).Scan(scanned.into(&j, true)...); err != nil {
		return j, err
	}
	scanned.finish(&j)
	return j, nil
}
