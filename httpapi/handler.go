package httpapi

import (
	"context"
	"crypto/sha256"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// Defaults of Options.
const (
	DefaultMaxBody       = jobstore.MaxJSON + 256<<10 // bytes; the largest job fits
	DefaultMaxURL        = 8 << 10                    // bytes
	DefaultMaxConcurrent = 256                        // requests
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

	// MaxBody and MaxURL are the longest body and request URL in bytes that are
	// read. Zero is DefaultMaxBody and DefaultMaxURL.
	MaxBody int64
	MaxURL  int

	// MaxConcurrent is how many requests may be at the store at once. Those past
	// it are refused with 503 and Retry-After. Zero is DefaultMaxConcurrent.
	MaxConcurrent int

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
// *jobstore.Store. Nil options are the defaults. The handler does not close s,
// and may be used as long as s is open; after that it answers 503.
//
// A middleware that runs the handler finds the matched pattern, such as
// "GET /jobs/{id}", in Request.Pattern afterwards.
func New(s store, opts *Options) http.Handler {
	a := newAPI(opts)
	a.store = s
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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a.slots = make(chan struct{}, o.MaxConcurrent)
	a.tokenSum = sha256.Sum256([]byte(o.Token))
	a.mux.HandleFunc("/", serve(a.guard(func(*exchange) error { return errNoResource })))
	return a
}

// An api is the handler that New and NewOperator return.
type api struct {
	store    store // of New
	options  Options
	mux      *http.ServeMux
	slots    chan struct{} // holds one token a request at the store
	tokenSum [sha256.Size]byte
	hashSeed maphash.Seed // of ETags, which hold as long as the handler lives
}

// A handler answers a request, or returns why it does not.
type handler func(*exchange) error

// methods are the handlers of one resource.
type methods map[string]handler

// resource adds a resource to the mux. What its methods do is guarded, what they
// are is not: browsers ask for OPTIONS without a token.
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

	a.mux.HandleFunc("OPTIONS "+pattern, serve(func(x *exchange) error {
		x.Header().Set("Allow", allow)
		x.sendEmpty(http.StatusNoContent)
		return nil
	}))
	a.mux.HandleFunc(pattern, serve(guard(func(x *exchange) error {
		x.Header().Set("Allow", allow)
		return refusef("method_not_allowed", "%s is not allowed here, only %s", x.request.Method, allow)
	})))
}

// serve makes h a handler for the mux, which api.ServeHTTP gives an exchange.
func serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		x := w.(*exchange)
		if err := h(x); err != nil {
			x.fail(err)
		}
	}
}

// ServeHTTP answers one request. It never panics, except with
// http.ErrAbortHandler where half a response is out already.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := begin(a, w, r)
	defer x.end()
	switch {
	case len(r.RequestURI) > a.options.MaxURL || len(r.URL.Path)+len(r.URL.RawQuery) > a.options.MaxURL:
		x.fail(refusef("url_too_long", "the URL may have %d bytes", a.options.MaxURL))
	case !isClean(r.URL.Path):
		// The mux would redirect, to a URL without the prefix that it does not see.
		x.fail(errNoResource)
	default:
		a.mux.ServeHTTP(x, r)
	}
}

// isClean reports whether p is a path as the mux takes it without a redirect.
func isClean(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/")
}
