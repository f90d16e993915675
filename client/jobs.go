package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// List is [jobstore.Store.List]. A page that is asked for again and again is sent
// again only once it has changed.
func (c *Client) List(ctx context.Context, q jobstore.Query) (page jobstore.Page, err error) {
	if err := q.Validate(); err != nil {
		return page, err
	}
	r := request{
		method: http.MethodGet, path: "/jobs", parameters: q.Values(), header: http.Header{},
		statuses: []int{http.StatusOK},
	}
	target := c.target(r.path, r.parameters)
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if last.tag != "" && last.target == target {
		r.header.Set("If-None-Match", last.tag)
		r.statuses = append(r.statuses, http.StatusNotModified)
	}
	err = c.ask(ctx, r, c.timeout, &page.Jobs, func(a answer) string {
		if a.status == http.StatusNotModified {
			page = last.page
			page.Jobs = slices.Clone(page.Jobs)
			return ""
		}
		more := a.header.Get("Has-More")
		if more != "true" && more != "false" {
			return "it lacks the header Has-More"
		}
		page.HasMore = more == "true"
		if page.HasMore && len(page.Jobs) == 0 {
			return "it has no jobs and says that there are more"
		}
		if lack := checkPage(page.Jobs, q.Order); lack != "" {
			return lack
		}
		last.target, last.tag, last.page = target, a.header.Get("ETag"), page
		last.page.Jobs = slices.Clone(page.Jobs)
		c.mu.Lock()
		c.last = last
		c.mu.Unlock()
		return ""
	})
	if err != nil {
		return jobstore.Page{}, err
	}
	return page, nil
}

// checkPage says what is wrong with the jobs of a page.
func checkPage(jobs []jobstore.Job, order jobstore.Order) string {
	if jobs == nil {
		return "it is null"
	}
	for i := range jobs {
		if err := jobs[i].Validate(); err != nil {
			return err.Error()
		}
		if i > 0 && !isAhead(jobs[i-1].ID, jobs[i].ID, order) {
			return fmt.Sprintf("%s comes behind %s", jobs[i].ID, jobs[i-1].ID)
		}
	}
	return ""
}

// All is [jobstore.Store.All], from pages of the largest size.
func (c *Client) All(ctx context.Context, q jobstore.Query) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		q.Limit = jobstore.MaxLimit
		// A Before alone would ask for the page next to it, where All begins at the
		// first job: so the walk is ended here.
		end := q.Before
		if q.After == "" {
			q.Before = ""
		}
		for {
			page, err := c.List(ctx, q)
			if err != nil {
				yield(jobstore.Job{}, err)
				return
			}
			for _, job := range page.Jobs {
				if q.After != "" && !isAhead(q.After, job.ID, q.Order) {
					yield(jobstore.Job{}, fmt.Errorf("%s lists %s in the page past %s", c, job.ID, q.After))
					return
				}
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

func jobPath(id jobstore.ID) string { return "/jobs/" + string(id) }

// askJob sends r and reads the job of the answer into job. The API says [] where a
// store has no tasks.
func (c *Client) askJob(ctx context.Context, r request, job *jobstore.Job, valid func(answer) string) error {
	var got jobstore.Job
	err := c.ask(ctx, r, c.timeout, &got, func(a answer) string {
		if err := got.Validate(); err != nil {
			return err.Error()
		}
		*job = got
		if string(job.Tasks) == "[]" {
			job.Tasks = nil
		}
		return valid(a)
	})
	return err
}

// Get is [jobstore.Store.Get].
func (c *Client) Get(ctx context.Context, id jobstore.ID) (job jobstore.Job, err error) {
	if id, err = jobstore.ParseID(string(id)); err != nil {
		return job, err
	}
	r := request{method: http.MethodGet, path: jobPath(id), statuses: []int{http.StatusOK}}
	err = c.askJob(ctx, r, &job, isJob(id, &job))
	return job, err
}

// isJob says that a job is not the one with the given ID.
func isJob(id jobstore.ID, job *jobstore.Job) func(answer) string {
	return func(answer) string {
		if job.ID != id {
			return fmt.Sprintf("it is %s", job.ID)
		}
		return ""
	}
}

// Create is [jobstore.Store.Create] for new jobs, one after the other. When one
// fails, those ahead of it have been created. What the API does not take, an ID, a
// time, a status other than queued, an error or tasks, is a FieldError.
func (c *Client) Create(ctx context.Context, jobs ...*jobstore.Job) error {
	for _, job := range jobs {
		if _, err := newBody(job); err != nil {
			return err
		}
	}
	for _, job := range jobs {
		if _, err := c.create(ctx, "", job); err != nil {
			return err
		}
	}
	return nil
}

// CreateOnce is [jobstore.Store.CreateOnce], with what Create says of the fields. A
// key is printable ASCII.
func (c *Client) CreateOnce(ctx context.Context, key string, job *jobstore.Job) (created bool, err error) {
	if key == "" || len(key) > jobstore.MaxOnceKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return false, &jobstore.FieldError{Field: "key", Reason: fmt.Sprintf("must be 1 to %d characters of ASCII", jobstore.MaxOnceKey)}
	}
	return c.create(ctx, key, job)
}

func (c *Client) create(ctx context.Context, key string, job *jobstore.Job) (created bool, err error) {
	body, err := newBody(job)
	if err != nil {
		return false, err
	}
	r := request{
		method: http.MethodPost, path: "/jobs", header: http.Header{}, body: body,
		changing: true, statuses: []int{http.StatusCreated},
	}
	if key != "" {
		r.header.Set("Idempotency-Key", key)
		r.statuses = append(r.statuses, http.StatusOK)
	}
	var made jobstore.Job
	err = c.askJob(ctx, r, &made, func(a answer) string {
		created = a.status == http.StatusCreated
		if made.Kind != job.Kind || made.Input != job.Input {
			return "it is another job than was sent"
		}
		return ""
	})
	if err != nil {
		return false, err
	}
	*job = made
	return created, nil
}

// newBody returns the body of POST /jobs for job, with its raw fields as they are.
func newBody(job *jobstore.Job) ([]byte, error) {
	if job == nil {
		return nil, &jobstore.FieldError{Field: "job", Reason: "is nil"}
	}
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"id", job.ID != ""}, {"status", job.Status != 0 && job.Status != jobstore.StatusQueued},
		{"error", len(job.Error) > 0}, {"tasks", len(job.Tasks) > 0},
		{"created_at", !job.CreatedAt.IsZero()}, {"started_at", !job.StartedAt.IsZero()},
		{"finished_at", !job.FinishedAt.IsZero()}, {"updated_at", !job.UpdatedAt.IsZero()},
	} {
		if field.given {
			return nil, &jobstore.FieldError{Field: field.name, Reason: "cannot be given to a server, which sets it"}
		}
	}
	// What a store checks is checked here too, so that the errors are the same.
	whole := *job
	whole.ID, whole.Status = "job_new", jobstore.StatusQueued
	if err := whole.Validate(); err != nil {
		return nil, err
	}
	var b object
	b.text("kind", job.Kind.String())
	b.text("input", job.Input)
	if job.Output != "" {
		b.text("output", job.Output)
	}
	if len(job.Options) > 0 {
		b.raw("options", job.Options)
	}
	if len(job.Metadata) > 0 {
		b.raw("metadata", job.Metadata)
	}
	return b.close(), nil
}

// Update is [jobstore.Store.Update] in two requests: the job is read, and what fn
// changes of it is reported. Other fields, which somebody else may change
// meanwhile, stay as they are then. The API takes changes of status, output, error,
// tasks and metadata; a change of another field is a FieldError.
func (c *Client) Update(ctx context.Context, id jobstore.ID, fn func(*jobstore.Job) error) (jobstore.Job, error) {
	job, err := c.Get(ctx, id)
	if err != nil {
		return jobstore.Job{}, err
	}
	before := job
	if err := fn(&job); err != nil {
		return jobstore.Job{}, err
	}
	body, err := reportBody(&before, &job)
	if err != nil {
		return jobstore.Job{}, err
	}
	r := request{
		method: http.MethodPatch, path: jobPath(id), body: body,
		changing: true, statuses: []int{http.StatusOK},
	}
	var now jobstore.Job
	if err := c.askJob(ctx, r, &now, isJob(id, &now)); err != nil {
		return jobstore.Job{}, err
	}
	return now, nil
}

// reportBody returns the body of PATCH /jobs/{id} that makes now of before.
func reportBody(before, now *jobstore.Job) ([]byte, error) {
	for _, field := range []struct {
		name    string
		changed bool
	}{
		{"id", now.ID != before.ID}, {"kind", now.Kind != before.Kind}, {"input", now.Input != before.Input},
		{"options", !bytes.Equal(now.Options, before.Options)},
		{"created_at", !now.CreatedAt.Equal(before.CreatedAt)}, {"started_at", !now.StartedAt.Equal(before.StartedAt)},
		{"finished_at", !now.FinishedAt.Equal(before.FinishedAt)}, {"updated_at", !now.UpdatedAt.Equal(before.UpdatedAt)},
	} {
		if field.changed {
			return nil, &jobstore.FieldError{Field: field.name, Reason: "cannot be changed through a server"}
		}
	}
	if err := now.Validate(); err != nil {
		return nil, err
	}
	var b object
	if now.Status != before.Status {
		b.text("status", now.Status.String())
	}
	if now.Output != before.Output {
		if now.Output == "" {
			b.raw("output", []byte("null"))
		} else {
			b.text("output", now.Output)
		}
	}
	for _, field := range []struct {
		name        string
		before, now json.RawMessage
	}{
		{"error", before.Error, now.Error}, {"tasks", before.Tasks, now.Tasks}, {"metadata", before.Metadata, now.Metadata},
	} {
		switch {
		case bytes.Equal(field.before, field.now):
		case len(field.now) == 0:
			b.raw(field.name, []byte("null"))
		default:
			b.raw(field.name, field.now)
		}
	}
	if len(b.members) == 0 {
		b.text("status", now.Status.String()) // so that it counts as an update all the same
	}
	return b.close(), nil
}

// Delete is [jobstore.Store.Delete], one job after the other. When one fails, those
// ahead of it have been deleted, which is the number that it returns.
func (c *Client) Delete(ctx context.Context, ids ...jobstore.ID) (deleted int, err error) {
	for _, id := range ids {
		if _, err := jobstore.ParseID(string(id)); err != nil {
			return 0, err
		}
	}
	for _, id := range ids {
		r := request{method: http.MethodDelete, path: jobPath(id), changing: true, statuses: []int{http.StatusNoContent}}
		err := c.do(ctx, r, c.timeout, func(*http.Response) error { return nil })
		switch {
		case err == nil:
			deleted++
		case !errors.Is(err, jobstore.ErrNotFound):
			return deleted, err
		}
	}
	return deleted, nil
}

// An object is a JSON object in the making. What json.Marshal does to raw members,
// which is to take out their spaces and to escape some characters, it does not do.
type object struct{ members []byte }

func (o *object) raw(name string, value []byte) {
	separator := byte(',')
	if len(o.members) == 0 {
		separator = '{'
	}
	o.members = append(o.members, separator)
	o.members = append(o.members, `"`+name+`":`...)
	o.members = append(o.members, value...)
}

func (o *object) text(name, value string) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // a string has no error
	o.raw(name, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func (o *object) close() []byte { return append(o.members, '}') }
