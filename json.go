package jobstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jobstore/jobstore/internal/strictjson"
)

// AppendJSON appends the documented JSON object of j to dst: the 13 fields in
// the documented order, then "tasks" if they were read. Raw fields are appended
// unchanged, with their white space. The result is that of MarshalJSON; json.Marshal
// would check and compact it once more, which takes longer.
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

// UnmarshalJSON sets j to what the documented JSON object says. Fields that it does
// not name become zero. Names are compared exactly: KIND is not kind. Unknown fields
// are ignored.
//
// It fails with a [FieldError] for a name that is repeated, a field of another type, a
// kind or status that is not documented, and an object other than "job". It also fails
// with one for text that is not valid JSON or not valid UTF-8, for half a surrogate
// pair in any string, and for a field that is nested deeper than [MaxJSONDepth]; the
// Reason then names the place. After an error j is unchanged.
//
// It does not check that the job is complete: Validate does.
func (j *Job) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as in encoding/json, null changes nothing
	}
	if text := bytes.TrimLeft(data, " \t\r\n"); len(text) > 0 && text[0] != '{' {
		return fieldError("job", jsonType(text), "must be a JSON object")
	}
	var job Job
	seen := map[string]bool{}
	err := strictjson.Members(data, func(name string, value []byte) error {
		if seen[name] {
			return fieldError(name, "", "must not be given more than once")
		}
		seen[name] = true
		return job.setMember(name, value)
	})
	if fault, ok := errors.AsType[*strictjson.Error](err); ok {
		return jobFault(fault)
	}
	if err != nil {
		return err
	}
	*j = job
	return nil
}

// setMember sets the field of this name to a JSON value.
func (j *Job) setMember(name string, value []byte) (err error) {
	switch name {
	case "id":
		var id string
		id, err = stringMember(name, value)
		j.ID = ID(id)
	case "object":
		var object string
		if object, err = stringMember(name, value); err == nil && object != "job" && !isNull(value) {
			err = fieldError(name, object, `must be "job"`)
		}
	case "kind":
		var word string
		if word, err = stringMember(name, value); err == nil && word != "" {
			j.Kind, err = ParseKind(word)
		}
	case "input":
		j.Input, err = stringMember(name, value)
	case "output":
		j.Output, err = stringMember(name, value)
	case "options":
		j.Options = rawMember(value)
	case "metadata":
		j.Metadata = rawMember(value)
	case "status":
		var word string
		if word, err = stringMember(name, value); err == nil && word != "" {
			j.Status, err = ParseStatus(word)
		}
	case "error":
		j.Error = rawMember(value)
	case "created_at":
		j.CreatedAt, err = timeMember(name, value)
	case "started_at":
		j.StartedAt, err = timeMember(name, value)
	case "finished_at":
		j.FinishedAt, err = timeMember(name, value)
	case "updated_at":
		j.UpdatedAt, err = timeMember(name, value)
	case "tasks":
		j.Tasks = rawMember(value)
	}
	return err
}

func stringMember(name string, value []byte) (string, error) {
	switch {
	case isNull(value):
		return "", nil
	case value[0] != '"':
		return "", fieldError(name, jsonType(value), "must be a JSON string")
	}
	return strictjson.Unquote(value), nil
}

// rawMember returns a copy of value, which belongs to the caller, and nil for null.
func rawMember(value []byte) json.RawMessage {
	if isNull(value) {
		return nil
	}
	return bytes.Clone(value)
}

func timeMember(name string, value []byte) (time.Time, error) {
	if isNull(value) {
		return time.Time{}, nil
	}
	milli, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		given := jsonType(value)
		if given == "number" {
			given += " " + string(value)
		}
		return time.Time{}, fieldError(name, given, "must be a whole number of Unix milliseconds, or null")
	}
	t := time.UnixMilli(milli).UTC()
	if t.IsZero() { // it would be read back as null
		return time.Time{}, fieldError(name, string(value), jobTimes)
	}
	return t, nil
}

// jsonType returns the type of a JSON value that is not null.
func jsonType(value []byte) string {
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	}
	return "number"
}

// jobFault returns the error for a fault in the JSON text of a job.
func jobFault(fault *strictjson.Error) error {
	path := strings.TrimPrefix(fault.Path, ".")
	field := path
	if i := strings.IndexAny(path, ".["); i >= 0 {
		field = path[:i]
	}
	if field == "" || field[0] == '"' {
		field = "job"
	}
	return fieldError(field, "", "is not valid JSON: %s", faultAt(field, path, fault))
}

// faultAt returns the reason of a fault with its place, at path in a field.
func faultAt(field, path string, fault *strictjson.Error) string {
	if path == field || path == "" {
		return fmt.Sprintf("%s (byte %d)", fault.Reason, fault.Offset)
	}
	return fmt.Sprintf("%s (byte %d, in %s)", fault.Reason, fault.Offset, path)
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

// plain says which bytes need no escape in a JSON string.
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
