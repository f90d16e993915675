package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/jobstore/jobstore"
)

// get answers GET /jobs/{id}.
func (a *api) get(x *exchange) error {
	job, err := a.store.Get(x.request.Context(), x.jobID())
	if err != nil {
		return err
	}
	x.replyJob(http.StatusOK, &job)
	return nil
}

// create answers POST /jobs.
func (a *api) create(x *exchange) error {
	key, err := idempotencyKey(x.request.Header["Idempotency-Key"])
	if err != nil {
		return err
	}
	fields, err := x.readObject("input", "kind", "options", "output", "metadata")
	if err != nil {
		return err
	}
	job, err := newJob(fields)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if key == "" {
		err = a.store.Create(x.request.Context(), job)
	} else {
		var created bool
		created, err = a.store.CreateOnce(x.request.Context(), key, job)
		if !created {
			status = http.StatusOK
		}
		if errors.Is(err, jobstore.ErrNotFound) {
			err = refusef("job_not_found", "the job made with this Idempotency-Key has been deleted")
		}
	}
	if err != nil {
		return err
	}
	x.Header().Set("Location", a.jobsURL(x.request)+"/"+string(job.ID))
	x.replyJob(status, job)
	return nil
}

// update answers PATCH /jobs/{id}.
func (a *api) update(x *exchange) error {
	fields, err := x.readObject("status", "output", "error", "tasks", "metadata")
	if err != nil {
		return err
	}
	change, err := parseReport(fields)
	if err != nil {
		return err
	}
	job, err := a.store.Update(x.request.Context(), x.jobID(), change)
	if err != nil {
		return err
	}
	x.replyJob(http.StatusOK, &job)
	return nil
}

// delete answers DELETE /jobs/{id}.
func (a *api) delete(x *exchange) error {
	deleted, err := a.store.Delete(x.request.Context(), x.jobID())
	if err != nil {
		return err
	}
	if deleted == 0 {
		return jobstore.ErrNotFound
	}
	x.sendEmpty(http.StatusNoContent)
	return nil
}

// jobID returns the ID in the path, which the store checks.
func (x *exchange) jobID() jobstore.ID { return jobstore.ID(x.request.PathValue("id")) }

// replyJob sends the whole of a job, its tasks included.
func (x *exchange) replyJob(status int, job *jobstore.Job) {
	if job.Tasks == nil {
		job.Tasks = json.RawMessage("[]")
	}
	body := newBuffer()
	defer body.free()
	body.b = job.AppendJSON(body.b)
	x.reply(status, body)
}

// idempotencyKey returns the key that a request was sent with, or "".
func idempotencyKey(given []string) (string, error) {
	if len(given) == 0 {
		return "", nil
	}
	key := given[0]
	if len(given) > 1 || key == "" || len(key) > jobstore.MaxOnceKey ||
		slices.ContainsFunc([]byte(key), func(c byte) bool { return c < ' ' || c > '~' }) {
		return "", refusef("request_invalid", "Idempotency-Key must be given once, as 1 to %d characters of ASCII", jobstore.MaxOnceKey)
	}
	return key, nil
}
