package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// A response is the answer to one request. It remembers what the log line will
// say of it.
type response struct {
	http.ResponseWriter
	request *http.Request
	api     *api
	id      string
	start   time.Time

	reserved []*reservation // given back when the response ends
	bodyEnd  time.Time      // when the body must be there; zero leaves it to the server

	status int // 0 until the header has been sent
	bytes  int // of the body
	err    error
	failed bool // the body ends with an error, whatever the status says
}

const requestIDHeader = "X-Request-Id"

func newResponse(a *api, w http.ResponseWriter, r *http.Request) *response {
	id := requestID(r)
	w.Header().Set(requestIDHeader, id)
	return &response{ResponseWriter: w, request: r, api: a, start: time.Now(), id: id}
}

// requestID returns the ID that the client has given r, or a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); isRequestID(id) {
		return id
	}
	return fmt.Sprintf("%016x", rand.Uint64())
}

// isRequestID reports whether a client's own request ID can stand in our log.
func isRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// end must be deferred. It answers for a handler that panicked, gives back the
// memory that was reserved, and logs the request.
//
// A body that fails half way ends with a broken connection, as only that tells
// the client that the body is not whole.
func (w *response) end() {
	panicked := recover()
	for _, r := range w.reserved {
		r.pool.free.Release(r.n)
	}
	err, _ := panicked.(error)
	abort := errors.Is(err, http.ErrAbortHandler) || panicked != nil && w.status != 0
	switch {
	case w.failed:
		abort = true
	case abort:
		w.err, w.failed = errors.Join(w.err, fmt.Errorf("panic: %v", panicked)), true
	case panicked != nil:
		w.fail(fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
	}
	w.log()
	if abort {
		panic(http.ErrAbortHandler)
	}
}

func (w *response) log() {
	level := slog.LevelInfo
	log, ctx := w.api.options.Logger, w.request.Context()
	if w.status >= http.StatusInternalServerError || w.failed && ctx.Err() == nil {
		level = slog.LevelError
	}
	if !log.Enabled(ctx, level) {
		return
	}
	// The query is left out, because inputs are often signed URLs.
	attrs := []slog.Attr{
		slog.String("id", w.id),
		slog.String("method", w.request.Method),
		slog.String("path", w.request.URL.Path),
		slog.Int("status", w.status),
		slog.Int("bytes", w.bytes),
		slog.Duration("took", time.Since(w.start)),
		slog.String("remote", w.request.RemoteAddr),
	}
	if w.err != nil {
		attrs = append(attrs, slog.Any("error", w.err))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

// fail answers with what the client is told of err.
func (w *response) fail(err error) {
	w.err = err
	w.status, w.bytes = refusalOf(err).write(w, w.request)
}

// Error answers r with an error of the documented form: kind is one of the
// documented kinds, which decides the status; message is for people. It is for
// what stands around the handlers of this package, such as a middleware. docs/HTTP.md
// has the kinds; any other is answered as internal_error, without the message.
func Error(w http.ResponseWriter, r *http.Request, kind, message string) {
	if w.Header().Get(requestIDHeader) == "" {
		w.Header().Set(requestIDHeader, requestID(r))
	}
	told := &refusal{kind, message}
	if statusOf[kind] == 0 {
		told = errInternal
	}
	told.write(w, r)
}

// write sends the refusal, and returns the status and the length of the body.
func (told *refusal) write(w http.ResponseWriter, r *http.Request) (status, n int) {
	body, _ := json.Marshal(failure{told.kind, told.message})
	header := w.Header()
	switch told.kind {
	case "overloaded":
		header.Set("Retry-After", "1")
	case "token_missing":
		header.Set("WWW-Authenticate", "Bearer")
	case "token_invalid":
		header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	// What was said of the representation is not true of the error.
	for _, name := range []string{"ETag", "Link", "Has-More", "Limit", "Content-Encoding"} {
		header.Del(name)
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	status = statusOf[told.kind]
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		n, _ = w.Write(body)
	}
	return status, n
}

// A failure is the body of an error.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// begin sends the header of a response whose body is JSON.
func (w *response) begin(status int) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	w.status = status
	w.WriteHeader(status)
}

// Write adds p to the body, and remembers how long that is and what went wrong.
// Unlike that of an http.ResponseWriter it needs the header to be sent.
func (w *response) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += n
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// sendEmpty sends a response that has no body.
func (w *response) sendEmpty(status int) {
	w.status = status
	w.WriteHeader(status)
}
