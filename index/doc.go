// Package index lays out the file: the names of its buckets, the keys in them,
// which keys a change of a job adds and removes, and the scans that read jobs
// back in the order of their IDs.
//
// The tree of buckets:
//
//	jobstore
//	├─ meta     "format"                  → format version, uint64 big-endian
//	│           "minted"                  → last minted ID, 16 bytes of UUIDv7 ‖ seal
//	├─ counts   status ‖ kind             → number of jobs, uint64 big-endian ‖ seal
//	├─ jobs     id                        → record (package record)
//	├─ kind     kind ‖ id                 → ∅
//	├─ status   status ‖ kind ‖ id        → ∅
//	├─ input    hash ‖ status ‖ kind ‖ id → ∅
//	├─ once     idempotency key           → expiry ‖ sum ‖ id ‖ seal
//	├─ expiry   expiry ‖ idempotency key  → ∅
//	└─ reserve  number, 2 bytes           → zeros
//
// status and kind are codes of one byte, counted from 1. hash is the first 16
// bytes of the SHA-256 of the input. id is the ID of the job without "job_"; it
// has no fixed length, so it stands last, and as it never holds a zero byte, the
// key after prefix ‖ id is prefix ‖ id ‖ 0.
//
// once and expiry are made by the first idempotency key. sum is 16 bytes of what
// was asked for with it; expiry is Unix milliseconds, int64 big-endian with the
// sign flipped, so that the keys that expire first stand first.
//
// reserve keeps room for deletions in a file that is full. It is made when the
// file has some size, and may be missing.
//
// A seal is the CRC32C of the key and of what stands before it, little-endian.
// Records have a checksum of their own, and index entries a record to fit.
//
// There is one key for every (value, job): a list of IDs in one value would be
// written anew for every job that joins it.
//
// This tree, the code below it and docs/FORMAT.md change together, and with
// them Format.
package index
