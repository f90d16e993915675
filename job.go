package jobstore

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/jobstore/jobstore/internal/strictjson"
)

// Bounds of a job's fields, in bytes.
const (
	MaxInput  = 16 << 10 // longest Input
	MaxOutput = 16 << 10 // longest Output
	MaxJSON   = 4 << 20  // longest Options, Metadata, Error and Tasks together
)

// MaxJSONDepth is the deepest nesting of Options, Metadata, Error and Tasks, each by
// itself. An array or object that is inside no other has depth 1.
const MaxJSONDepth = strictjson.MaxDepth

// A Job is one media job, with the fields that the API documents. Its JSON form
// is the documented object.
//
// All text is valid UTF-8, and no string in the JSON holds half a surrogate
// pair.
//
// Timestamps are kept to the millisecond and read back in UTC. The zero time means
// that something has not happened, and is null in JSON. All other times are from
// 0001-01-01T00:00:00.001Z to 9999-12-31T23:59:59.999Z.
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
	rest *recordRest
}

// Validate returns the [FieldError] with which [Store.Put] would refuse j, or nil.
func (j *Job) Validate() error {
	if err := j.ID.validate("id"); err != nil {
		return err
	}
	return j.validate()
}

// validate checks everything but the ID: a draft may have none yet.
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
		absent string // how an absent value is read; it does not count towards MaxJSON
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
		if first := bytes.TrimLeft(f.raw, " \t\r\n")[0]; f.open != 0 && first != f.open {
			return fieldError(f.name, string(f.raw), "must be %s", f.form)
		}
		if fault := strictjson.Check(f.raw); fault != nil {
			return fieldError(f.name, string(f.raw), "must be %s: %s", f.form, faultAt(f.name, f.name+fault.Path, fault))
		}
	}
	for _, f := range []struct {
		name string
		time time.Time
	}{
		{"created_at", j.CreatedAt}, {"started_at", j.StartedAt},
		{"finished_at", j.FinishedAt}, {"updated_at", j.UpdatedAt},
	} {
		if !f.time.IsZero() && !isJobTime(f.time) {
			return fieldError(f.name, f.time.String(), jobTimes)
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
	if i := invalidUTF8(s); i >= 0 {
		return fieldError(field, "", "must be valid UTF-8: byte %d is not", i)
	}
	return nil
}

// invalidUTF8 returns the offset of the first byte of s that is not valid UTF-8, or
// -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// isNull reports whether raw is absent or null.
func isNull(raw json.RawMessage) bool {
	trimmed := bytes.Trim(raw, " \t\r\n")
	return len(trimmed) == 0 || string(trimmed) == "null"
}

// Draft returns a copy of j as [Store.Create] and [Store.CreateOnce] store it: with
// the status queued if j has none. The engine then mints the ID, if j has none, and
// sets the timestamps. Draft fails with a [FieldError] for a job that cannot be
// stored. If mintedOnly is set, j must have no ID. It is for engines.
func (j *Job) Draft(mintedOnly bool) (Job, error) {
	if j == nil {
		return Job{}, fieldError("job", "", "is nil")
	}
	draft := *j
	draft.rest = nil // it belongs to the job that j was read from
	if draft.Status == 0 {
		draft.Status = StatusQueued
	}
	if err := draft.validate(); err != nil {
		return Job{}, err
	}
	if draft.ID == "" {
		return draft, nil
	}
	if mintedOnly {
		return Job{}, errGivenID(draft.ID)
	}
	return draft, draft.ID.validate("id")
}

// errGivenID is the refusal of an ID under Options.MintedOnly.
func errGivenID(id ID) error {
	return fieldError("id", string(id), "must be left out, as this store takes only IDs that it mints")
}

// StampCreated sets the timestamps of a draft that is created at now. CreatedAt
// stays if it is set. It is for engines.
func (j *Job) StampCreated(now time.Time) {
	if j.CreatedAt.IsZero() {
		j.CreatedAt = now
	}
	j.StampUpdated(now)
}

// StampUpdated sets the timestamps that follow from a change at now, and rounds all
// of them down to the millisecond, in UTC, as they are read back. It is for engines.
func (j *Job) StampUpdated(now time.Time) {
	j.UpdatedAt = now
	if j.Status == StatusProcessing && j.StartedAt.IsZero() {
		j.StartedAt = now
	}
	if j.Status.Final() && j.FinishedAt.IsZero() {
		j.FinishedAt = now
	}
	for _, t := range []*time.Time{&j.CreatedAt, &j.StartedAt, &j.FinishedAt, &j.UpdatedAt} {
		if !t.IsZero() {
			*t = time.UnixMilli(t.UnixMilli()).UTC()
		}
	}
}

// ValidateClock returns a [FieldError] unless a job can have the time now as one of
// its timestamps. Engines call it with what their clock says before they store it.
func ValidateClock(now time.Time) error {
	if !isJobTime(now) {
		return fieldError("Options.Now", now.String(), jobTimes)
	}
	return nil
}

const jobTimes = "must be from 0001-01-01T00:00:00.001Z to 9999-12-31T23:59:59.999Z"

// Timestamps are in [firstJobTime, endOfTimes). The millisecond before firstJobTime
// is the zero time, which is null.
var (
	firstJobTime = time.Time{}.Add(time.Millisecond)
	endOfTimes   = time.Date(10000, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// isJobTime reports whether a job can have t as one of its timestamps.
func isJobTime(t time.Time) bool {
	return !t.Before(firstJobTime) && t.Before(endOfTimes)
}
