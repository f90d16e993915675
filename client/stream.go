package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// A line is one of an answer that comes as NDJSON. The last has an outcome.
type line struct {
	Progress *struct{ Done, Total int64 }
	Problem  *jobstore.Problem
	Outcome  *outcome
}

// An outcome says how a stream has ended.
type outcome struct {
	Problems, Deleted, Jobs *int64
	Error                   *struct{ Kind, Message string }
}

// longestLine is the longest line that is read, in bytes. The longest job has a
// little over 4 MiB.
const longestLine = 16 << 20

var errBrokeOff = errors.New("the answer broke off")

// stream sends r and calls each with the lines of the answer, which are valid until
// it returns, until it returns false. They may take as long as they do, if only
// they keep coming.
func (c *Client) stream(ctx context.Context, r request, each func([]byte) (more bool, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.statuses, r.mediaType = []int{http.StatusOK}, "application/x-ndjson"
	caller := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silent := c.silent()
	silence := time.AfterFunc(c.timeout, func() { stop(silent) })
	defer silence.Stop()
	err := c.send(ctx, r, func(resp *http.Response) error {
		scanner := bufio.NewScanner(resp.Body)
		scanner.Buffer(make([]byte, 0, 64<<10), longestLine)
		for scanner.Scan() {
			silence.Stop() // for as long as each takes
			more, err := each(scanner.Bytes())
			silence.Reset(c.timeout)
			if err != nil || !more {
				return err
			}
		}
		err := scanner.Err()
		if err == nil {
			err = errBrokeOff
		}
		return c.failed(r, err)
	})
	err = c.ended(ctx, caller, r, silent, err)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = c.failed(r, errBrokeOff)
	}
	return c.explainStore(err)
}

// lines is stream with the lines decoded, up to and including the outcome.
func (c *Client) lines(ctx context.Context, r request, each func(line) bool) error {
	return c.stream(ctx, r, func(text []byte) (bool, error) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return false, c.strange(r, err.Error())
		}
		if !each(l) {
			return false, nil
		}
		if l.Outcome == nil {
			return true, nil
		}
		return false, c.outcome(r, l.Outcome)
	})
}

// outcome returns the error with which a stream has ended, if any.
func (c *Client) outcome(r request, o *outcome) error {
	if o.Error == nil {
		return nil
	}
	return &Error{
		Server: c.String(), Status: "200 OK", Kind: o.Error.Kind, Message: o.Error.Message,
		unknown: r.changing && o.Deleted == nil,
	}
}

// outcomeStart is how the last line of an export begins. That of a job begins with
// its ID.
var outcomeStart = []byte(`{"outcome":`)

// Export returns every job that q's filter and cursors select, in its order, with
// its tasks, in one request: Limit is ignored, and Before alone is the end of the
// walk. After an error, it ends.
//
// The server reads the jobs in snapshots of a page, as [jobstore.Store.All] does.
// It sends each on a line of its own, so that a line end between the tokens of a
// raw field comes as a space. A server without /store is asked for all pages, and
// then for each job.
func (c *Client) Export(ctx context.Context, q jobstore.Query) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		q.Limit = 0
		if err := q.Validate(); err != nil {
			yield(jobstore.Job{}, err)
			return
		}
		r := request{method: http.MethodGet, path: "/store/jobs", parameters: q.Values()}
		var last jobstore.ID
		stopped, n := false, int64(0)
		err := c.stream(ctx, r, func(text []byte) (bool, error) {
			if bytes.HasPrefix(text, outcomeStart) {
				return false, c.exported(r, text, n)
			}
			var job jobstore.Job
			if err := job.UnmarshalJSON(text); err != nil {
				return false, c.strange(r, err.Error())
			}
			if err := job.Validate(); err != nil {
				return false, c.strange(r, err.Error())
			}
			if last != "" && !isAhead(last, job.ID, q.Order) {
				return false, c.strange(r, fmt.Sprintf("%s comes behind %s", job.ID, last))
			}
			last = job.ID
			n++
			stopped = !yield(job, nil)
			return !stopped, nil
		})
		switch {
		case stopped:
		case errors.Is(err, ErrNoStore) && n == 0:
			for job, err := range jobfile.Export(ctx, c, q) {
				if !yield(job, err) {
					return
				}
			}
		case err != nil:
			yield(jobstore.Job{}, err)
		}
	}
}

// exported reads the last line of an export of n jobs.
func (c *Client) exported(r request, text []byte, n int64) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return c.strange(r, err.Error())
	}
	if l.Outcome == nil {
		return c.strange(r, "its outcome is null")
	}
	if err := c.outcome(r, l.Outcome); err != nil {
		return err
	}
	if l.Outcome.Jobs == nil || *l.Outcome.Jobs != n {
		return c.strange(r, "its outcome is about another number of jobs")
	}
	return nil
}
