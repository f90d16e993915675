package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// get answers GET /jobs/{id}.
func (a *api) get(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	job, err := w.loadJob(0)
	if err != nil {
		return err
	}
	w.replyJob(http.StatusOK, &job)
	return nil
}

// loadJob reads the job of the path, and takes memory for it and for what a change of
// some bytes makes of it.
func (w *response) loadJob(change int64) (jobstore.Job, error) {
	return load(w, mostOfJob, func(ctx context.Context) (jobstore.Job, int64, error) {
		job, err := w.api.store.Get(ctx, w.jobID())
		return job, (&jobsBody{jobs: []jobstore.Job{job}}).need() + change, err
	})
}

// create answers POST /jobs.
func (a *api) create(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	key, err := idempotencyKey(w.request.Header["Idempotency-Key"])
	if err != nil {
		return err
	}
	body, err := w.readBody("application/json")
	if err != nil {
		return err
	}
	job, err := w.parseJob(body)
	if err != nil {
		return err
	}
	// What is told of a change that was made must not fail for want of memory, so
	// that is taken first.
	need := (&jobsBody{jobs: []jobstore.Job{*job}}).need()
	if _, err := w.reserve(a.memory.pages.of(need), need); err != nil {
		return err
	}
	status := http.StatusCreated
	err = w.work(sizeOf(job), func(ctx context.Context) error {
		if key == "" {
			return a.store.Create(ctx, job)
		}
		created, err := a.store.CreateOnce(ctx, key, job)
		if !created {
			status = http.StatusOK
		}
		if errors.Is(err, jobstore.ErrNotFound) {
			err = refusef("job_not_found", "the job made with this Idempotency-Key has been deleted")
		}
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", a.jobsURL(w.request)+"/"+string(job.ID))
	w.replyJob(status, job)
	return nil
}

// parseJob makes a job of the body of POST /jobs.
func (w *response) parseJob(body []byte) (*jobstore.Job, error) {
	working, err := w.reserve(w.api.memory.working, int64(2*len(body)))
	if err != nil {
		return nil, err
	}
	defer w.giveBack(working)
	job, err := jobfile.ParseBody(body)
	if errors.Is(err, jobfile.ErrInputScheme) {
		return nil, &refusal{"invalid_input", jobfile.ErrInputScheme.Error()}
	}
	return job, err
}

// update answers PATCH /jobs/{id}.
func (a *api) update(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	if err := w.ifMatch(); err != nil {
		return err
	}
	fields, err := w.readObject("status", "output", "error", "tasks", "metadata")
	if err != nil {
		return err
	}
	change, err := parseReport(fields)
	if err != nil {
		return err
	}
	size := int64(0)
	for _, value := range fields {
		size += int64(len(value))
	}
	job, err := w.loadJob(2 * size) // memory for the answer is taken before the change
	if err != nil {
		return err
	}
	size += sizeOf(&job)
	job = jobstore.Job{}
	err = w.work(2*size, func(ctx context.Context) error {
		job, err = a.store.Update(ctx, w.jobID(), change)
		return err
	})
	if err != nil {
		return err
	}
	w.replyJob(http.StatusOK, &job)
	return nil
}

// delete answers DELETE /jobs/{id}.
func (a *api) delete(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	if err := w.ifMatch(); err != nil {
		return err
	}
	err := w.atStore(a.slots, func(ctx context.Context) error {
		deleted, err := a.store.Delete(ctx, w.jobID())
		if err == nil && deleted == 0 {
			err = jobstore.ErrNotFound
		}
		return err
	})
	if err != nil {
		return err
	}
	w.sendEmpty(http.StatusNoContent)
	return nil
}

// jobID returns the ID in the path, which the store checks.
func (w *response) jobID() jobstore.ID { return jobstore.ID(w.request.PathValue("id")) }

// replyJob sends the whole of a job, its tasks included.
func (w *response) replyJob(status int, job *jobstore.Job) {
	if job.Tasks == nil {
		job.Tasks = json.RawMessage("[]")
	}
	w.replyJobs(status, &jobsBody{jobs: []jobstore.Job{*job}})
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
