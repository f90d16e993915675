package jobstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// deep returns an array that is nested this deep.
func deep(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// badJSON are values of which encoding/json takes some and changes others, with the
// path of the place that is refused.
var badJSON = []struct{ value, path, reason string }{
	{`{"a":{"b":[1,"\ud800"]}}`, ".a.b[1]", "half a surrogate pair"},
	{`{"\udfff":1}`, "", "half a surrogate pair"},
	{"{\"a\":\"\xff\"}", ".a", "UTF-8"},
	{"{\"\xc3\":1}", "", "UTF-8"},
	{`{"a":` + deep(jobstore.MaxJSONDepth) + `}`, "", "1000 deep"},
	{`{"a":` + deep(10_000) + `}`, "", "1000 deep"},
	{`{"a":[1,]}`, ".a[1]", "a value must start"},
	{`{"a":1 "b":2}`, ".a", "a comma"},
}

// TestJSONRefusedWherever puts bad values into every field that takes JSON, both as a
// job and as its JSON text: all are refused, and the error names the place.
func TestJSONRefusedWherever(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	for _, c := range badJSON {
		for _, field := range []string{"options", "metadata", "error", "tasks"} {
			value, path := c.value, c.path
			if field == "tasks" {
				value, path = "["+value+"]", "[0]"+path
			}
			job := newJob("job_a")
			*map[string]*json.RawMessage{
				"options": &job.Options, "metadata": &job.Metadata, "error": &job.Error, "tasks": &job.Tasks,
			}[field] = json.RawMessage(value)
			var read jobstore.Job
			for what, err := range map[string]error{
				"Validate":      job.Validate(),
				"Put":           s.Put(t.Context(), job),
				"UnmarshalJSON": read.UnmarshalJSON(fmt.Appendf(nil, `{"id":"job_a","%s": %s}`, field, value)),
			} {
				requireFieldError(t, err, field, "%s of %s: %.60q", what, field, value)
				require.ErrorContains(t, err, c.reason)
				if path != "" && c.reason != "1000 deep" {
					require.ErrorContains(t, err, "in "+field+path, what)
				}
				require.ErrorContains(t, err, "(byte ", what)
				require.Less(t, len(err.Error()), 300, "it fits a log line")
			}
		}
	}
	// In a field that is ignored too, or in a name.
	for _, text := range []string{`{"x":"\ud800"}`, `{"x":` + deep(jobstore.MaxJSONDepth+1) + `}`, `{"\ud800":1}`, "{\"\xff\":1}"} {
		require.ErrorIs(t, new(jobstore.Job).UnmarshalJSON([]byte(text)), jobstore.ErrInvalid, "%.60q", text)
	}
}

// TestDeepestJSON stores what is nested as deep as it may be: it can be read, listed,
// marshaled and read back.
func TestDeepestJSON(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	job := newJob("job_a")
	object := strings.Repeat(`{"a":`, jobstore.MaxJSONDepth) + "1" + strings.Repeat("}", jobstore.MaxJSONDepth)
	job.Options, job.Metadata = json.RawMessage(object), json.RawMessage(object)
	job.Error, job.Tasks = json.RawMessage(deep(jobstore.MaxJSONDepth)), json.RawMessage(deep(jobstore.MaxJSONDepth))
	require.NoError(t, s.Create(t.Context(), job))
	got, err := s.Get(t.Context(), "job_a")
	require.NoError(t, err)
	text, err := json.Marshal([]jobstore.Job{got})
	require.NoError(t, err)
	var back []jobstore.Job
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, got, back[0])
	require.NoError(t, back[0].Validate())
}

// Names are compared exactly and stand once in a job. In metadata they are free.
func TestUnmarshalJSONNames(t *testing.T) {
	var job jobstore.Job
	require.NoError(t, job.UnmarshalJSON([]byte(`{"KIND":"video","Input":7,"ID":"x","\u006bind":"audio","Created_At":"x"}`)))
	require.Equal(t, jobstore.Job{Kind: jobstore.KindAudio}, job)
	for text, name := range map[string]string{
		`{"kind":"video","kind":"video"}`:            "kind",
		`{"metadata":{},"metadata":{"a":1}}`:         "metadata",
		`{"input":"a","\u0069nput":"b"}`:             "input",
		`{"error":null,"output":null,"error":null}`:  "error",
		`{"unknown":1,"kind":"video","unknown":{}}`:  "unknown",
		`{"created_at":1,"created_at":1,"tasks":[]}`: "created_at",
	} {
		err := job.UnmarshalJSON([]byte(text))
		requireFieldError(t, err, name, text)
		require.ErrorContains(t, err, "more than once")
		require.Equal(t, jobstore.Job{Kind: jobstore.KindAudio}, job, "untouched")
	}
	require.NoError(t, job.UnmarshalJSON([]byte(`{"metadata":{"a":1,"a":2,"A":3}}`)))
	require.Equal(t, `{"a":1,"a":2,"A":3}`, string(job.Metadata))
}

// The zero time stands for null, so that its number is no time that a job can have.
func TestUnmarshalJSONTimes(t *testing.T) {
	for _, field := range []string{"created_at", "started_at", "finished_at", "updated_at"} {
		var job jobstore.Job
		requireFieldError(t, job.UnmarshalJSON([]byte(`{"`+field+`":-62135596800000}`)), field)
		for milli, valid := range map[int64]bool{
			-62135596799999: true, 253402300799999: true, -62135596800001: false, 253402300800000: false, 1<<63 - 1: false, -1 << 63: false,
		} {
			job := newJob("job_a")
			text := fmt.Sprintf(`{"id":"job_a","kind":"video","status":"queued","input":"x",%q:%d}`, field, milli)
			require.NoError(t, job.UnmarshalJSON([]byte(text)), text)
			if err := job.Validate(); !valid {
				requireFieldError(t, err, field, text)
				continue
			} else {
				require.NoError(t, err, text)
			}
			require.Contains(t, string(job.AppendJSON(nil)), fmt.Sprintf(`%q:%d`, field, milli))
		}
	}
}

// What encoding/json would change or word in its own terms is a FieldError.
func TestUnmarshalJSONRefuses(t *testing.T) {
	for data, want := range map[string]string{
		`{"input":"https://example.com/\ud800.mp4"}`: `input is not valid JSON: a string must not hold half a surrogate pair (byte 30)`,
		`{"created_at":""}`:                          `created_at "string" must be a whole number of Unix milliseconds, or null`,
		`{"created_at":1.5}`:                         `created_at "number 1.5" must be a whole number of Unix milliseconds, or null`,
		`{"input":7}`:                                `input "number" must be a JSON string`,
		`[]`:                                         `job "array" must be a JSON object`,
		`{"kind":"film"}`:                            `kind "film" must be video, audio, image, animation or adaptive_video`,
		`{"object":"task"}`:                          `object "task" must be "job"`,
	} {
		var job jobstore.Job
		err := json.Unmarshal([]byte(data), &job)
		require.ErrorIs(t, err, jobstore.ErrInvalid, data)
		require.EqualError(t, err, "jobstore: "+want, data)
	}
	for _, data := range []string{`{"input":"\ufffd"}`, "{\"input\":\"\ufffd\"}", `{"input":"\ud83d\ude00"}`} {
		var job jobstore.Job
		require.NoError(t, json.Unmarshal([]byte(data), &job), data)
	}
}
