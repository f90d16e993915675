package record

import (
	"encoding/binary"
	"hash/crc32"
)

// The functions of this file find records in bytes of which nothing is known but
// that the suffix of its ID stands right before a record, as the key of an element
// does in a page of bbolt. What they need to be sure is the checksum.

// MaxSuffix is the length of the longest suffix of an ID.
const MaxSuffix = 64

// mintedLen is the length of the suffix of nearly all IDs.
const mintedLen = 26

// MarkAt is where in a record the byte stands that IsMark knows: the first one of its
// msgpack array.
const MarkAt = headerLen

// IsMark reports whether a record can have c at MarkAt.
func IsMark(c byte) bool { return c&0xfc == mpFixArray|fields || c == mpArray16 }

// MinLen is less than the length of any record.
const MinLen = headerLen + 1 + fields

// maxFields is a bound on the array: fields of MaxInput, MaxOutput and MaxJSON.
const maxFields = 5 << 20

// Begins reports whether b, of MinLen bytes or more, looks like the start of a
// record, and returns how long it would be without its tasks. Of bytes at random,
// one in 10^9 passes.
func Begins(b []byte) (size int, ok bool) {
	if len(b) < MinLen || b[0] != format || !IsMark(b[MarkAt]) {
		return 0, false
	}
	at := headerLen + 1
	if b[MarkAt] == mpArray16 {
		at += 2
	}
	kind, status := b[at], b[at+1]
	if kind == 0 || kind >= mpFixMap || status == 0 || status >= mpFixMap {
		return 0, false
	}
	n := binary.LittleEndian.Uint32(b[sumFrom:])
	return headerLen + int(n), n <= maxFields
}

// SuffixLen returns how many of the last bytes of before are the suffix that the
// record in b, which is complete but for its tasks, has its checksum with. It
// returns false when none are: one of the two is damaged.
func SuffixLen(before, b []byte) (n int, ok bool) {
	want := binary.LittleEndian.Uint32(b[1:])
	fits := func(n int) bool {
		return n <= len(before) && sum(before[len(before)-n:], b[sumFrom:]) == want
	}
	if fits(mintedLen) {
		return mintedLen, true
	}
	// To try all lengths takes long. It is no use where there is no array.
	if decodeArray(new(Job), b[headerLen:]) != nil {
		return 0, false
	}
	for n := 1; n <= MaxSuffix; n++ {
		if fits(n) {
			return n, true
		}
	}
	return 0, false
}

// TasksLen returns how many bytes at the start of rest are the tasks of the record
// in b: a JSON array, and white space around it, with the checksum that the record
// gives. It returns false when none are, which is right only for a record without
// tasks.
func TasksLen(b, rest []byte) (n int, ok bool) {
	var j Job
	if decodeArray(&j, b[headerLen:]) != nil || !j.tasksAreStored {
		return 0, false
	}
	n = arrayLen(rest)
	for crc := crc32.Checksum(rest[:n], castagnoli); n > 0; n++ {
		if crc == j.tasksSum {
			return n, true
		}
		if n == len(rest) || !isSpace(rest[n]) {
			break
		}
		crc = crc32.Update(crc, castagnoli, rest[n:n+1])
	}
	return 0, false
}

// arrayLen returns where the brackets that open in b have all been closed, or 0 if
// they never are before there is a byte that no JSON has at its place.
func arrayLen(b []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c < ' ' && (quoted || !isSpace(c)):
			return 0
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c > '}':
			return 0
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// HasTasks reports whether the record in b, without its tasks, has any.
func HasTasks(b []byte) bool {
	var j Job
	return decodeArray(&j, b[headerLen:]) == nil && j.tasksAreStored
}
