package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

// jobsURL returns the URL under which the client of r, a request for /jobs,
// finds the jobs.
func (a *api) jobsURL(r *http.Request) string { return a.urlOf(r, "/jobs") }

// urlOf returns the URL under which the client of r finds a path of the handler. It
// is relative to the host when the client has not said which host it means, as
// HTTP/1.0 allows, or has named what can be none.
func (a *api) urlOf(r *http.Request, path string) string {
	if a.options.BaseURL != nil {
		return a.options.BaseURL.JoinPath(path).String()
	}
	scheme, host, prefix := "http", r.Host, mountedAt(r)
	if r.TLS != nil {
		scheme = "https"
	}
	if len(a.options.TrustedProxies) > 0 {
		said := a.forwarded(r)
		if said.proto != "" {
			scheme = said.proto
		}
		if said.host != "" {
			host = said.host
		}
		prefix = said.prefix + prefix
	}
	if validHost(host, "") == "" {
		return prefix + path
	}
	return scheme + "://" + host + prefix + path
}

// mountedAt returns the prefix that a mux has taken off the path of r. It is still
// in the request line.
func mountedAt(r *http.Request) string {
	path, asked := r.URL.EscapedPath(), r.RequestURI
	if at := strings.IndexByte(asked, '?'); at >= 0 {
		asked = asked[:at]
	}
	if !strings.HasPrefix(asked, "/") {
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return ""
		}
		asked = u.EscapedPath()
	}
	prefix, ok := strings.CutSuffix(asked, path)
	if !ok {
		return ""
	}
	return prefix
}
