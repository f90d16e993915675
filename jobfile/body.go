package jobfile

import (
	"bytes"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/internal/strictjson"
)

// bodyFields are those that a body may have.
var bodyFields = []string{"input", "kind", "options", "output", "metadata"}

// ErrInputScheme is returned by ParseBody for an input of another scheme. It is
// [jobstore.ErrInvalid] too; the API has an error of its own for it.
var ErrInputScheme error = invalidError("input must use http://, https://, or s3:// scheme")

// ParseBody reads the JSON object that creates a job: input and kind, and perhaps
// options, output and metadata. The job that it returns lacks an ID and a status,
// which the store sets.
//
// It fails with an error that is [jobstore.ErrInvalid] and says what is wrong.
func ParseBody(text []byte) (*jobstore.Job, error) {
	job, given := new(jobstore.Job), map[string][]byte{}
	text = bytes.TrimLeft(text, " \t\r\n")
	err := readObject(text, "the body", func(name string, value []byte) error {
		if !slices.Contains(bodyFields, name) {
			return invalidf("%.80q is not a field that can be given, only %s", name, strings.Join(bodyFields, ", "))
		}
		if _, ok := given[name]; ok {
			return invalidf("%s must not be given more than once", name)
		}
		given[name] = value
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"kind", "input", "output"} {
		if value, ok := given[name]; ok {
			if err := checkText(name, value); err != nil {
				return nil, err
			}
		}
		if name == "kind" {
			// Ahead of the others, so that a wrong one is told of first.
			if _, err := jobstore.ParseKind(textOf(given[name])); err != nil {
				return nil, err
			}
		}
	}
	if err := job.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if err := checkBody(job); err != nil {
		return nil, err
	}
	// What is still missing, the store sets.
	whole := *job
	whole.ID, whole.Status = "job_new", jobstore.StatusQueued
	return job, whole.Validate()
}

// textOf returns the text of a value that is a string, and "" for null and nothing.
func textOf(value []byte) string {
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	return strictjson.Unquote(value)
}

// checkBody looks at what a body, other than a store, asks of URLs.
func checkBody(job *jobstore.Job) error {
	if job.Input == "" {
		return &jobstore.FieldError{Field: "input", Reason: "is missing"}
	}
	if !isURL(job.Input, "http://", "https://", "s3://") {
		return ErrInputScheme
	}
	if job.Output == "" {
		return nil
	}
	bucket, key, _ := strings.Cut(job.Output[min(len(job.Output), len("s3://")):], "/")
	if !isURL(job.Output, "s3://") || bucket == "" || key == "" {
		return &jobstore.FieldError{Field: "output", Value: job.Output, Reason: "must be s3://bucket/key"}
	}
	return nil
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
