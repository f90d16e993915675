package httpapi

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/jobstore/jobstore"
)

// list answers GET /jobs.
func (a *api) list(x *exchange) error {
	values, err := url.ParseQuery(x.request.URL.RawQuery)
	if err != nil {
		return refusef("request_invalid", "the query of the URL cannot be read: %v", err)
	}
	q, err := jobstore.ParseQuery(values)
	if err != nil {
		return err
	}
	page, err := a.store.List(x.request.Context(), q)
	if err != nil {
		return err
	}
	limit := q.Limit
	if limit == 0 {
		limit = jobstore.DefaultLimit
	}
	header := x.Header()
	header.Set("Has-More", strconv.FormatBool(page.HasMore))
	header.Set("Limit", strconv.Itoa(limit))
	if links := page.Link(a.jobsURL(x.request), q); links != "" {
		header.Set("Link", links)
	}

	body := newBuffer()
	defer body.free()
	body.b = append(body.b, '[')
	for i := range page.Jobs {
		if i > 0 {
			body.b = append(body.b, ',')
		}
		body.b = page.Jobs[i].AppendJSON(body.b)
	}
	body.b = append(body.b, ']')
	x.reply(http.StatusOK, body)
	return nil
}

// jobsURL returns the URL under which the client of r, a request for /jobs,
// finds the jobs. It is relative to the host when the client has not said which
// host it means, as HTTP/1.0 allows.
func (a *api) jobsURL(r *http.Request) string {
	if a.options.BaseURL != nil {
		return a.options.BaseURL.JoinPath("jobs").String()
	}
	// The prefix that a mux has taken off the path is still in the request line.
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(r.RequestURI, path); !ok || rest != "" && rest[0] != '?' {
		if asked, err := url.ParseRequestURI(r.RequestURI); err == nil {
			path = asked.EscapedPath()
		}
	}
	switch {
	case r.Host == "":
		return path
	case r.TLS != nil:
		return "https://" + r.Host + path
	}
	return "http://" + r.Host + path
}
