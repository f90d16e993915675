package jobstore

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/record"
)

// Bounds of a job's fields, in bytes.
const (
	MaxInput  = 16 << 10 // longest Input
	MaxOutput = 16 << 10 // longest Output
	MaxJSON   = 4 << 20  // longest Options, Metadata, Error and Tasks together
)

// A Job is one media job, with the fields that the API documents. Its JSON form
// is the documented object.
//
// All text is valid UTF-8. Timestamps are kept to the millisecond and read back
// in UTC; the zero time stands for null, for what has not happened.
type Job struct {
	ID     ID
	Kind   Kind   // exactly one
	Input  string // URL of the source; not empty, up to MaxInput bytes
	Output string // URL of the result; up to MaxOutput bytes
	// Options and Metadata are JSON objects, kept as they came; nil and null
	// are read back as {}.
	Options, Metadata json.RawMessage
	Status            Status // exactly one
	// Error is any JSON that says why the job failed; nil is null.
	Error json.RawMessage
	// Tasks is a JSON array; nil is none. Get and Update read it, List and All
	// leave it nil.
	Tasks json.RawMessage

	CreatedAt  time.Time
	StartedAt  time.Time // when it was first seen processing
	FinishedAt time.Time // when it first reached a final status
	UpdatedAt  time.Time

	// rest is what a later version has put into the record. Update keeps it.
	rest *record.Rest
}

// Validate returns the FieldError with which Put would refuse j, or nil.
func (j *Job) Validate() error {
	if err := j.ID.validate("id"); err != nil {
		return err
	}
	return j.validate()
}

// validate checks everything but the ID, which Create may have to make.
func (j *Job) validate() error {
	if err := j.Kind.validateOne(); err != nil {
		return err
	}
	if err := j.Status.validateOne(); err != nil {
		return err
	}
	if j.Input == "" {
		return fieldError("input", "", "is missing")
	}
	if err := validateText("input", j.Input, MaxInput); err != nil {
		return err
	}
	if err := validateText("output", j.Output, MaxOutput); err != nil {
		return err
	}
	return j.validateRest()
}

func (j *Job) validateRest() error {
	total := 0
	for _, f := range []struct {
		name   string
		raw    json.RawMessage
		open   byte   // the first character that is allowed, or 0 for any
		absent string // what is read where there is none; it takes no room
		form   string
	}{
		{"options", j.Options, '{', "{}", "a JSON object"},
		{"metadata", j.Metadata, '{', "{}", "a JSON object"},
		{"error", j.Error, 0, "null", "JSON"},
		{"tasks", j.Tasks, '[', "[]", "a JSON array"},
	} {
		if isNull(f.raw) || string(f.raw) == f.absent {
			continue
		}
		if total += len(f.raw); total > MaxJSON {
			return fieldError(f.name, "", "is too long: options, metadata, error and tasks may have %d bytes together", MaxJSON)
		}
		first := bytes.TrimLeft(f.raw, " \t\r\n")[:1]
		if f.open != 0 && first[0] != f.open || !json.Valid(f.raw) {
			return fieldError(f.name, string(f.raw), "must be %s", f.form)
		}
		if !utf8.Valid(f.raw) {
			return fieldError(f.name, "", "must be valid UTF-8")
		}
	}
	for _, f := range []struct {
		name string
		time time.Time
	}{
		{"created_at", j.CreatedAt}, {"started_at", j.StartedAt},
		{"finished_at", j.FinishedAt}, {"updated_at", j.UpdatedAt},
	} {
		if year := f.time.Year(); year < 1 || year > 9999 {
			return fieldError(f.name, "", "must be in the years 1 to 9999")
		}
	}
	return nil
}

// size returns about how many bytes the job takes.
func (j *Job) size() int {
	return len(j.ID) + len(j.Input) + len(j.Output) + len(j.Options) + len(j.Metadata) + len(j.Error) + len(j.Tasks)
}

func validateText(field, s string, longest int) error {
	if len(s) > longest {
		return fieldError(field, s, "is too long: %d bytes, %d are allowed", len(s), longest)
	}
	if !utf8.ValidString(s) {
		return fieldError(field, "", "must be valid UTF-8")
	}
	return nil
}

// isNull reports whether raw stands for nothing: absent, or the word null.
func isNull(raw json.RawMessage) bool {
	trimmed := bytes.Trim(raw, " \t\r\n")
	return len(trimmed) == 0 || string(trimmed) == "null"
}

var emptyObject = []byte("{}")

// encode returns the stored form of a valid job.
func (j *Job) encode() ([]byte, error) {
	r := record.Job{
		Kind:     j.Kind.code(),
		Status:   j.Status.code(),
		Input:    j.Input,
		Output:   j.Output,
		Options:  emptyObject,
		Metadata: emptyObject,
		Created:  milli(j.CreatedAt),
		Started:  milli(j.StartedAt),
		Finished: milli(j.FinishedAt),
		Updated:  milli(j.UpdatedAt),
		Rest:     j.rest,
	}
	if !isNull(j.Options) {
		r.Options = j.Options
	}
	if !isNull(j.Metadata) {
		r.Metadata = j.Metadata
	}
	if !isNull(j.Error) {
		r.Error = j.Error
	}
	if !isNull(j.Tasks) {
		r.Tasks = j.Tasks
	}
	return record.Encode(j.ID.suffix(), &r)
}

// decode sets j to the stored job of the key suffix. What it sets shares no
// memory with suffix and value.
func (j *Job) decode(suffix, value []byte, withTasks bool) error {
	return j.decodeInto(nil, suffix, value, withTasks)
}

// decodeInto is decode with memory from m, where that is not nil.
func (j *Job) decodeInto(m *record.Memory, suffix, value []byte, withTasks bool) error {
	var r record.Job
	id, err := record.Decode(&r, m, suffix, value, withTasks)
	if err != nil {
		return corruptf("job %q: %v", suffix, err)
	}
	if r.Kind > index.MaxCode || r.Status > index.MaxCode {
		return corruptf("job %q: kind %d, status %d", suffix, r.Kind, r.Status)
	}
	*j = Job{
		ID:         ID(id),
		Kind:       kindOfCode(r.Kind),
		Input:      r.Input,
		Output:     r.Output,
		Options:    r.Options,
		Metadata:   r.Metadata,
		Status:     statusOfCode(r.Status),
		Error:      r.Error,
		Tasks:      r.Tasks,
		CreatedAt:  timeOf(r.Created),
		StartedAt:  timeOf(r.Started),
		FinishedAt: timeOf(r.Finished),
		UpdatedAt:  timeOf(r.Updated),
		rest:       r.Rest,
	}
	return nil
}

// stamp sets the timestamps that follow from a change at now, and brings the
// others to the form in which they will be read back.
func (j *Job) stamp(now time.Time) {
	j.UpdatedAt = now
	if j.Status == StatusProcessing && j.StartedAt.IsZero() {
		j.StartedAt = now
	}
	if j.Status.Final() && j.FinishedAt.IsZero() {
		j.FinishedAt = now
	}
	for _, t := range []*time.Time{&j.CreatedAt, &j.StartedAt, &j.FinishedAt, &j.UpdatedAt} {
		*t = timeOf(milli(*t))
	}
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return record.NoTime
	}
	return t.UnixMilli()
}

func timeOf(milli int64) time.Time {
	if milli == record.NoTime {
		return time.Time{}
	}
	return time.UnixMilli(milli).UTC()
}
