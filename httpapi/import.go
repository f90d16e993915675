package httpapi

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

// importTimeout is how long a body of many jobs may take to arrive and be stored,
// where the server gives less.
const importTimeout = 5 * time.Minute

// MaxImportJobs is how many jobs one request can put into a store: they are all
// written by one transaction, which is in memory as a whole.
const MaxImportJobs = 10_000

// put answers PUT /store/jobs.
func (o *operator) put(w *response) error {
	w.bodyEnd = time.Now().Add(importTimeout)
	_ = w.control().SetWriteDeadline(w.bodyEnd)
	w.expectMore()
	body, err := w.readBody("application/json", "application/x-ndjson")
	if err != nil {
		return err
	}
	var jobs []*jobstore.Job
	err = w.work(int64(2*len(body)), func(ctx context.Context) error {
		if jobs, err = parseJobs(body); err != nil {
			return err
		}
		return o.store.Put(ctx, jobs...)
	})
	if err != nil {
		return err
	}
	return w.replyJSON(struct {
		Imported int `json:"imported"`
	}{len(jobs)})
}

// parseJobs reads the jobs of a body, and says of a mistake on which line of it
// it is.
func parseJobs(body []byte) (jobs []*jobstore.Job, err error) {
	for entry, err := range jobfile.Jobs(bytes.NewReader(body), false) {
		if at, ok := errors.AsType[*jobfile.PlaceError](err); ok {
			return nil, refusef("request_invalid", "%s: %s", at.In("body"),
				strings.TrimPrefix(strings.TrimPrefix(err.Error(), jobstore.ErrInvalid.Error()+": "), "jobstore: "))
		}
		if err != nil {
			return nil, err
		}
		if len(jobs) == MaxImportJobs {
			return nil, refusef("body_too_large", "the body may have %d jobs", MaxImportJobs)
		}
		jobs = append(jobs, entry.Job)
	}
	return jobs, nil
}
