package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/jobstore/jobstore"
)

var (
	// ErrNoStore is returned when a server has the jobs API and not what stands
	// under /store: it is not a jobstore serve.
	ErrNoStore = errors.New("jobstore: server has no /store, it is not a jobstore serve")

	// ErrOutcomeUnknown is returned when it is not known whether a server has
	// carried out a change: the answer did not arrive, or says only that something
	// failed.
	ErrOutcomeUnknown = errors.New("jobstore: it is not known whether the server has done it")
)

// An Error is a server's refusal, or an answer that no jobs API gives. By
// errors.Is it is the error that a store would have returned.
type Error struct {
	Server string // its address
	Status string // of the response, such as "404 Not Found"
	// Kind and Message are what the server says. Kind is empty when the answer is
	// none of a jobs API. The text comes from the server as it is: it may hold
	// control characters.
	Kind, Message string

	unknown bool // the change may have been carried out
}

// Error returns the server's address and what it says.
func (e *Error) Error() string {
	if e.Kind == "" {
		return fmt.Sprintf("%s answered %s: %s", e.Server, e.Status, e.Message)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Server, e.Message, e.Kind)
}

// kinds are the errors of a store by the kinds that the API has for them.
var kinds = map[string]error{
	"request_invalid":      jobstore.ErrInvalid,
	"invalid_input":        jobstore.ErrInvalid,
	"job_not_found":        jobstore.ErrNotFound,
	"job_exists":           jobstore.ErrExists,
	"idempotency_conflict": jobstore.ErrConflict,
	"read_only":            jobstore.ErrReadOnly,
	"store_full":           jobstore.ErrFull,
}

// Is reports whether target is the error that a store would have returned, or
// ErrOutcomeUnknown where that is so.
func (e *Error) Is(target error) bool {
	return target != nil && kinds[e.Kind] == target || target == ErrOutcomeUnknown && e.unknown
}

// refusal returns the error that resp stands for, which has no documented status.
func (c *Client) refusal(resp *http.Response, changing bool) error {
	refused := &Error{Server: c.String(), Status: resp.Status}
	if resp.StatusCode/100 == 3 {
		refused.Message = "a redirect"
		if to, err := resp.Location(); err == nil {
			refused.Message += " to " + to.Redacted()
		}
		refused.Message += ", which is not followed here"
		return refused
	}
	var told struct{ Kind, Message *string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || resp.StatusCode < 400 || !hasType(resp, "application/json") ||
		json.Unmarshal(text, &told) != nil || told.Kind == nil || told.Message == nil || *told.Kind == "" {
		refused.Message = "that is no answer of a jobs API"
		refused.unknown = changing && (resp.StatusCode < 400 || resp.StatusCode >= 500)
		return refused
	}
	refused.Kind, refused.Message = *told.Kind, *told.Message
	// Of these the API says that a change may have been carried out all the same.
	refused.unknown = changing && (refused.Kind == "internal_error" || refused.Kind == "unavailable")
	return refused
}

// explainStore turns the error of a call of /store into ErrNoStore where the
// server does not have that call.
func (c *Client) explainStore(err error) error {
	refused, ok := errors.AsType[*Error](err)
	if ok && (refused.Kind == "not_found" || refused.Kind == "method_not_allowed" || refused.Kind == "" && refused.is(http.StatusNotFound)) {
		return &noStoreError{refused.Server}
	}
	return err
}

func (e *Error) is(status int) bool {
	return len(e.Status) >= 3 && e.Status[:3] == fmt.Sprint(status)
}

// A noStoreError is ErrNoStore of a server.
type noStoreError struct{ server string }

func (e *noStoreError) Error() string {
	return e.server + " has no /store: it is not a jobstore serve"
}

func (e *noStoreError) Unwrap() error { return ErrNoStore }
