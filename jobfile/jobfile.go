// Package jobfile reads and writes jobs as text: NDJSON, which is one job a line,
// JSON arrays, and the body with which a job is created. It says of every mistake
// in a file on which line it is.
package jobfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/internal/strictjson"
)

// An Entry is one job of a file.
type Entry struct {
	Job  *jobstore.Job // valid, so that a store takes it
	Size int           // bytes of its text
}

// Jobs returns the jobs of r one by one. An error ends them; it is a PlaceError
// unless r could not be read. Fields that no job has are such an error, unless
// they are to be ignored.
func Jobs(r io.Reader, ignoreUnknown bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range elements(r) {
			var job *jobstore.Job
			if err == nil {
				if job, err = Parse(e.text, ignoreUnknown); err != nil {
					err = &PlaceError{e.place, err}
				}
			}
			if !yield(Entry{job, len(e.text)}, err) || err != nil {
				return
			}
		}
	}
}

// ErrUnknownField is wrapped by what Jobs says of a field that no job has.
var ErrUnknownField = errors.New("unknown field")

// fields are those of a job, of which the API documents no others.
var fields = []string{
	"id", "object", "kind", "input", "output", "options", "metadata", "status", "error",
	"created_at", "started_at", "finished_at", "updated_at", "tasks",
}

// Parse reads the JSON object of a job that a store takes. Fields that no job has
// are an error, unless they are to be ignored.
func Parse(text []byte, ignoreUnknown bool) (*jobstore.Job, error) {
	text = bytes.TrimLeft(text, " \t\r\n")
	err := readObject(text, "a job", func(name string, value []byte) error {
		switch {
		case slices.Contains(fields, name):
			return checkText(name, value)
		case ignoreUnknown:
			return nil
		}
		return fmt.Errorf("%w %q", ErrUnknownField, name)
	})
	if err != nil {
		return nil, err
	}
	job := new(jobstore.Job)
	if err := job.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return job, job.Validate()
}

// texts are the fields that are strings.
var texts = []string{"id", "object", "kind", "input", "output", "status"}

// checkText refuses a value that is no string for a field that must be one.
func checkText(name string, value []byte) error {
	if slices.Contains(texts, name) && value[0] != '"' && string(value) != "null" {
		return &jobstore.FieldError{Field: name, Reason: "must be a string"}
	}
	return nil
}

// readObject calls member for each member of text, which must be a JSON object.
// Errors call the text subject.
func readObject(text []byte, subject string, member func(name string, value []byte) error) error {
	err := strictjson.Members(text, member)
	if fault, ok := errors.AsType[*strictjson.Error](err); ok {
		return invalidf("%s must be a JSON object: %v", subject, fault)
	}
	return err
}

// An invalidError is jobstore.ErrInvalid with a text of its own.
type invalidError string

func (e invalidError) Error() string { return string(e) }

func (e invalidError) Unwrap() error { return jobstore.ErrInvalid }

func invalidf(format string, args ...any) error {
	return invalidError(fmt.Sprintf(format, args...))
}
