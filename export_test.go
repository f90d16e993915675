package jobstore

import (
	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/record"
)

// WithHash makes stores opened with o use hash in place of index.HashInput.
func WithHash(o Options, hash func(string) [16]byte) *Options {
	o.hashInput = func(input string) index.Hash { return hash(input) }
	return &o
}

// SetRest gives j what a later version would have put into its record: n elements,
// as msgpack.
func SetRest(j *Job, n int, raw []byte) { j.rest = &record.Rest{N: n, Raw: raw} }
