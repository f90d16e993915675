package jobstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the documented JSON object of j to dst: the 13 fields in
// the documented order, then "tasks" when they were read. Raw fields stand as
// they came, spaces and all. It is what MarshalJSON returns, without the second
// pass that encoding/json makes over it.
//
// It does not validate j: a job that came from a Store gives valid JSON.
func (j *Job) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, string(j.ID))
	dst = append(dst, `,"object":"job","kind":`...)
	dst = appendString(dst, j.Kind.String())
	dst = append(dst, `,"input":`...)
	dst = appendString(dst, j.Input)
	dst = append(dst, `,"output":`...)
	dst = appendStringOrNull(dst, j.Output)
	dst = append(dst, `,"options":`...)
	dst = appendRaw(dst, j.Options, "{}")
	dst = append(dst, `,"metadata":`...)
	dst = appendRaw(dst, j.Metadata, "{}")
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, j.Status.String())
	dst = append(dst, `,"error":`...)
	dst = appendRaw(dst, j.Error, "null")
	dst = append(dst, `,"created_at":`...)
	dst = appendTime(dst, j.CreatedAt)
	dst = append(dst, `,"started_at":`...)
	dst = appendTime(dst, j.StartedAt)
	dst = append(dst, `,"finished_at":`...)
	dst = appendTime(dst, j.FinishedAt)
	dst = append(dst, `,"updated_at":`...)
	dst = appendTime(dst, j.UpdatedAt)
	if j.Tasks != nil {
		dst = append(dst, `,"tasks":`...)
		dst = appendRaw(dst, j.Tasks, "[]")
	}
	return append(dst, '}')
}

// MarshalJSON returns the documented JSON object of j.
func (j Job) MarshalJSON() ([]byte, error) {
	return j.AppendJSON(nil), nil
}

// UnmarshalJSON sets j to what the documented JSON object says; the fields that
// it does not name become zero. Unknown fields are ignored; a field of another
// type, a kind or status that is not documented and an object other than "job" are
// a FieldError. Validate says whether the job can be stored.
func (j *Job) UnmarshalJSON(data []byte) error {
	var w struct {
		ID         ID              `json:"id"`
		Object     *string         `json:"object"`
		Kind       string          `json:"kind"`
		Input      string          `json:"input"`
		Output     string          `json:"output"`
		Options    json.RawMessage `json:"options"`
		Metadata   json.RawMessage `json:"metadata"`
		Status     string          `json:"status"`
		Error      json.RawMessage `json:"error"`
		CreatedAt  *int64          `json:"created_at"`
		StartedAt  *int64          `json:"started_at"`
		FinishedAt *int64          `json:"finished_at"`
		UpdatedAt  *int64          `json:"updated_at"`
		Tasks      json.RawMessage `json:"tasks"`
	}
	if string(data) == "null" {
		return nil // as in encoding/json, null changes nothing
	}
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: job is not valid UTF-8", ErrInvalid)
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return jsonError(err)
	}
	for name, text := range map[string]string{"id": string(w.ID), "input": w.Input, "output": w.Output} {
		if isMangled(text, data) {
			return fieldError(name, text, "must not hold half a surrogate pair")
		}
	}
	if w.Object != nil && *w.Object != "job" {
		return fieldError("object", *w.Object, `must be "job"`)
	}
	job := Job{
		ID: w.ID, Input: w.Input, Output: w.Output,
		Options: orNil(w.Options), Metadata: orNil(w.Metadata), Error: orNil(w.Error), Tasks: orNil(w.Tasks),
		CreatedAt: timeOrZero(w.CreatedAt), StartedAt: timeOrZero(w.StartedAt),
		FinishedAt: timeOrZero(w.FinishedAt), UpdatedAt: timeOrZero(w.UpdatedAt),
	}
	var err error
	if w.Kind != "" {
		if job.Kind, err = ParseKind(w.Kind); err != nil {
			return err
		}
	}
	if w.Status != "" {
		if job.Status, err = ParseStatus(w.Status); err != nil {
			return err
		}
	}
	*j = job
	return nil
}

// jsonError turns an error of encoding/json into ours, naming the field.
func jsonError(err error) error {
	var typeErr *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &typeErr):
		return fmt.Errorf("%w: job is not valid JSON: %v", ErrInvalid, err)
	case typeErr.Field == "":
		return fieldError("job", typeErr.Value, "must be a JSON object")
	case typeErr.Type.Kind() == reflect.Int64:
		return fieldError(typeErr.Field, typeErr.Value, "must be a whole number of Unix milliseconds, or null")
	}
	return fieldError(typeErr.Field, typeErr.Value, "must be a JSON string")
}

// isMangled reports whether decoding put U+FFFD into text for what data has no
// such character for: half a surrogate pair, such as \ud800.
func isMangled(text string, data []byte) bool {
	return strings.ContainsRune(text, utf8.RuneError) && !bytes.ContainsRune(data, utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(data), []byte(`\ufffd`))
}

func orNil(raw json.RawMessage) json.RawMessage {
	if isNull(raw) {
		return nil
	}
	return raw
}

func timeOrZero(milli *int64) time.Time {
	if milli == nil {
		return time.Time{}
	}
	return time.UnixMilli(*milli).UTC()
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, t.UnixMilli(), 10)
}

func appendRaw(dst []byte, raw json.RawMessage, absent string) []byte {
	if len(raw) == 0 {
		return append(dst, absent...)
	}
	return append(dst, raw...)
}

func appendStringOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}

// plain tells the bytes that stand for themselves in a JSON string.
var plain = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// appendString appends s as a JSON string. It escapes what JSON must have
// escaped, and U+2028 and U+2029 for JavaScript; invalid UTF-8 becomes U+FFFD,
// as in encoding/json.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			dst = append(dst, s[start:i]...)
			dst = fmt.Appendf(dst, `\u%04x`, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
