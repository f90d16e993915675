// Package index lays out the file: the names of its buckets, the keys in them,
// which keys a change of a job adds and removes, and the scans that read jobs
// back in the order of their IDs.
//
// The tree of buckets, ‖ s being the seal of the entry:
//
//	jobstore
//	├─ meta     "format"                  → Format, uint64 big-endian ‖ s
//	│           "flags"                   → the three Flags ‖ s
//	│           "sums"                    → last transaction, generation, a sum for each bucket ‖ s
//	│           "minted"                  → last minted ID, 16 bytes of UUIDv7 ‖ s
//	│           "largest"                 → bytes of the largest record ever stored, uint64 big-endian ‖ s
//	│           "rebuild"                 → how far Reindex has come ‖ s
//	├─ counts   status ‖ kind             → number of jobs, uint64 big-endian ‖ s
//	├─ jobs     id                        → record (package record)
//	├─ kind     kind ‖ id                 → s
//	├─ status   status ‖ kind ‖ id        → s
//	├─ input    hash ‖ status ‖ kind ‖ id → s
//	├─ once     idempotency key           → expiry ‖ sum ‖ id ‖ s
//	├─ expiry   expiry ‖ idempotency key  → s
//	└─ rebuild
//	   ├─ kind, status, input             as above, with the seals of the next generation
//	   └─ leaf                            one entry, see forget
//
// status and kind are codes of one byte, counted from 1. hash is the first 16
// bytes of the SHA-256 of the input. id is the ID of the job without "job_". It
// has no fixed length, so it stands last. It never holds a zero byte, so the key
// after prefix ‖ id is prefix ‖ id ‖ 0.
//
// once and expiry are made by the first idempotency key. sum is 16 bytes of what
// was asked for with it. expiry is Unix milliseconds, int64 big-endian with the
// sign flipped, so that the keys that expire first stand first.
//
// "minted", "largest" and "rebuild" are there when there is something to keep. The
// key and the bucket rebuild are there while a Reindex is under way.
//
// A seal is the CRC32C of the name of the bucket, the generation, the length of
// the key, the key, and the value ahead of the seal. It is little-endian. The
// generation is how often Reindex has built the indexes anew; it is 0 in meta,
// once and expiry. A record has no seal but a checksum of its own, which stands
// for the seal in the sums.
//
// A sum is the number of entries of a bucket and the sum of their seals modulo
// 2^64. Every commit writes the sums of all buckets last. A seal cannot tell that
// an entry is of an earlier commit; the sums tell.
//
// There is one key for every (value, job): a list of IDs in one value would be
// written anew for every job that joins it.
//
// This tree, the code below it and docs/FORMAT.md change together, and with
// them Format.
package index
