package record

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Versions holds what a map would hold, whatever the length of the suffixes.
func TestVersions(t *testing.T) {
	var versions Versions
	want := map[string]int64{}
	rng := rand.New(rand.NewPCG(1, 2))
	require.Nil(t, versions.Find([]byte("x")))
	for i := range 20_000 {
		suffix := fmt.Sprint(rng.IntN(10_000))
		if rng.IntN(3) == 0 {
			suffix += strings.Repeat("x", MaxSuffix-len(suffix))
		}
		v := versions.Find([]byte(suffix))
		_, had := want[suffix]
		require.Equal(t, had, v != nil)
		if v == nil {
			v = versions.Add([]byte(suffix))
			require.Equal(t, Version{}, *v)
		} else {
			require.Equal(t, want[suffix], v.Offset)
		}
		v.Offset, want[suffix] = int64(i), int64(i)
	}
	require.Equal(t, len(want), versions.Len())
	var last []byte
	for suffix, v := range versions.Sorted() {
		require.Negative(t, bytes.Compare(last, suffix))
		last = suffix
		require.Equal(t, want[string(suffix)], v.Offset)
		delete(want, string(suffix))
	}
	require.Empty(t, want)
}
