package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// What a remote does through /store, which jobstore serve has beside the API.

// noStoreError is that of a server which has the API alone.
type noStoreError struct{ server string }

func (e *noStoreError) Error() string {
	return e.server + " has no /store: it is not a jobstore serve"
}

// explainStore turns the error of a call of /store, which has no other 404, into
// a noStoreError.
func explainStore(err error) error {
	if refused, ok := errors.AsType[*remoteError](err); ok && strings.HasPrefix(refused.status, "404") {
		return &noStoreError{refused.server}
	}
	return err
}

// ask asks /store for what is decoded into v.
func (r *remote) ask(ctx context.Context, what string, q jobstore.Query, v any) error {
	target := "/store/" + what
	if values := q.Values(); len(values) > 0 {
		target += "?" + values.Encode()
	}
	return explainStore(r.do(ctx, http.MethodGet, target, nil, nil, func(a answer) error {
		return r.decode(a, v)
	}))
}

// Stats is jobstore.Store.Stats.
func (r *remote) Stats(ctx context.Context) (jobstore.Stats, error) {
	var stats httpapi.Stats
	err := r.ask(ctx, "stats", jobstore.Query{}, &stats)
	return jobstore.Stats(stats), err
}

// Explain is jobstore.Store.Explain.
func (r *remote) Explain(ctx context.Context, q jobstore.Query) (plan jobstore.Plan, err error) {
	err = r.ask(ctx, "explain", q, &plan)
	return plan, err
}

// Count is jobstore.Store.Count. A server without /store is asked for all pages.
func (r *remote) Count(ctx context.Context, q jobstore.Query) (int64, error) {
	q.After, q.Before = "", ""
	var counted struct{ Count int64 }
	err := r.ask(ctx, "count", q, &counted)
	if _, ok := errors.AsType[*noStoreError](err); !ok {
		return counted.Count, err
	}
	var n int64
	for _, err := range r.All(ctx, q) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// putTimeout is how long a server may take to get some megabytes and store them.
const putTimeout = 5 * time.Minute

// Put is jobstore.Store.Put. Like that, once it was begun it waits for the outcome
// whether ctx ends or not.
func (r *remote) Put(ctx context.Context, jobs ...*jobstore.Job) error {
	if err := ctx.Err(); err != nil || len(jobs) == 0 {
		return err
	}
	// With the raw fields of the jobs as they are, which json.Marshal would change.
	text := []byte{'['}
	for i, job := range jobs {
		if i > 0 {
			text = append(text, ",\n"...)
		}
		text = job.AppendJSON(text)
	}
	text = append(text, ']')
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer stop()
	err := r.send(ctx, http.MethodPut, "/store/jobs", nil, text, func(a answer) error {
		var taken struct{ Imported int }
		if err := r.decode(a, &taken); err != nil {
			return err
		}
		if taken.Imported != len(jobs) {
			return fmt.Errorf("%s took %d of %d jobs", r.base.Redacted(), taken.Imported, len(jobs))
		}
		return nil
	})
	if mayHaveArrived(err) {
		err = fmt.Errorf("%w: it is not known whether the next %d jobs were committed; to import them again does no harm", err, len(jobs))
	}
	return explainStore(err)
}

// mayHaveArrived reports whether err leaves it open what a server has done.
func mayHaveArrived(err error) bool {
	_, refused := errors.AsType[*remoteError](err)
	failed, ok := errors.AsType[*net.OpError](err)
	return err != nil && !refused && (!ok || failed.Op != "dial")
}

// Prune is jobstore.Store.Prune.
func (r *remote) Prune(ctx context.Context, o jobstore.PruneOptions) (deleted int64, err error) {
	body := map[string]any{"before": o.Before.UnixMilli(), "dry_run": o.DryRun}
	if o.Kind != 0 {
		body["kind"] = o.Kind.Kinds()
	}
	if o.Status != 0 {
		body["status"] = o.Status.Statuses()
	}
	err = r.stream(ctx, "/store/prune", body, func(l line) bool {
		if l.Progress != nil {
			o.Progress("prune", l.Progress.Done, l.Progress.Total)
		}
		if l.Outcome != nil {
			deleted = l.Outcome.Deleted
		}
		return true
	})
	return deleted, err
}

// CheckProgress is jobstore.Store.CheckProgress.
func (r *remote) CheckProgress(ctx context.Context, progress func(done, total int64)) iter.Seq2[jobstore.Problem, error] {
	return func(yield func(jobstore.Problem, error) bool) {
		stopped := false
		err := r.stream(ctx, "/store/check", nil, func(l line) bool {
			switch {
			case l.Progress != nil:
				progress(l.Progress.Done, l.Progress.Total)
			case l.Problem != nil:
				stopped = !yield(*l.Problem, nil)
			}
			return !stopped
		})
		if err != nil && !stopped {
			yield(jobstore.Problem{}, err)
		}
	}
}

// A line is one of the answers that come as NDJSON. The last has an outcome.
type line struct {
	Progress *struct{ Done, Total int64 }
	Problem  *jobstore.Problem
	Outcome  *struct {
		Deleted int64
		Error   *struct{ Kind, Message string }
	}
}

var errSilent = fmt.Errorf("the server has said nothing for %s", remoteTimeout)

// stream posts to target and calls each with the lines of the answer, until that
// returns false. They may take as long as they do, if only they keep coming.
func (r *remote) stream(ctx context.Context, target string, body any, each func(line) bool) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silence := time.AfterFunc(remoteTimeout, func() { stop(errSilent) })
	defer silence.Stop()
	err := r.send(ctx, http.MethodPost, target, nil, body, func(a answer) error {
		outcome := fmt.Errorf("the answer of %s broke off", r.base.Redacted())
		for dec := json.NewDecoder(a.body); ; silence.Reset(remoteTimeout) {
			var l line
			switch err := dec.Decode(&l); {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return outcome
			case err != nil:
				return err
			case !each(l):
				return nil
			case l.Outcome == nil:
			case l.Outcome.Error == nil:
				outcome = nil
			default:
				outcome = &remoteError{r.base.Redacted(), "", l.Outcome.Error.Kind, l.Outcome.Error.Message}
			}
		}
	})
	if errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return explainStore(err)
}
