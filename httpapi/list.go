package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/jobstore/jobstore"
)

// list answers GET /jobs.
func (a *api) list(w *response) error {
	q, err := w.query()
	if err != nil {
		return err
	}
	page, err := load(w, mostOfPage, func(ctx context.Context) (jobstore.Page, int64, error) {
		page, err := a.store.List(ctx, q)
		return page, (&jobsBody{page.Jobs, true}).need(), err
	})
	if err != nil {
		return err
	}
	limit := q.Limit
	if limit == 0 {
		limit = jobstore.DefaultLimit
	}
	header := w.Header()
	header.Set("Has-More", strconv.FormatBool(page.HasMore))
	header.Set("Limit", strconv.Itoa(limit))
	if links := page.Link(a.jobsURL(w.request), q); links != "" {
		header.Set("Link", links)
	}
	w.replyJobs(http.StatusOK, &jobsBody{page.Jobs, true})
	return nil
}
