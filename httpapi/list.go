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
	if links := a.links(x.request, page, q); links != "" {
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

// links returns the Link header of a page: where the pages next to it are.
func (a *api) links(r *http.Request, page jobstore.Page, q jobstore.Query) string {
	next, hasNext := page.Next(q)
	prev, hasPrev := page.Prev(q)
	if !hasNext && !hasPrev {
		return ""
	}
	base := a.jobsURL(r)
	var b strings.Builder
	write := func(q jobstore.Query, rel string) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("<" + base + "?" + q.Values().Encode() + `>; rel="` + rel + `"`)
	}
	if hasNext {
		write(next, "next")
	}
	if hasPrev {
		write(prev, "prev")
	}
	return b.String()
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
	if asked, err := url.ParseRequestURI(r.RequestURI); err == nil {
		path = asked.EscapedPath()
	}
	switch {
	case r.Host == "":
		return path
	case r.TLS != nil:
		return "https://" + r.Host + path
	}
	return "http://" + r.Host + path
}
