package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jobstore/jobstore"
)

// statusOf is the one table of errors: the kinds that clients are told, and the
// status that each comes with.
var statusOf = map[string]int{
	"request_invalid":        http.StatusBadRequest,
	"invalid_input":          http.StatusBadRequest,
	"token_missing":          http.StatusUnauthorized,
	"token_invalid":          http.StatusUnauthorized,
	"read_only":              http.StatusForbidden,
	"origin_not_allowed":     http.StatusForbidden,
	"job_not_found":          http.StatusNotFound,
	"not_found":              http.StatusNotFound,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"request_timeout":        http.StatusRequestTimeout,
	"job_exists":             http.StatusConflict,
	"idempotency_conflict":   http.StatusConflict,
	"precondition_failed":    http.StatusPreconditionFailed,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"url_too_long":           http.StatusRequestURITooLong,
	"media_type_unsupported": http.StatusUnsupportedMediaType,
	"misdirected_request":    http.StatusMisdirectedRequest,
	"client_closed_request":  statusClientClosed,
	"internal_error":         http.StatusInternalServerError,
	"overloaded":             http.StatusServiceUnavailable,
	"unavailable":            http.StatusServiceUnavailable,
	"store_full":             http.StatusInsufficientStorage,
}

// statusClientClosed is for the log: nobody is there to read it.
const statusClientClosed = 499

// ErrUnavailable is for stores that are put in front of a [jobstore.Store]: a method that
// returns it is answered with 503.
var ErrUnavailable = errors.New("the store cannot be used")

// storeErrors says what the store's errors are to clients. What is not in the
// list is an internal_error.
var storeErrors = []struct {
	err  error
	told refusal
}{
	{jobstore.ErrNotFound, refusal{"job_not_found", "there is no job with this ID"}},
	{jobstore.ErrExists, refusal{"job_exists", "there is a job with this ID already"}},
	{jobstore.ErrConflict, refusal{"idempotency_conflict", "this Idempotency-Key was used for another job"}},
	{jobstore.ErrReadOnly, refusal{"read_only", "the store is read-only"}},
	{jobstore.ErrFull, refusal{"store_full", "the store has no room for this"}},
	{ErrUnavailable, refusal{"unavailable", "the store cannot be used, see the server's log"}},
	{jobstore.ErrClosed, refusal{"unavailable", "the store is closed"}},
	{context.DeadlineExceeded, refusal{"unavailable", "the request took too long"}},
	{context.Canceled, refusal{"client_closed_request", "the client went away"}},
}

// A refusal is an error as the client is told it.
type refusal struct{ kind, message string }

func (r *refusal) Error() string { return r.kind + ": " + r.message }

func refusef(kind, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

var (
	errNoResource = refusef("not_found", "there is nothing at this path")
	errStopping   = refusef("unavailable", "the server is stopping")
	errInternal   = &refusal{"internal_error", "something went wrong, see the server's log"}
)

// refusalOf returns what the client is told of err.
func refusalOf(err error) *refusal {
	if told, ok := errors.AsType[*refusal](err); ok {
		return told
	}
	if errors.Is(err, jobstore.ErrInvalid) {
		if field, ok := errors.AsType[*jobstore.FieldError](err); ok {
			err = field
		}
		return &refusal{"request_invalid", strings.TrimPrefix(err.Error(), "jobstore: ")}
	}
	for i := range storeErrors {
		if errors.Is(err, storeErrors[i].err) {
			return &storeErrors[i].told
		}
	}
	return errInternal
}
