package record

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A record is found behind the suffix of its ID, whatever its length and whatever
// stands around it.
func TestFind(t *testing.T) {
	for _, suffix := range []string{"a", "abc123", "01h455vb4pex5vsknk084sn02q", strings.Repeat("x", MaxSuffix)} {
		for _, tasks := range []string{"", "[]", `[{"a":[1, 2]},` + "\n" + `[]] `, `	["]", "\"]", "\\", "é"]`, strings.Repeat("[", 40) + strings.Repeat("]", 40)} {
			j := sample()
			if tasks != "" {
				j.Tasks = []byte(tasks)
			}
			value, err := Encode(suffix, &j)
			require.NoError(t, err)
			file := append([]byte("xyz]"+suffix), value...)
			at := 4 + len(suffix)
			file = append(file, "01h455vb4pex5vsknk084sn02q]"...)

			size, ok := Begins(file[at:])
			require.True(t, ok)
			b := file[at : at+size]
			n, ok := SuffixLen(file[:at], b)
			require.True(t, ok)
			require.Equal(t, len(suffix), n)
			require.Equal(t, tasks != "", HasTasks(b))
			n, ok = TasksLen(b, file[at+size:])
			require.Equal(t, tasks != "", ok)
			require.Equal(t, len(tasks), n)

			for i := 0; i < at+size; i++ {
				damaged := bytes.Clone(file)
				damaged[i] ^= 4
				size, ok := Begins(damaged[at:])
				if !ok || at+size > len(damaged) {
					continue
				}
				_, ok = SuffixLen(damaged[:at], damaged[at:at+size])
				require.Equal(t, i < 4, ok, "byte %d", i)
			}
			if tasks != "" {
				_, ok = TasksLen(b, file[at+size+1:])
				require.False(t, ok)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	j := sample()
	j.Tasks = []byte(`[1]`)
	value, err := Encode("abc", &j)
	require.NoError(f, err)
	f.Add([]byte("abc"), value)
	f.Fuzz(func(t *testing.T, before, b []byte) {
		size, ok := Begins(b)
		if !ok || size > len(b) {
			return
		}
		n, ok := SuffixLen(before, b[:size])
		if !ok {
			return
		}
		// What is found is what Decode takes, or its tasks are damaged.
		tasks, _ := TasksLen(b[:size], b[size:])
		var got Job
		suffix := before[len(before)-n:]
		if _, err := Decode(&got, nil, suffix, b[:size+tasks], true); err != nil {
			require.True(t, HasTasks(b[:size]) || decodeArray(&got, b[headerLen:size]) != nil)
		}
	})
}
