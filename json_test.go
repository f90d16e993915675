package jobstore_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

// documentedJob is the object on the page of the list call.
const documentedJob = `{
    "id": "job_abc123",
    "object": "job",
    "kind": "video",
    "input": "https://example.com/video.mp4",
    "output": "https://store.ittybit.net/org_123/video.mp4",
    "options": { "format": "mp4", "quality": "high" },
    "metadata": {},
    "status": "succeeded",
    "error": null,
    "created_at": 1711900000000,
    "started_at": 1711900001000,
    "finished_at": 1711900045000,
    "updated_at": 1711900045000
  }`

// documentedFields are its fields in its order.
var documentedFields = []string{
	"id", "object", "kind", "input", "output", "options", "metadata", "status", "error",
	"created_at", "started_at", "finished_at", "updated_at",
}

// TestDocumentedJob puts the documented object into a store and lists it.
func TestDocumentedJob(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	job := jobstore.Job{
		ID:     "job_abc123",
		Kind:   jobstore.KindVideo,
		Input:  "https://example.com/video.mp4",
		Output: "https://store.ittybit.net/org_123/video.mp4",

		Options:    json.RawMessage(`{ "format": "mp4", "quality": "high" }`),
		Status:     jobstore.StatusSucceeded,
		CreatedAt:  time.UnixMilli(1711900000000),
		StartedAt:  time.UnixMilli(1711900001000),
		FinishedAt: time.UnixMilli(1711900045000),
		UpdatedAt:  time.UnixMilli(1711900045000),
	}
	require.NoError(t, s.Put(t.Context(), &job))
	page, err := s.List(t.Context(), jobstore.Query{})
	require.NoError(t, err)
	text, err := json.Marshal(page.Jobs)
	require.NoError(t, err)
	require.JSONEq(t, "["+documentedJob+"]", string(text))
	require.Equal(t, documentedFields, fieldsOf(t, text[1:len(text)-1]))

	var want bytes.Buffer
	require.NoError(t, json.Compact(&want, []byte("["+documentedJob+"]")))
	require.Equal(t, want.String(), string(text), "as text too, but for the spaces")

	// And from its JSON.
	var read jobstore.Job
	require.NoError(t, json.Unmarshal([]byte(documentedJob), &read))
	require.NoError(t, s.Put(t.Context(), &read))
	page, err = s.List(t.Context(), jobstore.Query{Kind: jobstore.KindVideo, Limit: 10})
	require.NoError(t, err)
	again, err := json.Marshal(page.Jobs)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
}

// fieldsOf returns the names of the fields of a JSON object, in their order.
func fieldsOf(t require.TestingT, object []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	token, err := dec.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), token)
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
	}
	return names
}

// jobAsStruct is the documented object for encoding/json to write, against
// which our own writer is held.
type jobAsStruct struct {
	ID         string          `json:"id"`
	Object     string          `json:"object"`
	Kind       string          `json:"kind"`
	Input      string          `json:"input"`
	Output     *string         `json:"output"`
	Options    json.RawMessage `json:"options"`
	Metadata   json.RawMessage `json:"metadata"`
	Status     string          `json:"status"`
	Error      json.RawMessage `json:"error"`
	CreatedAt  *int64          `json:"created_at"`
	StartedAt  *int64          `json:"started_at"`
	FinishedAt *int64          `json:"finished_at"`
	UpdatedAt  *int64          `json:"updated_at"`
	Tasks      json.RawMessage `json:"tasks,omitempty"`
}

func asStruct(j jobstore.Job) jobAsStruct {
	milli := func(t time.Time) *int64 {
		if t.IsZero() {
			return nil
		}
		n := t.UnixMilli()
		return &n
	}
	s := jobAsStruct{
		ID: string(j.ID), Object: "job", Kind: j.Kind.String(), Input: j.Input,
		Options: j.Options, Metadata: j.Metadata, Status: j.Status.String(), Error: j.Error,
		CreatedAt: milli(j.CreatedAt), StartedAt: milli(j.StartedAt),
		FinishedAt: milli(j.FinishedAt), UpdatedAt: milli(j.UpdatedAt), Tasks: j.Tasks,
	}
	if j.Output != "" {
		s.Output = &j.Output
	}
	if s.Options == nil {
		s.Options = json.RawMessage("{}")
	}
	if s.Metadata == nil {
		s.Metadata = json.RawMessage("{}")
	}
	return s
}

// TestAppendJSON holds the JSON of any job to what encoding/json writes.
func TestAppendJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := rapid.Custom(drawJSONJob).Draw(t, "job")
		text := j.AppendJSON([]byte("before "))
		require.True(t, bytes.HasPrefix(text, []byte("before ")), "it appends")
		text = text[len("before "):]
		require.True(t, json.Valid(text), "%s", text)

		want, err := json.Marshal(asStruct(j))
		require.NoError(t, err)
		require.Equal(t, decoded(t, want), decoded(t, text))
		fields := documentedFields
		if j.Tasks != nil {
			fields = append(fields[:len(fields):len(fields)], "tasks")
		}
		require.Equal(t, fields, fieldsOf(t, text))
		for _, raw := range []json.RawMessage{j.Options, j.Metadata, j.Error, j.Tasks} {
			require.Contains(t, string(text), string(raw), "raw fields stand as they came")
		}
		marshaled, err := j.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(text), string(marshaled))
		_, err = json.Marshal(j)
		require.NoError(t, err)

		var back jobstore.Job
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, string(text), string(back.AppendJSON(nil)), "the round trip loses nothing")
		if j.Options != nil && j.Metadata != nil {
			require.Equal(t, j, back)
		}
	})
}

// TestAppendJSONStrings holds every string, valid or not, to encoding/json.
func TestAppendJSONStrings(t *testing.T) {
	check := func(t require.TestingT, s string) {
		j := jobstore.Job{Input: s}
		text := j.AppendJSON(nil)
		var got struct{ Input string }
		require.NoError(t, json.Unmarshal(text, &got), "%q: %s", s, text)
		want, err := json.Marshal(s)
		require.NoError(t, err)
		var wanted string
		require.NoError(t, json.Unmarshal(want, &wanted))
		require.Equal(t, wanted, got.Input, "%q", s)
		for _, c := range text {
			require.GreaterOrEqual(t, c, byte(' '), "%q: control characters are escaped", s)
		}
		require.NotContains(t, string(text), "\u2028", "line separators are escaped")
		require.NotContains(t, string(text), "\u2029")
	}
	for c := range 256 {
		check(t, string([]byte{byte(c)}))
		check(t, "a"+string([]byte{byte(c)})+"é")
	}
	for _, s := range []string{
		`"\/` + "\b\f\n\r\t\x00\x1f\x7f", "<script>&amp;</script>", "\u2028\u2029\ufeff\ufffd\uffff\U0010ffff",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "日本語\xe6\x97", "😀",
	} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "s")) })
	rapid.Check(t, func(t *rapid.T) { check(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))) })
}

func drawJSONJob(t *rapid.T) jobstore.Job {
	raw := func(name string, texts ...string) json.RawMessage {
		text := rapid.SampledFrom(texts).Draw(t, name)
		if text == "" {
			return nil
		}
		return json.RawMessage(text)
	}
	at := func(name string) time.Time {
		if !rapid.Bool().Draw(t, name) {
			return time.Time{}
		}
		return time.UnixMilli(rapid.Int64Range(-62135596799999, 253402300799999).Draw(t, name)).UTC()
	}
	return jobstore.Job{
		ID:        jobstore.ID(rapid.StringMatching(`job_[0-9A-Za-z_-]{1,64}`).Draw(t, "id")),
		Kind:      jobstore.Kind(1 << rapid.IntRange(0, 4).Draw(t, "kind")),
		Status:    jobstore.Status(1 << rapid.IntRange(0, 4).Draw(t, "status")),
		Input:     rapid.String().Draw(t, "input"),
		Output:    rapid.String().Draw(t, "output"),
		Options:   raw("options", "", "{}", `{ "a" : [1, 2.50] }`, `{"\u00e9":"é \ud83d\ude00"}`),
		Metadata:  raw("metadata", "", "{}", `{"a":{"b":null}}`),
		Error:     raw("error", "", `"text"`, "0", "false", `{"kind":"x", "kind":"y"}`),
		Tasks:     raw("tasks", "", "[]", `[ {"id": "task_1"} ]`),
		CreatedAt: at("created"), StartedAt: at("started"), FinishedAt: at("finished"), UpdatedAt: at("updated"),
	}
}

func decoded(t require.TestingT, text []byte) (v map[string]any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v), "%s", text)
	return v
}

func TestUnmarshalJSON(t *testing.T) {
	stale := jobstore.Job{ID: "job_old", Output: "old", Tasks: json.RawMessage("[]"), CreatedAt: time.Now()}

	j := stale
	require.NoError(t, json.Unmarshal([]byte(`{}`), &j))
	require.Equal(t, jobstore.Job{}, j, "fields that are not named become zero")

	j = stale
	require.NoError(t, json.Unmarshal([]byte(`{
		"input": "s3://a/b.mov", "kind": "video", "output": null, "options": null, "error": null, "tasks": null,
		"created_at": null, "progress": 0.5, "tags": ["new"], "object": "job"
	}`), &j))
	require.Equal(t, jobstore.Job{Input: "s3://a/b.mov", Kind: jobstore.KindVideo}, j)

	j = stale
	require.NoError(t, json.Unmarshal([]byte(`{"created_at":0,"updated_at":-1,"error":"text","tasks":[ ]}`), &j))
	require.Equal(t, jobstore.Job{
		CreatedAt: time.UnixMilli(0).UTC(), UpdatedAt: time.UnixMilli(-1).UTC(),
		Error: json.RawMessage(`"text"`), Tasks: json.RawMessage("[ ]"),
	}, j)

	for _, c := range []struct{ text, field string }{
		{`{"object":"task"}`, "object"},
		{`{"kind":"movie"}`, "kind"},
		{`{"kind":7}`, "kind"},
		{`{"status":"done"}`, "status"},
		{`{"status":{}}`, "status"},
		{`{"id":7}`, "id"},
		{`{"input":["a"]}`, "input"},
		{`{"output":false}`, "output"},
		{`{"created_at":"2024-01-01T00:00:00Z"}`, "created_at"},
		{`{"started_at":1.5}`, "started_at"},
		{`{"finished_at":1e400}`, "finished_at"},
		{`{"updated_at":9223372036854775808}`, "updated_at"},
		{`[]`, ""},
		{`"job"`, ""},
		{"{\"input\":\"\xff\"}", ""},
	} {
		j := stale
		err := json.Unmarshal([]byte(c.text), &j)
		require.ErrorIs(t, err, jobstore.ErrInvalid, c.text)
		if c.field != "" {
			requireFieldError(t, err, c.field, c.text)
		}
		require.Equal(t, stale, j, "untouched by %s", c.text)
	}

	// What cannot be stored is refused when it is stored.
	j = jobstore.Job{}
	require.NoError(t, json.Unmarshal([]byte(`{"id":"nonsense","kind":"video","input":"a","created_at":9223372036854775807}`), &j))
	s := openStore(t, storePath(t), nil)
	require.ErrorIs(t, s.Create(t.Context(), &j), jobstore.ErrInvalid)
}

// TestJSONThroughStore sends jobs through a store and back as JSON.
func TestJSONThroughStore(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	rapid.Check(t, func(t *rapid.T) {
		j := rapid.Custom(drawJSONJob).Draw(t, "job")
		j.Input += "x"
		require.NoError(t, s.Put(t.Context(), &j))
		got, err := s.Get(t.Context(), j.ID)
		require.NoError(t, err)
		require.Equal(t, string(j.AppendJSON(nil)), string(got.AppendJSON(nil)))
	})
}
