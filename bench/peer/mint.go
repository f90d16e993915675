package peer

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jobstore/jobstore"
)

var minted atomic.Int64

// NewID returns an ID greater than those it returned before, for peers that mint
// none themselves. Each takes a millisecond of its own, beginning years after
// those of the datasets.
func NewID() jobstore.ID {
	const (
		alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
		random   = 12 // characters that are random in any TypeID
	)
	at := time.Date(2040, time.January, 1, 0, 0, 0, 0, time.UTC)
	id := []byte(jobstore.FirstID(at.Add(time.Duration(minted.Add(1)) * time.Millisecond)))
	bits := rand.Uint64()
	for i := len(id) - random; i < len(id); i++ {
		id[i] = alphabet[bits&31]
		bits >>= 5
	}
	return jobstore.ID(id)
}
