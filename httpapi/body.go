package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jobstore/jobstore"
)

// readObject reads the body as a JSON object that has no members but the known
// ones, each at most once; null becomes nil. encoding/json alone would let unknown
// and repeated members pass, and take "KIND" for "kind".
func (x *exchange) readObject(known ...string) (map[string]json.RawMessage, error) {
	accepted := []string{"application/json"}
	if x.request.Method == http.MethodPatch {
		accepted = append(accepted, "application/merge-patch+json")
	}
	body, err := x.readBody(accepted...)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return nil, refusef("request_invalid", "the body must be valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if token, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	} else if token != json.Delim('{') {
		return nil, refusef("request_invalid", "the body must be a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := token.(string) // it is one: the decoder takes nothing else here
		if !slices.Contains(known, name) {
			return nil, refusef("request_invalid", "%.80q is not a field that can be given, only %s",
				name, strings.Join(known, ", "))
		}
		if _, ok := fields[name]; ok {
			return nil, refusef("request_invalid", "%s must not be given more than once", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		if string(value) == "null" {
			value = nil
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, refusef("request_invalid", "the body goes on after its JSON object")
	}
	return fields, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refusef("request_invalid", "the body must be JSON: it ends too early")
	}
	return refusef("request_invalid", "the body must be JSON: %v", err)
}

// readBody reads the body of a request that must have one of a type of JSON. That
// the type is asked for keeps out the forms of other sites' pages, which a browser
// sends without asking.
func (x *exchange) readBody(accepted ...string) ([]byte, error) {
	r := x.request
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || !slices.Contains(accepted, mediaType) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, refusef("media_type_unsupported", "send JSON in UTF-8 with the header Content-Type: %s", strings.Join(accepted, " or "))
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, refusef("media_type_unsupported", "send the body without Content-Encoding")
	}
	most := x.api.options.MaxBody
	tooLarge := refusef("body_too_large", "the body may have %d bytes", most)
	if r.ContentLength > most {
		return nil, tooLarge
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(min(r.ContentLength, largestPooled)) + bytes.MinRead)
	}
	_, err = body.ReadFrom(http.MaxBytesReader(x.ResponseWriter, r.Body, most))
	if err == nil {
		return body.Bytes(), nil
	}
	x.Header().Set("Connection", "close") // what is left of the body is not waited for
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, refusef("request_timeout", "the body did not arrive in time")
	}
	return nil, refusef("request_invalid", "the body broke off")
}

// newJob makes a job of what POST /jobs was sent. What is not checked here, the
// store checks.
func newJob(fields map[string]json.RawMessage) (*jobstore.Job, error) {
	job := &jobstore.Job{Options: fields["options"], Metadata: fields["metadata"]}
	kind, err := text(fields, "kind")
	if err != nil {
		return nil, err
	}
	if job.Kind, err = jobstore.ParseKind(kind); err != nil {
		return nil, err
	}
	if job.Input, err = text(fields, "input"); err != nil {
		return nil, err
	}
	if job.Input == "" {
		return nil, &jobstore.FieldError{Field: "input", Reason: "is missing"}
	}
	if !isURL(job.Input, "http://", "https://", "s3://") {
		return nil, refusef("invalid_input", "input must use http://, https://, or s3:// scheme")
	}
	if job.Output, err = text(fields, "output"); err != nil {
		return nil, err
	}
	if bucket, key, _ := strings.Cut(strings.TrimPrefix(job.Output, "s3://"), "/"); job.Output != "" &&
		(!isURL(job.Output, "s3://") || bucket == "" || key == "") {
		return nil, &jobstore.FieldError{Field: "output", Value: job.Output, Reason: "must be s3://bucket/key"}
	}
	return job, nil
}

// parseReport makes a change to a job of what PATCH /jobs/{id} was sent, a merge
// patch: a field that is not named stays, and null takes away what is there. A
// job always has a status, so that null is no status.
func parseReport(fields map[string]json.RawMessage) (func(*jobstore.Job) error, error) {
	if len(fields) == 0 {
		return nil, refusef("request_invalid", "the body names no field to change")
	}
	output, err := text(fields, "output")
	if err != nil {
		return nil, err
	}
	if output != "" && !isURL(output, "http://", "https://", "s3://") {
		return nil, &jobstore.FieldError{Field: "output", Value: output, Reason: "must use http://, https://, or s3:// scheme"}
	}
	var status jobstore.Status
	if _, ok := fields["status"]; ok {
		word, err := text(fields, "status")
		if err != nil {
			return nil, err
		}
		if status, err = jobstore.ParseStatus(word); err != nil {
			return nil, err
		}
	}
	return func(job *jobstore.Job) error {
		if status != 0 {
			job.Status = status
		}
		if _, ok := fields["output"]; ok {
			job.Output = output
		}
		for name, field := range map[string]*json.RawMessage{
			"error": &job.Error, "tasks": &job.Tasks, "metadata": &job.Metadata,
		} {
			if value, ok := fields[name]; ok {
				*field = value
			}
		}
		return nil
	}, nil
}

// text returns a field that must be a string, or "" when it is absent or null.
func text(fields map[string]json.RawMessage, name string) (s string, err error) {
	raw := fields[name]
	if raw == nil {
		return "", nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", &jobstore.FieldError{Field: name, Reason: "must be a string"}
	}
	return s, nil
}

// isURL reports whether s is one of the schemes, which are compared without
// regard to case, with something behind it, and has no control characters.
func isURL(s string, schemes ...string) bool {
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return false
	}
	return slices.ContainsFunc(schemes, func(scheme string) bool {
		return len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme)
	})
}
