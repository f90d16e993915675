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
	// What the two have in common. It stands behind the cursors, in the order of
	// the names that url.Values are encoded in.
	q.After, q.Before = "", ""
	rest := q.Values().Encode()
	b := make([]byte, 0, 2*(len(base)+len(rest)+128))
	if hasNext {
		b = append(appendLink(b, base, next, rest), `; rel="next"`...)
	}
	if hasPrev {
		if hasNext {
			b = append(b, ", "...)
		}
		b = append(appendLink(b, base, prev, rest), `; rel="prev"`...)
	}
	return string(b)
}

// appendLink appends the URL of the page that the cursors of q ask for. IDs stand in
// URLs as they are.
func appendLink(dst []byte, base string, q jobstore.Query, rest string) []byte {
	dst = append(append(dst, '<'), base...)
	separator := byte('?')
	for _, p := range [...]struct{ name, value string }{{"after=", string(q.After)}, {"before=", string(q.Before)}, {"", rest}} {
		if p.value != "" {
			dst = append(dst, separator)
			dst = append(append(dst, p.name...), p.value...)
			separator = '&'
		}
	}
	return append(dst, '>')
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
