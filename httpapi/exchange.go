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

// An exchange is one request with its response on the way out, and what the log
// line will say of it.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	api     *api
	id      string
	start   time.Time

	status int // 0 until the response has begun
	bytes  int // of the body
	err    error
}

const requestIDHeader = "X-Request-Id"

func begin(a *api, w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, request: r, api: a, start: time.Now()}
	if x.id = r.Header.Get(requestIDHeader); !isRequestID(x.id) {
		x.id = fmt.Sprintf("%016x", rand.Uint64())
	}
	w.Header().Set(requestIDHeader, x.id)
	return x
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

// end is deferred: it answers for a handler that panicked, and logs the line.
func (x *exchange) end() {
	panicked := recover()
	// Half a response is told from a whole one by a broken connection alone.
	err, _ := panicked.(error)
	abort := errors.Is(err, http.ErrAbortHandler) || panicked != nil && x.status != 0
	switch {
	case abort:
		x.err = fmt.Errorf("panic: %v", panicked)
	case panicked != nil:
		x.fail(fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
	}
	x.log()
	if abort {
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) log() {
	level := slog.LevelInfo
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	log, ctx := x.api.options.Logger, x.request.Context()
	if !log.Enabled(ctx, level) {
		return
	}
	// The query is left out: inputs are often signed URLs.
	attrs := []slog.Attr{
		slog.String("id", x.id),
		slog.String("method", x.request.Method),
		slog.String("path", x.request.URL.Path),
		slog.Int("status", x.status),
		slog.Int("bytes", x.bytes),
		slog.Duration("took", time.Since(x.start)),
		slog.String("remote", x.request.RemoteAddr),
	}
	if x.err != nil {
		attrs = append(attrs, slog.Any("error", x.err))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

// fail answers with what the client is told of err.
func (x *exchange) fail(err error) {
	x.err = err
	told := refusalOf(err)
	body, _ := json.Marshal(struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	}{told.kind, told.message})

	header := x.Header()
	switch told.kind {
	case "overloaded":
		header.Set("Retry-After", "1")
	case "token_missing":
		header.Set("WWW-Authenticate", "Bearer")
	case "token_invalid":
		header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	header.Set("Cache-Control", "no-store")
	x.send(statusOf[told.kind], body)
}

// send sends a response whose body is JSON.
func (x *exchange) send(status int, body []byte) {
	header := x.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.status = status
	x.WriteHeader(status)
	if x.request.Method == http.MethodHead {
		return
	}
	n, err := x.Write(body)
	x.bytes = n
	if err != nil {
		x.err = errors.Join(x.err, err)
	}
}

// sendEmpty sends a response that has no body.
func (x *exchange) sendEmpty(status int) {
	x.status = status
	x.WriteHeader(status)
}
