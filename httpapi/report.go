package httpapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

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
