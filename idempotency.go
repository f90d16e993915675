package jobstore

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// DefaultOnceFor is how long [Store.CreateOnce] remembers a key.
const DefaultOnceFor = 24 * time.Hour

// MaxOnceKey is the longest key of [Store.CreateOnce], in bytes.
const MaxOnceKey = 255

// ValidateOnceKey returns the [FieldError] with which [Store.CreateOnce] refuses key,
// or nil. It is for engines.
func ValidateOnceKey(key string) error {
	if key == "" {
		return fieldError("key", "", "is missing")
	}
	return validateText("key", key, MaxOnceKey)
}

// validateOnceFor checks Options.OnceFor. Times are kept in milliseconds, so a
// shorter time would not hold.
func validateOnceFor(d time.Duration) error {
	if d < time.Millisecond {
		return fieldError("Options.OnceFor", d.String(), "must be at least a millisecond")
	}
	return nil
}

// OnceSum returns the sum that is kept with an idempotency key: the first 16 bytes of
// the SHA-256 of the fields that the caller of [Store.CreateOnce] sets, each preceded
// by its length. Two calls with a key ask for the same job if the sums of their drafts
// are equal. docs/FORMAT.md lists the fields. All engines compare this sum.
func (j *Job) OnceSum() [16]byte {
	h := sha256.New()
	for _, field := range []string{
		string(j.ID), j.Kind.String(), j.Status.String(), j.Input, j.Output,
		orAbsent(j.Options, "{}"), orAbsent(j.Metadata, "{}"), orAbsent(j.Error, ""), orAbsent(j.Tasks, ""),
	} {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		_, _ = h.Write([]byte(field))
	}
	return [16]byte(h.Sum(nil))
}

// orAbsent returns the text of raw, or absent if raw is absent or null.
func orAbsent(raw []byte, absent string) string {
	if isNull(raw) {
		return absent
	}
	return string(raw)
}
