package index

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParseKey feeds keys of all buckets: one that is accepted is what its entry
// gives again.
func FuzzParseKey(f *testing.F) {
	e := Entry{ID: "abc123", Pair: Pair{Status: 3, Kind: 1}, Hash: HashInput("s3://bucket/a.mov")}
	for i, name := range Names {
		f.Add(uint8(i), e.AppendKey(nil, name))
	}
	f.Fuzz(func(t *testing.T, bucket uint8, key []byte) {
		name := Names[int(bucket)%len(Names)]
		e, ok := ParseKey(name, key)
		if !ok {
			return
		}
		require.NotEmpty(t, e.ID)
		require.Equal(t, key, e.AppendKey(nil, name))
	})
}
