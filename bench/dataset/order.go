package dataset

import (
	"cmp"
	"hash/fnv"
	"strings"
)

// compareHashed orders strings at random, the same way each time.
func compareHashed(a, b string) int {
	return cmp.Or(cmp.Compare(hash(a), hash(b)), strings.Compare(a, b))
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
