// Package jobfile reads jobs out of text: NDJSON, one a line, or a JSON array. It
// says of every mistake on which line it is.
package jobfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/jobstore/jobstore"
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
				if job, err = parse(e.text, ignoreUnknown); err != nil {
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

func parse(text []byte, ignoreUnknown bool) (*jobstore.Job, error) {
	job, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if !ignoreUnknown {
		// Before what is missing: a misspelt name is the better news.
		if unknown := UnknownFields(text, fields); len(unknown) > 0 {
			return nil, fmt.Errorf("%w %q", ErrUnknownField, unknown[0])
		}
	}
	return job, job.Validate()
}

// Parse reads the JSON object of a job, which may lack what a store asks for.
func Parse(text []byte) (*jobstore.Job, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("%w: a job must be a JSON object", jobstore.ErrInvalid)
	}
	job := new(jobstore.Job)
	if err := job.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return job, nil
}

// UnknownFields returns the names in the JSON object text that are not in known,
// sorted.
func UnknownFields(text []byte, known []string) []string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return nil // Parse has said so
	}
	for _, name := range known {
		delete(fields, name)
	}
	return slices.Sorted(maps.Keys(fields))
}
