package httpapi

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

// Defaults of Options.
const (
	DefaultMaxBody       = jobstore.MaxJSON + 256<<10 // bytes; the largest job fits
	DefaultMaxURL        = 8 << 10                    // bytes
	DefaultMaxConcurrent = 256                        // requests
	DefaultMaxMemory     = 192 << 20                  // bytes
	DefaultMaxWait       = 10 * time.Second
)

// Options configure a handler. The zero value holds the defaults.
type Options struct {
	// Token is what clients must send as "Authorization: Bearer <token>". Empty
	// lets everybody in.
	Token string

	// BaseURL is where clients find the handler, such as
	// https://api.example.com/v1. It stands in front of the links in responses.
	// Nil takes scheme, host and path from the request, which is right unless a
	// proxy changes them on the way.
	BaseURL *url.URL

	// TrustedProxies are the addresses of the proxies whose Forwarded and
	// X-Forwarded-Proto, -Host and -Prefix headers are believed for the links in
	// responses, when BaseURL is nil. Each must set or remove these headers. From
	// all others they are ignored.
	TrustedProxies []netip.Prefix

	// CrossOrigin decides which web pages of other origins may send requests that
	// change something. Nil lets none.
	CrossOrigin *http.CrossOriginProtection

	// MaxBody and MaxURL are the longest body and request URL in bytes that are
	// read. Zero is DefaultMaxBody and DefaultMaxURL.
	MaxBody int64
	MaxURL  int

	// MaxConcurrent is how many requests may be at the store at once. Zero is
	// DefaultMaxConcurrent.
	MaxConcurrent int

	// MaxMemory is how many bytes the bodies and pages of all requests may take
	// at once. Zero is DefaultMaxMemory.
	MaxMemory int64

	// MaxWait is how long a request that is past MaxConcurrent or MaxMemory waits
	// for its turn, before it is refused with 503 and Retry-After. Zero is
	// DefaultMaxWait.
	MaxWait time.Duration

	// Logger gets one line a request, with the error that the client was not
	// told. Nil logs nothing.
	Logger *slog.Logger
}

// A store is what the handler needs of a jobstore.Store.
type store interface {
	List(context.Context, jobstore.Query) (jobstore.Page, error)
	Get(context.Context, jobstore.ID) (jobstore.Job, error)
	Create(context.Context, ...*jobstore.Job) error
	CreateOnce(ctx context.Context, key string, job *jobstore.Job) (created bool, err error)
	Update(context.Context, jobstore.ID, func(*jobstore.Job) error) (jobstore.Job, error)
	Delete(context.Context, ...jobstore.ID) (deleted int, err error)
}

// New returns a handler that answers the jobs API from s, in general a
// [*jobstore.Store]. Nil options are the defaults. The handler does not close s,
// and may be used as long as s is open; after that it answers 503.
//
// A middleware that runs the handler finds the matched pattern, such as
// "GET /jobs/{id}", in Request.Pattern afterwards.
func New(s store, opts *Options) http.Handler {
	a := newAPI(opts)
	a.store, a.memory = s, newMemory(a.options.MaxMemory, sharesOfAPI)
	a.resource("/jobs", a.guard, methods{
		http.MethodGet:  a.list,
		http.MethodPost: a.create,
	})
	a.resource("/jobs/{id}", a.guard, methods{
		http.MethodGet:    a.get,
		http.MethodPatch:  a.update,
		http.MethodDelete: a.delete,
	})
	a.resource("/openapi.json", open, methods{http.MethodGet: a.describe})
	a.resource("/{$}", open, methods{http.MethodGet: a.introduce})
	return a
}

// newAPI returns a handler without resources.
func newAPI(opts *Options) *api {
	a := &api{
		mux:      http.NewServeMux(),
		hashSeed: maphash.MakeSeed(),
	}
	if opts != nil {
		a.options = *opts
	}
	o := &a.options
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxURL <= 0 {
		o.MaxURL = DefaultMaxURL
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = DefaultMaxConcurrent
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = DefaultMaxMemory
	}
	if o.MaxWait <= 0 {
		o.MaxWait = DefaultMaxWait
	}
	if o.CrossOrigin == nil {
		o.CrossOrigin = http.NewCrossOriginProtection()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a.slots = make(slots, o.MaxConcurrent)
	a.credential = newCredential(o.Token)
	a.mux.HandleFunc("/", serve(a.guard(func(*response) error { return errNoResource })))
	return a
}

// An api is the handler that New and NewOperator return.
type api struct {
	store      store // of New
	options    Options
	mux        *http.ServeMux
	memory     *memory
	slots      slots // of requests at the store
	credential credential
	hashSeed   maphash.Seed // of ETags, which hold as long as the handler lives

	onlyOwnOrigin bool // web pages of other origins may not even read
}

// A handler answers a request, or returns why it does not.
type handler func(*response) error

// methods are the handlers of one resource.
type methods map[string]handler

// resource adds a resource to the mux. Its methods are guarded. OPTIONS is not,
// because browsers send it without a token.
func (a *api) resource(pattern string, guard func(handler) handler, m methods) {
	allowed := []string{http.MethodOptions}
	for method, h := range m {
		a.mux.HandleFunc(method+" "+pattern, serve(guard(h)))
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead) // the mux sends it to GET
		}
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")

	a.mux.HandleFunc("OPTIONS "+pattern, serve(func(w *response) error {
		w.Header().Set("Allow", allow)
		w.sendEmpty(http.StatusNoContent)
		return nil
	}))
	a.mux.HandleFunc(pattern, serve(guard(func(w *response) error {
		w.Header().Set("Allow", allow)
		return refusef("method_not_allowed", "%s is not allowed here, only %s", w.request.Method, allow)
	})))
}

// serve makes h a handler for the mux, which api.ServeHTTP gives a response.
func serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		response := w.(*response)
		if err := h(response); err != nil {
			response.fail(err)
		}
	}
}

// ServeHTTP answers one request. It never panics, except with
// http.ErrAbortHandler where half a response is out already.
func (a *api) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := newResponse(a, rw, r)
	defer w.end()
	switch {
	case len(r.RequestURI) > a.options.MaxURL || len(r.URL.Path)+len(r.URL.RawQuery) > a.options.MaxURL:
		w.fail(refusef("url_too_long", "the URL may have %d bytes", a.options.MaxURL))
	case !isClean(r.URL.Path):
		// The mux would redirect, to a URL without the prefix that it does not see.
		w.fail(errNoResource)
	default:
		a.mux.ServeHTTP(w, r)
	}
}

// isClean reports whether p is a path as the mux takes it without a redirect.
func isClean(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/")
}
