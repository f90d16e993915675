package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"time"

	"github.com/jobstore/jobstore"
)

// What a client does through /store, which jobstore serve has beside the API.

// askStore asks /store for what is decoded into v.
func (c *Client) askStore(ctx context.Context, what string, q jobstore.Query, v any, valid func() string) error {
	if err := q.Validate(); err != nil {
		return err
	}
	r := request{method: http.MethodGet, path: "/store/" + what, parameters: q.Values(), statuses: []int{http.StatusOK}}
	return c.explainStore(c.ask(ctx, r, c.timeout, v, func(answer) string { return valid() }))
}

// Stats is [jobstore.Store.Stats].
func (c *Client) Stats(ctx context.Context) (jobstore.Stats, error) {
	var told struct {
		Jobs      *int64
		ByKind    map[jobstore.Kind]int64   `json:"by_kind"`
		ByStatus  map[jobstore.Status]int64 `json:"by_status"`
		FileBytes *int64                    `json:"file_bytes"`
		FreeBytes *int64                    `json:"free_bytes"`
		Format    *int
	}
	err := c.askStore(ctx, "stats", jobstore.Query{}, &told, func() string {
		if told.Jobs == nil || told.FileBytes == nil || told.FreeBytes == nil || told.Format == nil ||
			told.ByKind == nil || told.ByStatus == nil {
			return "figures are missing"
		}
		return ""
	})
	if err != nil {
		return jobstore.Stats{}, err
	}
	maps.DeleteFunc(told.ByKind, func(_ jobstore.Kind, n int64) bool { return n == 0 })
	maps.DeleteFunc(told.ByStatus, func(_ jobstore.Status, n int64) bool { return n == 0 })
	return jobstore.Stats{
		Jobs: *told.Jobs, ByKind: told.ByKind, ByStatus: told.ByStatus,
		FileBytes: *told.FileBytes, FreeBytes: *told.FreeBytes, Format: *told.Format,
	}, nil
}

// Explain is [jobstore.Store.Explain].
func (c *Client) Explain(ctx context.Context, q jobstore.Query) (plan jobstore.Plan, err error) {
	err = c.askStore(ctx, "explain", q, &plan, func() string {
		if plan.Index == "" {
			return "the index is missing"
		}
		return ""
	})
	return plan, err
}

// Count is [jobstore.Store.Count]. A server without /store is asked for all pages.
func (c *Client) Count(ctx context.Context, q jobstore.Query) (int64, error) {
	var told struct{ Count *int64 }
	err := c.askStore(ctx, "count", q, &told, func() string {
		if told.Count == nil || *told.Count < 0 {
			return "the count is missing"
		}
		return ""
	})
	if err == nil {
		return *told.Count, nil
	}
	if !errors.Is(err, ErrNoStore) {
		return 0, err
	}
	var n int64
	for _, err := range c.All(ctx, q) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// putTimeouts is how many times longer than others a Put may take, which sends some
// megabytes.
const putTimeouts = 5

// Put is [jobstore.Store.Put]: all jobs in one transaction, or none. They and their
// raw fields may have 32 MiB together as JSON.
//
// When ctx ends while the server has the jobs, Put waits a moment longer for the
// outcome.
func (c *Client) Put(ctx context.Context, jobs ...*jobstore.Job) error {
	if err := ctx.Err(); err != nil || len(jobs) == 0 {
		return err
	}
	// The raw fields of the jobs stay as they are, which json.Marshal would change.
	body := []byte{'['}
	for i, job := range jobs {
		if job == nil {
			return &jobstore.FieldError{Field: "job", Reason: "is nil"}
		}
		if err := job.Validate(); err != nil {
			return err
		}
		if i > 0 {
			body = append(body, ",\n"...)
		}
		body = job.AppendJSON(body)
	}
	body = append(body, ']')
	r := request{
		method: http.MethodPut, path: "/store/jobs", body: body,
		changing: true, statuses: []int{http.StatusOK},
	}
	var told struct{ Imported *int }
	return c.explainStore(c.ask(ctx, r, putTimeouts*c.timeout, &told, func(answer) string {
		if told.Imported == nil {
			return "the number of jobs is missing"
		}
		if *told.Imported != len(jobs) {
			return fmt.Sprintf("it took %d of %d jobs", *told.Imported, len(jobs))
		}
		return ""
	}))
}

// Prune is [jobstore.Store.Prune]. When ctx ends, the server stops too; what it has
// deleted by then, which stays deleted, is not known.
func (c *Client) Prune(ctx context.Context, o jobstore.PruneOptions) (deleted int64, err error) {
	if o.Before.IsZero() {
		return 0, &jobstore.FieldError{Field: "before", Reason: "is missing"}
	}
	if err := (jobstore.Query{Kind: o.Kind, Status: o.Status}).Validate(); err != nil {
		return 0, err
	}
	body := pruneBody(o)
	r := request{method: http.MethodPost, path: "/store/prune", body: body, changing: !o.DryRun}
	missing := true
	err = c.lines(ctx, r, func(l line) bool {
		if l.Progress != nil && o.Progress != nil {
			o.Progress("prune", l.Progress.Done, l.Progress.Total)
		}
		if l.Outcome != nil && l.Outcome.Deleted != nil {
			deleted, missing = *l.Outcome.Deleted, false
		}
		return true
	})
	if err == nil && missing {
		err = c.strange(r, "the outcome is missing")
	}
	return deleted, err
}

func pruneBody(o jobstore.PruneOptions) []byte {
	words := func(list []string) []byte {
		text := []byte{'['}
		for i, word := range list {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, `"`+word+`"`...)
		}
		return append(text, ']')
	}
	var b object
	b.raw("before", fmt.Append(nil, o.Before.UnixMilli()))
	b.raw("dry_run", fmt.Append(nil, o.DryRun))
	if o.Kind != 0 {
		b.raw("kind", words(texts(o.Kind.Kinds())))
	}
	if o.Status != 0 {
		b.raw("status", words(texts(o.Status.Statuses())))
	}
	return b.close()
}

func texts[T fmt.Stringer](list []T) (words []string) {
	for _, member := range list {
		words = append(words, member.String())
	}
	return words
}

// Check is [jobstore.Store.Check].
func (c *Client) Check(ctx context.Context) iter.Seq2[jobstore.Problem, error] {
	return c.CheckProgress(ctx, func(_, _ int64) {})
}

// CheckProgress is [jobstore.Store.CheckProgress].
func (c *Client) CheckProgress(ctx context.Context, progress func(done, total int64)) iter.Seq2[jobstore.Problem, error] {
	return func(yield func(jobstore.Problem, error) bool) {
		r := request{method: http.MethodPost, path: "/store/check"}
		stopped, found := false, int64(0)
		var told *int64
		err := c.lines(ctx, r, func(l line) bool {
			switch {
			case l.Progress != nil:
				progress(l.Progress.Done, l.Progress.Total)
			case l.Problem != nil:
				found++
				stopped = !yield(*l.Problem, nil)
			case l.Outcome != nil:
				told = l.Outcome.Problems
			}
			return !stopped
		})
		if err == nil && !stopped && (told == nil || *told != found) {
			err = c.strange(r, "its outcome is about another number of problems")
		}
		if err != nil && !stopped {
			yield(jobstore.Problem{}, err)
		}
	}
}

// silent returns the error for a server that said nothing in the middle of a long
// answer.
func (c *Client) silent() error {
	return fmt.Errorf("%s has said nothing for %s", c, c.timeout.Round(time.Second))
}
