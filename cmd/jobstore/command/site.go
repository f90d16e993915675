package command

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/jobstore/jobstore/httpapi"
)

// A site is all that serve answers. It is no http.ServeMux, because that answers
// paths such as //jobs with a redirect of its own.
type site struct {
	store          *heldStore
	options        httpapi.Options
	api, operator  http.Handler
	metricsHandler http.Handler
}

func newSite(store *heldStore, m *metrics, options httpapi.Options) http.Handler {
	return &site{
		store:          store,
		options:        options,
		api:            m.observe(httpapi.New(store, &options)),
		operator:       m.observe(httpapi.NewOperator(store, &options)),
		metricsHandler: httpapi.RequireToken(options.Token, m.handler()),
	}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case s.options.Token == "" && !isOwnHost(r.Host):
		// A web page whose name was made to lead here would be let in otherwise.
		httpapi.Error(w, r, "misdirected_request", "without a token only requests to localhost are answered")
	case path == "/healthz":
		answerGet(w, r, http.HandlerFunc(s.health))
	case path == "/metrics":
		answerGet(w, r, s.metricsHandler)
	case path == "/store", strings.HasPrefix(path, "/store/"):
		s.operator.ServeHTTP(w, r)
	default:
		s.api.ServeHTTP(w, r)
	}
}

// health answers GET /healthz.
func (s *site) health(w http.ResponseWriter, r *http.Request) {
	if err := s.store.check(r.Context()); err != nil {
		s.options.Logger.Error("store cannot be used", "error", err)
		httpapi.Error(w, r, "unavailable", "the store cannot be used, see the server's log")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintln(w, "ok")
}

// answerGet lets h answer GET and HEAD, and answers all else itself.
func answerGet(w http.ResponseWriter, r *http.Request, h http.Handler) {
	const allow = "GET, HEAD, OPTIONS"
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.ServeHTTP(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allow)
		httpapi.Error(w, r, "method_not_allowed", r.Method+" is not allowed here, only "+allow)
	}
}

// isOwnHost reports whether a Host header names this machine by what only it can
// be: localhost, or a loopback address. A request without one, as HTTP/1.0 has it,
// is no browser's.
func isOwnHost(host string) bool {
	if host == "" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
