package jobstore

import "github.com/jobstore/jobstore/index"

// WithHash makes stores opened with o use hash in place of index.HashInput.
func WithHash(o Options, hash func(string) [16]byte) *Options {
	o.hashInput = func(input string) index.Hash { return hash(input) }
	return &o
}
