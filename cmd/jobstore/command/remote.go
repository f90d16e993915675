package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

// A remote is a source of jobs behind an address.
type remote struct {
	base   *url.URL
	token  string
	client http.Client
	// last is the page that was listed last: to ask for it again costs little.
	last struct {
		target, tag string
		page        jobstore.Page
	}
}

// remoteTimeout is how long a server may take for one answer.
const remoteTimeout = time.Minute

func newRemote(address, token string) (*remote, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, &jobstore.FieldError{Field: urlFlag, Value: address, Reason: "must be http:// or https:// and a host"}
	}
	return &remote{base: base, token: token}, nil
}

// A remoteError is a server's refusal.
type remoteError struct {
	server, status string
	kind, message  string // empty when the server is no jobs API
}

func (e *remoteError) Error() string {
	if e.kind == "" {
		return fmt.Sprintf("%s answered %s, as no jobs API does", e.server, e.status)
	}
	return fmt.Sprintf("%s: %s (%s)", e.server, e.message, e.kind)
}

// Unwrap returns the error that a store would have returned, if there is one.
func (e *remoteError) Unwrap() error {
	return map[string]error{
		"request_invalid":      jobstore.ErrInvalid,
		"invalid_input":        jobstore.ErrInvalid,
		"job_not_found":        jobstore.ErrNotFound,
		"idempotency_conflict": jobstore.ErrConflict,
		"read_only":            jobstore.ErrReadOnly,
		"store_full":           jobstore.ErrFull,
	}[e.kind]
}

// An answer is a server's response that is no refusal.
type answer struct {
	unchanged bool // it is the one that If-None-Match named
	header    http.Header
	body      io.Reader
}

// do sends a request for target, a path with or without a query, and hands the
// answer to read. The body is what json.Marshal makes of it, or, if it is text
// already, that.
func (r *remote) do(ctx context.Context, method, target string, header http.Header, body any, read func(answer) error) error {
	ctx, stop := context.WithTimeout(ctx, remoteTimeout)
	defer stop()
	return r.send(ctx, method, target, header, body, read)
}

// send is do without a bound on the time that it takes.
func (r *remote) send(ctx context.Context, method, target string, header http.Header, body any, read func(answer) error) error {
	var text io.Reader = http.NoBody
	if body != nil {
		data, ok := body.([]byte)
		if !ok {
			var err error
			if data, err = json.Marshal(body); err != nil {
				return err
			}
		}
		text = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.base.String(), "/")+target, text)
	if err != nil {
		return err
	}
	if header != nil {
		req.Header = header
	}
	if text != http.NoBody {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	unchanged := resp.StatusCode == http.StatusNotModified
	if resp.StatusCode >= 300 && !unchanged {
		return r.refusal(resp.Status, resp.Body)
	}
	return read(answer{unchanged, resp.Header, resp.Body})
}

func (r *remote) refusal(status string, body io.Reader) error {
	var told struct{ Kind, Message string }
	text, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil {
		told.Kind = ""
	}
	return &remoteError{r.base.Redacted(), status, told.Kind, told.Message}
}

// job returns what reads a job into j. The API says [] where a store has nil.
func (r *remote) job(j *jobstore.Job) func(answer) error {
	return func(a answer) error {
		if err := r.decode(a, j); err != nil {
			return err
		}
		if string(j.Tasks) == "[]" {
			j.Tasks = nil
		}
		return nil
	}
}

func (r *remote) decode(a answer, v any) error {
	if err := json.NewDecoder(a.body).Decode(v); err != nil {
		// Not with %w: it may be ErrInvalid, which would blame the call.
		return fmt.Errorf("%s answered something else than jobs: %v", r.base.Redacted(), err)
	}
	return nil
}

func jobTarget(id jobstore.ID) string { return "/jobs/" + url.PathEscape(string(id)) }

// List is jobstore.Store.List.
func (r *remote) List(ctx context.Context, q jobstore.Query) (page jobstore.Page, err error) {
	target, header := httpCall(q), http.Header{}
	if target == r.last.target {
		header.Set("If-None-Match", r.last.tag)
	}
	err = r.do(ctx, http.MethodGet, target, header, nil, func(a answer) error {
		if a.unchanged {
			page = r.last.page
			return nil
		}
		page.HasMore = a.header.Get("Has-More") == "true"
		if err := r.decode(a, &page.Jobs); err != nil {
			return err
		}
		r.last.target, r.last.tag, r.last.page = target, a.header.Get("ETag"), page
		return nil
	})
	return page, err
}

// All is jobstore.Store.All, from pages of the largest size. A Before alone would
// ask for the page next to it, so the walk is ended there by hand.
func (r *remote) All(ctx context.Context, q jobstore.Query) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		q.Limit = jobstore.MaxLimit
		end := q.Before
		if q.After == "" {
			q.Before = ""
		}
		for {
			page, err := r.List(ctx, q)
			if err != nil {
				yield(jobstore.Job{}, err)
				return
			}
			for _, job := range page.Jobs {
				if end != "" && !isAhead(job.ID, end, q.Order) || !yield(job, nil) {
					return
				}
			}
			if !page.HasMore {
				return
			}
			q.After, q.Before = page.Jobs[len(page.Jobs)-1].ID, end
		}
	}
}

// isAhead reports whether a stands ahead of b in an order.
func isAhead(a, b jobstore.ID, o jobstore.Order) bool {
	if o == jobstore.Asc {
		return a < b
	}
	return a > b
}

// Get is jobstore.Store.Get.
func (r *remote) Get(ctx context.Context, id jobstore.ID) (job jobstore.Job, err error) {
	err = r.do(ctx, http.MethodGet, jobTarget(id), nil, nil, r.job(&job))
	return job, err
}

// Create is jobstore.Store.Create, one job after the other.
func (r *remote) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	for _, job := range jobs {
		body := map[string]any{"kind": job.Kind.String(), "input": job.Input}
		if job.Output != "" {
			body["output"] = job.Output
		}
		if job.Options != nil {
			body["options"] = job.Options
		}
		if job.Metadata != nil {
			body["metadata"] = job.Metadata
		}
		if err := r.do(ctx, http.MethodPost, "/jobs", nil, body, r.job(job)); err != nil {
			return err
		}
	}
	return nil
}

// Update is jobstore.Store.Update: what fn changes is reported, so that other
// fields, which somebody else may change meanwhile, stay.
func (r *remote) Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (jobstore.Job, error) {
	job, err := r.Get(ctx, id)
	if err != nil {
		return jobstore.Job{}, err
	}
	before := job
	if err := fn(&job); err != nil {
		return jobstore.Job{}, err
	}
	report := map[string]any{}
	if job.Status != before.Status {
		report["status"] = job.Status
	}
	if job.Output != before.Output {
		report["output"] = nil
		if job.Output != "" {
			report["output"] = job.Output
		}
	}
	for name, field := range map[string][2]json.RawMessage{
		"error": {before.Error, job.Error}, "tasks": {before.Tasks, job.Tasks}, "metadata": {before.Metadata, job.Metadata},
	} {
		switch now := field[1]; {
		case bytes.Equal(field[0], now):
		case len(now) == 0:
			report[name] = nil
		case !json.Valid(now):
			return jobstore.Job{}, &jobstore.FieldError{Field: name, Value: string(now), Reason: "must be JSON"}
		default:
			report[name] = now
		}
	}
	if len(report) == 0 {
		report["status"] = job.Status // so that it counts as an update all the same
	}
	err = r.do(ctx, http.MethodPatch, jobTarget(id), nil, report, r.job(&job))
	return job, err
}

// Delete is jobstore.Store.Delete, one job after the other.
func (r *remote) Delete(ctx context.Context, ids ...jobstore.ID) (deleted int, err error) {
	for _, id := range ids {
		err := r.do(ctx, http.MethodDelete, jobTarget(id), nil, nil, func(answer) error { return nil })
		switch {
		case err == nil:
			deleted++
		case !errors.Is(err, jobstore.ErrNotFound):
			return deleted, err
		}
	}
	return deleted, nil
}
