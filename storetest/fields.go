package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// testFieldsKept puts unusual JSON and text, and reads the same bytes back.
func testFieldsKept(t *testing.T, open Factory) {
	f := newFixture(t, open)
	for _, object := range []string{
		`{}`, `{ }`, " {\n\t\"a\" : 1 } \n", `{"b":1,"a":2,"b":3}`, `{"n":1e400,"m":0.10,"big":12345678901234567890}`,
		`{"text":"\u00e9 é \ud83d\ude00 😀 \/ <>&"}`, `{"":null,"deep":[[[[{}]]]]}`,
		`{"long":"` + strings.Repeat("x", 200_000) + `"}`,
	} {
		j := newJob("job_a")
		j.Options, j.Metadata, j.Error = json.RawMessage(object), json.RawMessage(object), json.RawMessage(object)
		j.Tasks = json.RawMessage("[" + object + " ]")
		f.put(j)
		got := f.get("job_a")
		require.Equal(t, object, string(got.Options))
		require.Equal(t, object, string(got.Metadata))
		require.Equal(t, object, string(got.Error))
		require.Equal(t, "["+object+" ]", string(got.Tasks))
	}
	for _, text := range []string{`"text"`, "0", "-1.5e3", "true", "false", "[]", `{"kind":"x"}`} {
		j := newJob("job_a")
		j.Error = json.RawMessage(text)
		f.put(j)
		require.Equal(t, text, string(f.get("job_a").Error), "an error is any JSON")
	}
	for _, text := range []string{"a", "\x00\x01\x7f", "\u2028\ufeff\ufffd", "日本語 😀", strings.Repeat("ü", 8192)} {
		j := newJob("job_a")
		j.Input, j.Output = text, text
		f.put(j)
		require.Equal(t, asRead(*j), f.get("job_a"))
	}
}

// testFieldsAbsent puts an absent value in all its forms. They read back the same.
func testFieldsAbsent(t *testing.T, open Factory) {
	f := newFixture(t, open)
	for _, nothing := range []json.RawMessage{nil, {}, json.RawMessage("null"), json.RawMessage(" \n"), json.RawMessage(" null ")} {
		j := newJob("job_a")
		j.Options, j.Metadata, j.Error, j.Tasks = nothing, nothing, nothing, nothing
		f.put(j)
		for _, got := range []jobstore.Job{f.get("job_a"), f.list(jobstore.Query{}).Jobs[0]} {
			require.Equal(t, "{}", string(got.Options), "%q", nothing)
			require.Equal(t, "{}", string(got.Metadata), "%q", nothing)
			require.Nil(t, got.Error, "%q", nothing)
			require.Nil(t, got.Tasks, "%q", nothing)
			require.Empty(t, got.Output)
		}
	}
	j := newJob("job_a")
	j.Tasks = json.RawMessage("[]")
	f.put(j)
	require.Equal(t, "[]", string(f.get("job_a").Tasks), "no tasks is not the same as none given")
}

func testFieldTimes(t *testing.T, open Factory) {
	f := newFixture(t, open)
	east := time.FixedZone("east", 9*3600)
	for _, c := range []struct{ given, want time.Time }{
		{time.Time{}, time.Time{}},
		{time.UnixMilli(0), time.UnixMilli(0).UTC()},
		{time.UnixMilli(-1), time.UnixMilli(-1).UTC()},
		{time.Unix(1711900000, 999_999_999), time.UnixMilli(1711900000999).UTC()},
		{time.Unix(-1, 1), time.UnixMilli(-1000).UTC()},
		{time.Date(2024, 1, 1, 8, 0, 0, 0, east), time.Date(2023, 12, 31, 23, 0, 0, 0, time.UTC)},
		{time.Time{}.Add(time.Millisecond), time.Date(1, 1, 1, 0, 0, 0, 1e6, time.UTC)},
		{time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		{time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)},
	} {
		j := newJob("job_a")
		j.CreatedAt, j.StartedAt, j.FinishedAt, j.UpdatedAt = c.given, c.given, c.given, c.given
		f.put(j)
		for _, got := range []jobstore.Job{f.get("job_a"), f.list(jobstore.Query{}).Jobs[0]} {
			for _, at := range []time.Time{got.CreatedAt, got.StartedAt, got.FinishedAt, got.UpdatedAt} {
				require.Equal(t, c.want, at, "put %s", c.given)
			}
		}
	}
}

// testFieldBounds stores the longest values that are allowed. One more byte is refused.
func testFieldBounds(t *testing.T, open Factory) {
	f := newFixture(t, open)
	text := func(n int) string { return strings.Repeat("x", n) }
	object := func(n int) json.RawMessage { return json.RawMessage(`{"":"` + text(n-7) + `"}`) }
	array := func(n int) json.RawMessage { return json.RawMessage(`["` + text(n-4) + `"]`) }
	const most = jobstore.MaxJSON

	for _, c := range []struct {
		field string // of the refusal; empty when it must be stored
		set   func(*jobstore.Job)
	}{
		{"", func(j *jobstore.Job) { j.Input = text(jobstore.MaxInput) }},
		{"input", func(j *jobstore.Job) { j.Input = text(jobstore.MaxInput + 1) }},
		{"", func(j *jobstore.Job) { j.Output = text(jobstore.MaxOutput) }},
		{"output", func(j *jobstore.Job) { j.Output = text(jobstore.MaxOutput + 1) }},
		{"", func(j *jobstore.Job) { j.Options = object(most) }},
		{"options", func(j *jobstore.Job) { j.Options = object(most + 1) }},
		{"", func(j *jobstore.Job) { // as the largest job is read back and exported
			j.Options, j.Metadata, j.Tasks = object(most), json.RawMessage(`{}`), json.RawMessage(`[]`)
		}},
		{"", func(j *jobstore.Job) { j.Metadata = object(most) }},
		{"metadata", func(j *jobstore.Job) { j.Metadata = object(most + 1) }},
		{"", func(j *jobstore.Job) { j.Error = object(most) }},
		{"error", func(j *jobstore.Job) { j.Error = object(most + 1) }},
		{"", func(j *jobstore.Job) { j.Tasks = array(most) }},
		{"tasks", func(j *jobstore.Job) { j.Tasks = array(most + 1) }},
		{"", func(j *jobstore.Job) {
			j.Options, j.Metadata, j.Error, j.Tasks = object(most/4), object(most/4), object(most/4), array(most/4)
		}},
		{"tasks", func(j *jobstore.Job) {
			j.Options, j.Metadata, j.Error, j.Tasks = object(most/4), object(most/4), object(most/4), array(most/4+1)
		}},
	} {
		j := newJob("job_a")
		c.set(j)
		f.delete("job_a")
		for what, write := range map[string]func() error{
			"put":    func() error { return f.Put(t.Context(), j) },
			"create": func() error { return f.Create(t.Context(), j) },
		} {
			if err := write(); c.field != "" {
				requireField(t, err, c.field)
				require.Zero(t, f.stats().Jobs)
				continue
			} else {
				require.NoError(t, err, what)
			}
			require.Equal(t, asRead(*j), f.get("job_a"))
			f.delete("job_a")
		}
	}
}

func testFieldsRefused(t *testing.T, open Factory) {
	f := newFixture(t, open)
	json := func(text string) []byte { return []byte(text) }
	west, east := time.FixedZone("west", -12*3600), time.FixedZone("east", 12*3600)
	for _, c := range []struct {
		field string
		set   func(*jobstore.Job)
	}{
		{"kind", func(j *jobstore.Job) { j.Kind = 0 }},
		{"kind", func(j *jobstore.Job) { j.Kind = jobstore.KindVideo | jobstore.KindAudio }},
		{"kind", func(j *jobstore.Job) { j.Kind = 1 << 5 }},
		{"kind", func(j *jobstore.Job) { j.Kind = 1 << 15 }},
		{"kind", func(j *jobstore.Job) { j.Kind = 0xffff }},
		{"status", func(j *jobstore.Job) { j.Status = jobstore.StatusQueued | jobstore.StatusFailed }},
		{"status", func(j *jobstore.Job) { j.Status = 1 << 5 }},
		{"status", func(j *jobstore.Job) { j.Status = 0xffff }},
		{"input", func(j *jobstore.Job) { j.Input = "" }},
		{"input", func(j *jobstore.Job) { j.Input = "a\xffb" }},
		{"input", func(j *jobstore.Job) { j.Input = "\xed\xa0\x80" }}, // a surrogate
		{"output", func(j *jobstore.Job) { j.Output = "\xc3" }},
		{"options", func(j *jobstore.Job) { j.Options = json(`[]`) }},
		{"options", func(j *jobstore.Job) { j.Options = json(`"{}"`) }},
		{"options", func(j *jobstore.Job) { j.Options = json(`{`) }},
		{"options", func(j *jobstore.Job) { j.Options = json(`{}}`) }},
		{"options", func(j *jobstore.Job) { j.Options = json(`{} {}`) }},
		{"options", func(j *jobstore.Job) { j.Options = json("{\"a\":\"\xff\"}") }},
		{"options", func(j *jobstore.Job) { j.Options = json(`{'a':1}`) }},
		{"metadata", func(j *jobstore.Job) { j.Metadata = json(`1`) }},
		{"metadata", func(j *jobstore.Job) { j.Metadata = json(`nul`) }},
		{"metadata", func(j *jobstore.Job) { j.Metadata = json("{\"\xc0\":1}") }},
		{"error", func(j *jobstore.Job) { j.Error = json(`oops`) }},
		{"error", func(j *jobstore.Job) { j.Error = json("\"\xff\"") }},
		{"tasks", func(j *jobstore.Job) { j.Tasks = json(`{}`) }},
		{"tasks", func(j *jobstore.Job) { j.Tasks = json(`[,]`) }},
		{"tasks", func(j *jobstore.Job) { j.Tasks = json("[\"\xff\"]") }},
		{"created_at", func(j *jobstore.Job) { j.CreatedAt = time.Date(10000, 6, 1, 0, 0, 0, 0, time.UTC) }},
		{"started_at", func(j *jobstore.Job) { j.StartedAt = time.Date(-1, 6, 1, 0, 0, 0, 0, time.UTC) }},
		{"finished_at", func(j *jobstore.Job) { j.FinishedAt = time.Unix(1<<62, 0) }},
		{"updated_at", func(j *jobstore.Job) { j.UpdatedAt = time.Unix(-1<<62, 0) }},
		// Times are read back in UTC. There, these are in the years 10000 and 0.
		{"created_at", func(j *jobstore.Job) { j.CreatedAt = time.Date(9999, 12, 31, 23, 59, 0, 0, west) }},
		{"started_at", func(j *jobstore.Job) { j.StartedAt = time.Date(1, 1, 1, 0, 0, 0, 0, east) }},
		// To the millisecond this is the zero time, which stands for null.
		{"finished_at", func(j *jobstore.Job) { j.FinishedAt = time.Time{}.Add(time.Microsecond) }},
	} {
		j := newJob("job_a")
		c.set(j)
		requireField(t, f.Create(t.Context(), j), c.field)
		requireField(t, f.Put(t.Context(), j), c.field)
	}
	require.Zero(t, f.stats().Jobs)
}

// testFieldsOwned writes to the memory of jobs that it has put and of jobs that it
// has read. The store does not change.
func testFieldsOwned(t *testing.T, open Factory) {
	f := newFixture(t, open)
	j := newJob("job_a")
	j.Options, j.Tasks = []byte(`{"a":1}`), []byte(`[{}]`)
	want := asRead(*j)
	f.put(j)
	clear(j.Options)
	clear(j.Tasks)
	for range 2 {
		got := f.get("job_a")
		require.Equal(t, want, got)
		clear(got.Options)
		clear(got.Metadata)
		_ = append(got.Options, "overflow into what lies behind"...)
		require.Equal(t, want.Input, got.Input)
		require.Equal(t, want.ID, got.ID)
		require.Equal(t, want.Tasks, got.Tasks)
		clear(f.list(jobstore.Query{}).Jobs[0].Options)
	}
	got := f.update("job_a", func(j *jobstore.Job) { j.Output = "s3://out" })
	clear(got.Options)
	require.Equal(t, want.Options, f.get("job_a").Options)
}
