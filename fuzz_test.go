package jobstore_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/damage"
)

// FuzzParseQuery feeds query strings: what is accepted is valid, and comes back
// the same from its parameters.
func FuzzParseQuery(f *testing.F) {
	f.Add("")
	f.Add("kind=video&kind=audio&status=failed&input=s3%3A%2F%2Fb%2Fa.mov&limit=100&after=job_abc123&before=job_1&order=asc")
	f.Add("limit=0100&kind=&status=Failed&order=asc&order=desc")
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := jobstore.ParseQuery(values)
		if err != nil {
			require.ErrorIs(t, err, jobstore.ErrInvalid)
			return
		}
		require.NoError(t, q.Validate())
		again, err := jobstore.ParseQuery(q.Values())
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

// FuzzParseID feeds IDs: one that is accepted is taken back, and the time in it
// lies at or past the first ID of that millisecond.
func FuzzParseID(f *testing.F) {
	f.Add("job_abc123")
	f.Add("job_01h455vb4pex5vsknk084sn02q")
	f.Add("job_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := jobstore.ParseID(s)
		if err != nil {
			require.ErrorIs(t, err, jobstore.ErrInvalid)
			return
		}
		require.Equal(t, s, string(id))
		at, ok := id.Time()
		if !ok {
			return
		}
		first := jobstore.FirstID(at)
		require.LessOrEqual(t, first, id)
		back, ok := first.Time()
		require.True(t, ok)
		require.Equal(t, at, back)
	})
}

// FuzzUnmarshalJSON feeds JSON of jobs: what is accepted is written as JSON that
// is read as the same job.
func FuzzUnmarshalJSON(f *testing.F) {
	f.Add([]byte(`{"id":"job_abc123","object":"job","kind":"video","input":"https://example.com/video.mp4","options":{"format":"mp4"},` +
		`"metadata":{},"status":"succeeded","error":null,"created_at":1711900000000,"finished_at":-1,"tasks":[{"id":"task_1"}]}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"created_at":9223372036854775807,"error":"\ud800","options":1e999}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var job jobstore.Job
		if err := json.Unmarshal(data, &job); err != nil || job.Kind == 0 || job.Status == 0 {
			return
		}
		text := job.AppendJSON(nil)
		require.True(t, json.Valid(text), "%s", text)
		var again jobstore.Job
		require.NoError(t, json.Unmarshal(text, &again), "%s", text)
		require.Equal(t, text, again.AppendJSON(nil))
	})
}

// FuzzFile writes bytes into the file of a small store, each at its offset, and
// asks for everything in it: a store made of nothing but lies may lack jobs, but
// it must not crash, hang, take memory without bound, or give a job that never was.
func FuzzFile(f *testing.F) {
	sample, err := damage.Build(f.TempDir(), 1, 60)
	require.NoError(f, err)
	f.Add(false, []byte{})
	f.Add(true, []byte{0, 0x20, 0, 1, 0, 0x20, 8, 2})
	f.Fuzz(func(t *testing.T, crash bool, patch []byte) {
		state := damage.Clean
		if crash {
			state = damage.Crash
		}
		file := bytes.Clone(sample.File(state).Data)
		for ; len(patch) >= 4; patch = patch[4:] {
			at := int(binary.BigEndian.Uint32(patch)>>8) % len(file)
			file[at] = patch[3]
		}
		v, err := sample.Examine(filepath.Join(t.TempDir(), "fuzz.db"), file)
		require.NoError(t, err)
		require.False(t, v.Outcome.Bad(), "%s: %s", v.Outcome, v.Detail)
	})
}
