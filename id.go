package jobstore

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

const (
	idPrefix       = "job_" // as record.IDPrefix
	maxSuffixLen   = 64     // bytes after the prefix
	typeIDLen      = 26     // characters of a TypeID's suffix
	typeIDAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	maxTypeIDMilli = 1<<48 - 1
)

// An ID names a job: "job_" and 1 to 64 characters of [0-9A-Za-z_-]. Jobs are
// sorted by the bytes of their IDs.
//
// The store mints TypeIDs: a UUIDv7 in 26 characters of Crockford base32. The order
// of their bytes is the order of their creation.
type ID string

// ParseID checks that s has the form of an ID. It fails with a [FieldError].
func ParseID(s string) (ID, error) {
	id := ID(s)
	if err := id.validate("id"); err != nil {
		return "", err
	}
	return id, nil
}

// NewID mints an ID for a job that was created at t. It is for migrations: a job of
// the past gets an ID that sorts by its age. New jobs need no NewID, as a store mints
// their IDs.
//
// An ID has 74 random bits, so that no two are the same. IDs of one millisecond are in
// random order. An ID holds times from 1970 to the year 10889: a time before or after
// that gives the first or the last millisecond.
func NewID(t time.Time) ID { return drawTypeID(clampMilli(t)).id() }

// MintID mints the ID of a job that is created at now. The ID is greater than last,
// the one that was minted before it; last is empty for the first. It is for engines.
func MintID(last ID, now time.Time) ID {
	u, _ := parseTypeID(last)
	return u.next(now).id()
}

// FirstID returns the smallest ID that can be minted in the millisecond of t. It is
// the cursor for a time, as no job needs to have the ID of a cursor: in ascending
// order, After FirstID(t) starts at t. A time before 1970 gives the first ID of 1970,
// a time after the year 10889 that of its last millisecond.
func FirstID(t time.Time) ID {
	return typeID{hi: uint64(clampMilli(t))<<16 | uuidVersion, lo: uuidVariant}.id()
}

// Time returns when the store minted id, to the millisecond, in UTC. It
// returns false for IDs that are no TypeIDs of a UUIDv7, such as the
// documentation's job_abc123.
func (id ID) Time() (t time.Time, ok bool) {
	u, ok := parseTypeID(id)
	if !ok {
		return time.Time{}, false
	}
	return time.UnixMilli(u.milli()).UTC(), true
}

// validate checks id on behalf of the field that it was given in.
func (id ID) validate(field string) error {
	const form = "must be job_ and 1 to 64 characters of 0-9, A-Z, a-z, _ and -"
	if id == "" {
		return fieldError(field, "", "is missing: %s", form)
	}
	if len(id) <= len(idPrefix) || len(id) > len(idPrefix)+maxSuffixLen || id[:len(idPrefix)] != idPrefix {
		return fieldError(field, string(id), form)
	}
	for _, c := range []byte(id[len(idPrefix):]) {
		if !isSuffixByte(c) {
			return fieldError(field, string(id), form)
		}
	}
	return nil
}

func isSuffixByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
}

// suffix returns id without its prefix, as it is in keys.
func (id ID) suffix() string { return string(id[len(idPrefix):]) }

// A typeID is a UUIDv7 as its two big-endian halves. The layout is that of RFC
// 9562: 48 bits of Unix milliseconds, 4 of version, 12 random, 2 of variant,
// 62 random.
type typeID struct{ hi, lo uint64 }

const (
	uuidVersion = 0x7 << 12
	uuidVariant = 0x2 << 62
	randAMask   = 1<<12 - 1
	randBMask   = 1<<62 - 1
)

func (u typeID) milli() int64 { return int64(u.hi >> 16) }

// id returns u as text: the 128 bits, most significant first, five a
// character, the first character holding the top three.
func (u typeID) id() ID {
	var text [len(idPrefix) + typeIDLen]byte
	copy(text[:], idPrefix)
	hi, lo := u.hi, u.lo
	for i := len(text) - 1; i >= len(idPrefix); i-- {
		text[i] = typeIDAlphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return ID(text[:])
}

// parseTypeID reads back what typeID.id writes. It returns false for
// everything that is not the TypeID of a UUIDv7.
func parseTypeID(id ID) (typeID, bool) {
	if len(id) != len(idPrefix)+typeIDLen || id[:len(idPrefix)] != idPrefix || id[len(idPrefix)] > '7' {
		return typeID{}, false
	}
	var u typeID
	for _, c := range []byte(id[len(idPrefix):]) {
		digit := typeIDDigits[c]
		if digit == notADigit {
			return typeID{}, false
		}
		u.hi = u.hi<<5 | u.lo>>59
		u.lo = u.lo<<5 | uint64(digit)
	}
	if u.hi&(0xf<<12) != uuidVersion || u.lo&(0x3<<62) != uuidVariant {
		return typeID{}, false
	}
	return u, true
}

const notADigit = 0xff

var typeIDDigits = func() (digits [256]byte) {
	for i := range digits {
		digits[i] = notADigit
	}
	for i, c := range []byte(typeIDAlphabet) {
		digits[c] = byte(i)
	}
	return digits
}()

// drawTypeID returns an ID of this millisecond with random bits.
func drawTypeID(milli int64) typeID {
	return typeID{
		hi: uint64(milli)<<16 | uuidVersion | rand.Uint64()&randAMask,
		lo: uuidVariant | rand.Uint64()&randBMask,
	}
}

// next returns an ID for a job created at now that is greater than u, the one
// minted before it. In a new millisecond its 74 random bits are drawn afresh.
// In the same one, or when the clock has stepped back, they are counted up from
// u by a random step (RFC 9562, section 6.2, method 2): the order is kept, and the
// next ID cannot be guessed. A count that overflows takes the next millisecond.
func (u typeID) next(now time.Time) typeID {
	milli := clampMilli(now)
	if milli > u.milli() {
		return drawTypeID(milli)
	}
	randA := u.hi & randAMask
	randB := u.lo&randBMask + 1 + uint64(rand.Uint32())
	if randB > randBMask {
		randA++
		randB &= randBMask
	}
	milli = u.milli()
	if randA > randAMask {
		randA = 0
		milli++
	}
	return typeID{hi: uint64(milli)<<16 | uuidVersion | randA, lo: uuidVariant | randB}
}

// bytes and typeIDOfBytes are the form in which the last minted ID is kept.
func (u typeID) bytes() []byte {
	b := make([]byte, 0, 16)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, u.hi), u.lo)
}

func typeIDOfBytes(b []byte) (u typeID, ok bool) {
	if len(b) != 16 {
		return typeID{}, false
	}
	return typeID{hi: binary.BigEndian.Uint64(b), lo: binary.BigEndian.Uint64(b[8:])}, true
}

// clampMilli returns t in Unix milliseconds, forced into what 48 bits hold.
// Seconds are compared first, as UnixMilli overflows for times far away.
func clampMilli(t time.Time) int64 {
	switch sec := t.Unix(); {
	case sec < 0:
		return 0
	case sec > maxTypeIDMilli/1000:
		return maxTypeIDMilli
	}
	return min(t.UnixMilli(), maxTypeIDMilli)
}
