package record

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
)

// sample is the job of the list call's documentation.
func sample() Job {
	return Job{
		Kind: 1, Status: 3,
		Input:    "https://example.com/video.mp4",
		Output:   "https://store.ittybit.net/org_123/video.mp4",
		Options:  []byte(`{ "format": "mp4", "quality": "high" }`),
		Metadata: []byte(`{}`),
		Created:  1711900000000, Started: 1711900001000, Finished: 1711900045000, Updated: 1711900045000,
	}
}

func TestRoundTrip(t *testing.T) {
	odd := Job{Kind: 255, Status: 1, Input: strings.Repeat("x", 70000), Options: []byte("{}"), Metadata: []byte("{}"),
		Error: []byte(`"no"`), Tasks: []byte(`[1]`), Created: -1, Started: NoTime, Finished: 0, Updated: math.MaxInt64}
	for _, j := range []Job{sample(), odd} {
		value, err := Encode("abc", &j)
		require.NoError(t, err)

		var got Job
		id, err := Decode(&got, nil, []byte("abc"), value, true)
		require.NoError(t, err)
		require.Equal(t, "job_abc", id)
		got.tasksSum, got.tasksAreStored = 0, false
		require.Equal(t, j, got)

		_, err = Decode(&got, nil, []byte("abc"), value, false)
		require.NoError(t, err)
		require.Nil(t, got.Tasks)
	}
}

// The bytes that docs/FORMAT.md explains. They may never change.
func TestGolden(t *testing.T) {
	j := sample()
	j.Tasks = []byte(`[]`)
	value, err := Encode("abc123", &j)
	require.NoError(t, err)
	require.Equal(t, golden, hex.EncodeToString(value))
}

const golden = "" +
	"0193a681cba30000009c0103bd68747470733a2f2f6578616d706c652e636f6d2f766964656f2e6d7034d92b68747470" +
	"733a2f2f73746f72652e697474796269742e6e65742f6f72675f3132332f766964656f2e6d7034d9267b2022666f726d" +
	"6174223a20226d7034222c20227175616c697479223a20226869676822207da27b7dc0cf0000018e9530ff00cf000001" +
	"8e953102e8cf0000018e9531aec8cf0000018e9531aec8ce764dbd765b5d"

// Every bit of a record counts: with any of them flipped it is refused.
func TestDecodeNoticesEveryFlippedBit(t *testing.T) {
	j := sample()
	j.Tasks = []byte(`[{"id":"task_1"}]`)
	value, err := Encode("abc", &j)
	require.NoError(t, err)
	for i := range value {
		for bit := range 8 {
			damaged := bytes.Clone(value)
			damaged[i] ^= 1 << bit
			_, err := Decode(&Job{}, nil, []byte("abc"), damaged, true)
			require.ErrorIs(t, err, ErrDamaged, "byte %d, bit %d", i, bit)
		}
	}
	for n := range value {
		_, err := Decode(&Job{}, nil, []byte("abc"), value[:n], true)
		require.ErrorIs(t, err, ErrDamaged, "cut to %d bytes", n)
	}
	_, err = Decode(&Job{}, nil, []byte("abd"), value, true)
	require.ErrorIs(t, err, ErrDamaged, "under another ID")
}

// What is decoded may be kept and written to: it is no part of the file, and
// its parts do not run into each other.
func TestDecodeGivesMemoryOfItsOwn(t *testing.T) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(t, err)
	var got Job
	id, err := Decode(&got, nil, []byte("abc"), value, true)
	require.NoError(t, err)
	clear(value)
	got.Options = append(got.Options, strings.Repeat("!", 100)...)
	clear(got.Metadata)
	require.Equal(t, "job_abc", id)
	require.Equal(t, j.Input, got.Input)
	require.Equal(t, j.Output, got.Output)
	require.Equal(t, j.Created, got.Created)
}

// Jobs that are decoded into one Memory share its pieces, and do not run into each
// other, whether they were expected or not.
func TestMemory(t *testing.T) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(t, err)
	got := make([]Job, 40)
	suffix := []byte("abc")
	decode := func(m *Memory, withTasks bool) {
		for range 30 {
			m.Expect(suffix, value)
		}
		for i := range got {
			id, err := Decode(&got[i], m, suffix, value, withTasks)
			if err != nil || id != "job_abc" {
				t.Fatal(id, err)
			}
		}
	}
	perPiece := pieceSize / (len(value) - len(j.Tasks))
	require.Greater(t, perPiece, 3, "several jobs fit in a piece")
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		var m Memory
		decode(&m, false)
	}), float64(30/perPiece+1+10+1))

	decode(&Memory{}, true)
	for i := range got {
		got[i].Options = append(got[i].Options, strings.Repeat("!", 1000)...)
		clear(got[i].Metadata)
	}
	for i := range got {
		require.Equal(t, j.Input, got[i].Input)
		require.Equal(t, j.Output, got[i].Output)
		require.Equal(t, string(j.Tasks), string(got[i].Tasks))
		require.Equal(t, string(j.Options), strings.TrimRight(string(got[i].Options), "!"))
	}
}

func TestDecodeAllocatesOnce(t *testing.T) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(t, err)
	var got Job
	suffix := []byte("abc")
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() {
		if _, err := Decode(&got, nil, suffix, value, false); err != nil {
			t.Fatal(err)
		}
	}))
}

// later is what a later version may put behind the fields: a value of every type.
var later = &Rest{N: 23, Raw: []byte{
	7, mpUint16, 1, 2, mpInt64, 0, 0, 0, 0, 0, 0, 0, 1, mpFixStr + 3, 'a', 'b', 'c', mpNil, mpTrue, mpFalse,
	mpFixMap + 1, 1, mpFixArray + 2, mpFixArray, mpNegative, mpArray16, 0, 1, mpNil, mpArray32, 0, 0, 0, 1, 1,
	mpMap16, 0, 1, 1, 2, mpMap32, 0, 0, 0, 1, 1, 2, mpBin8, 1, 0, mpBin16, 0, 1, 0, mpStr32, 0, 0, 0, 1, 'x',
	mpExt8, 1, 5, 0, mpExt32, 0, 0, 0, 1, 5, 0, mpFloat32, 0, 0, 0, 0, mpFloat64, 0, 0, 0, 0, 0, 0, 0, 0,
	mpFixExt1, 5, 0, mpFixExt16, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, mpUint8, 200, mpInt8, 0x80,
}}

// requireElements checks with msgpack/v5 that a Rest holds as many elements as it
// says.
func requireElements(t *testing.T, rest *Rest) {
	t.Helper()
	raw := bytes.NewReader(rest.Raw)
	dec := msgpack.NewDecoder(raw)
	for range rest.N {
		require.NoError(t, dec.Skip())
	}
	require.Zero(t, raw.Len())
}

// Elements behind those that this version knows are kept as they came. They are
// under the checksum like the others.
func TestRest(t *testing.T) {
	requireElements(t, later)
	nested := append(bytes.Repeat([]byte{mpFixArray + 1}, 100_000), mpNil)
	for _, rest := range []*Rest{
		{N: 3, Raw: []byte{2, 1, mpFixStr + 2, 'w', '7'}}, later, {N: 1, Raw: nested},
		{N: maxElements - fields, Raw: bytes.Repeat([]byte{mpNil}, maxElements-fields)},
	} {
		j := sample()
		j.Tasks, j.Rest = []byte("[1]"), rest
		value, err := Encode("abc", &j)
		require.NoError(t, err)
		size, ok := Begins(value)
		require.True(t, ok)
		n, ok := SuffixLen([]byte("xabc"), value[:size])
		require.True(t, ok)
		require.Equal(t, 3, n)
		n, ok = TasksLen(value[:size], value[size:])
		require.True(t, ok)
		require.Equal(t, 3, n)
		var got Job
		_, err = Decode(&got, nil, []byte("abc"), value, true)
		require.NoError(t, err)
		got.tasksSum, got.tasksAreStored = 0, false
		require.Equal(t, j, got)
		again, err := Encode("abc", &got)
		require.NoError(t, err)
		require.Equal(t, value, again)
		value[size-1] ^= 1
		_, err = Decode(&got, nil, []byte("abc"), value, false)
		require.ErrorIs(t, err, ErrDamaged)
	}
	for name, rest := range map[string]*Rest{
		"too many":        {N: 1, Raw: []byte{1, 2}},
		"too few":         {N: 2, Raw: []byte{1}},
		"cut off":         {N: 1, Raw: []byte{mpUint16, 1}},
		"cut off in ext":  {N: 1, Raw: []byte{mpExt32, 0xff, 0xff, 0xff, 0xff, 1}},
		"cut off in map":  {N: 1, Raw: []byte{mpMap32, 0xff, 0xff, 0xff, 0xff, 1}},
		"no msgpack":      {N: 1, Raw: []byte{mpInvalid}},
		"cut off in text": {N: 1, Raw: []byte{mpStr32, 0xff, 0xff, 0xff, 0xff, 1}},
	} {
		j := sample()
		j.Rest = rest
		value, err := Encode("abc", &j)
		require.NoError(t, err)
		_, err = Decode(&Job{}, nil, []byte("abc"), value, true)
		require.ErrorIs(t, err, ErrDamaged, name)
	}
}

// asMsgpack is the array as msgpack/v5 sees it, the reference for decodeArray.
type asMsgpack struct {
	_msgpack struct{} `msgpack:",as_array"` //nolint:unused // read by msgpack

	Kind, Status      uint8
	Input, Output     string
	Options, Metadata string
	Error             *string
	Created           *int64
	Started           *int64
	Finished          *int64
	Updated           *int64
	TasksSum          *uint32
}

func (m *asMsgpack) job() Job {
	j := Job{
		Kind: m.Kind, Status: m.Status, Input: m.Input, Output: m.Output,
		Options: []byte(m.Options), Metadata: []byte(m.Metadata),
		Created: NoTime, Started: NoTime, Finished: NoTime, Updated: NoTime,
	}
	if m.Error != nil {
		j.Error = []byte(*m.Error)
	}
	for _, t := range []struct {
		from *int64
		to   *int64
	}{{m.Created, &j.Created}, {m.Started, &j.Started}, {m.Finished, &j.Finished}, {m.Updated, &j.Updated}} {
		if t.from != nil {
			*t.to = *t.from
		}
	}
	if m.TasksSum != nil {
		j.tasksSum, j.tasksAreStored = *m.TasksSum, true
	}
	return j
}

// FuzzDecodeArray feeds bytes to our decoder: what it accepts, msgpack/v5 reads
// as the same job.
func FuzzDecodeArray(f *testing.F) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(f, err)
	f.Add(value[headerLen:])
	f.Add([]byte{})
	for _, rest := range []*Rest{later, {N: 40, Raw: bytes.Repeat([]byte{mpFixMap}, 40)}} {
		j := sample()
		j.Rest = rest
		value, err := Encode("abc", &j)
		require.NoError(f, err)
		f.Add(value[headerLen:])
	}
	f.Add([]byte{mpArray16, 0, fields, 1, 1, mpStr8, 1, 'x', mpFixStr, mpFixStr, mpFixStr, mpNil, mpNil, mpInt8, 0x80, mpUint64, 0, 0, 0, 0, 0, 0, 0, 1, mpInt64, 0xff, 0, 0, 0, 0, 0, 0, 1, mpNil})
	f.Fuzz(func(t *testing.T, b []byte) {
		var ours Job
		if err := decodeArray(&ours, bytes.Clone(b)); err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		if ours.Rest != nil {
			requireElements(t, ours.Rest)
			require.True(t, bytes.HasSuffix(b, ours.Rest.Raw))
			value, err := Encode("abc", &Job{Kind: 1, Status: 1, Rest: ours.Rest})
			require.NoError(t, err)
			var again Job
			_, err = Decode(&again, nil, []byte("abc"), value, true)
			require.NoError(t, err)
			require.Equal(t, ours.Rest, again.Rest)
			// msgpack/v5 reads an array of as many elements as there are fields.
			head := map[byte]int{mpArray16: 3, mpArray32: 5}[b[0]]
			b = append([]byte{mpFixArray | fields}, b[max(1, head):len(b)-len(ours.Rest.Raw)]...)
			ours.Rest = nil
		}
		var theirs asMsgpack
		require.NoError(t, msgpack.Unmarshal(b, &theirs))
		want := theirs.job()
		require.Equal(t, want, ours)
	})
}

// FuzzEncode feeds jobs to msgpack/v5's encoder: ours reads what it writes, and
// what Encode writes, as the same job.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(1), uint8(3), "in", "out", "{}", "{}", "null", "[]", int64(1711900000000), int64(0), int64(-1), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, kind, status uint8, input, output, options, metadata, jobError, tasks string, created, started, finished, updated int64) {
		if kind == 0 || status == 0 {
			return
		}
		want := Job{
			Kind: kind, Status: status, Input: input, Output: output,
			Options: []byte(options), Metadata: []byte(metadata),
			Created: created, Started: started, Finished: finished, Updated: updated,
		}
		m := asMsgpack{
			Kind: kind, Status: status, Input: input, Output: output, Options: options, Metadata: metadata,
			Created: orNil(created), Started: orNil(started), Finished: orNil(finished), Updated: orNil(updated),
		}
		if jobError != "" {
			want.Error = []byte(jobError)
			m.Error = &jobError
		}
		if tasks != "" {
			want.Tasks = []byte(tasks)
		}
		value, err := Encode("abc", &want)
		require.NoError(t, err)
		var got Job
		_, err = Decode(&got, nil, []byte("abc"), value, true)
		require.NoError(t, err)
		got.tasksSum, got.tasksAreStored = 0, false
		require.Equal(t, want, got)

		want.Tasks = nil
		theirs, err := msgpack.Marshal(&m)
		require.NoError(t, err)
		require.NoError(t, decodeArray(&got, theirs))
		require.Equal(t, want, got)
	})
}

func orNil(milli int64) *int64 {
	if milli == NoTime {
		return nil
	}
	return &milli
}

// FuzzDecode feeds whole records: damage is refused, never a panic.
func FuzzDecode(f *testing.F) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(f, err)
	f.Add([]byte("abc"), value)
	f.Fuzz(func(t *testing.T, suffix, value []byte) {
		var got Job
		if _, err := Decode(&got, nil, suffix, value, true); err != nil {
			require.ErrorIs(t, err, ErrDamaged)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	j := sample()
	value, err := Encode("abc", &j)
	require.NoError(b, err)
	suffix := []byte("abc")
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		var got Job
		for b.Loop() {
			if _, err := Decode(&got, nil, suffix, value, false); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("msgpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var got asMsgpack
			if err := msgpack.Unmarshal(value[headerLen:], &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
