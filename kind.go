package jobstore

import (
	"math/bits"
	"strings"
)

// A Kind is the kind of media that a job makes. A job has exactly one; a Query
// may name any set of them, joined with |. The zero value is the empty set.
type Kind uint16

// The documented kinds.
const (
	KindVideo Kind = 1 << iota
	KindAudio
	KindImage
	KindAnimation
	KindAdaptiveVideo
)

// A Status is the state of a job. A job has exactly one; a Query may name any
// set of them, joined with |. The zero value is the empty set.
type Status uint16

// The documented statuses.
const (
	StatusQueued     Status = 1 << iota // dispatched, not started
	StatusProcessing                    // at least one task is running
	StatusSucceeded                     // every task succeeded
	StatusFailed                        // a task failed, see Job.Error
	StatusCancelled                     // stopped on request
)

// The words of the API. The index of a word is the number of its bit, and one less
// than its code on disk, so words are only added at the end.
var (
	kindWords   = []string{"video", "audio", "image", "animation", "adaptive_video"}
	statusWords = []string{"queued", "processing", "succeeded", "failed", "cancelled"}
)

const (
	allKinds    = Kind(1<<5 - 1)
	allStatuses = Status(1<<5 - 1)

	finalStatuses = StatusSucceeded | StatusFailed | StatusCancelled
)

// ParseKind returns the kind that the API calls word. It fails with a [FieldError] for
// any other word, the empty one included.
func ParseKind(word string) (Kind, error) {
	bit, err := parseWord("kind", word, kindWords)
	return Kind(bit), err
}

// ParseStatus returns the status that the API calls word. It fails with a [FieldError]
// for any other word, the empty one included.
func ParseStatus(word string) (Status, error) {
	bit, err := parseWord("status", word, statusWords)
	return Status(bit), err
}

// Kinds returns the kinds that the set k holds, one by one, in the order of
// the documentation.
func (k Kind) Kinds() []Kind { return members(k & allKinds) }

// Statuses returns the statuses that the set s holds, one by one, in the order
// of the documentation.
func (s Status) Statuses() []Status { return members(s & allStatuses) }

// String returns the API's word for k, or the words of a set joined with "|".
func (k Kind) String() string { return joinWords(uint16(k), kindWords) }

// String returns the API's word for s, or the words of a set joined with "|".
func (s Status) String() string { return joinWords(uint16(s), statusWords) }

// MarshalText returns the API's word for k. It fails with a [FieldError] unless k is
// exactly one kind.
func (k Kind) MarshalText() ([]byte, error) {
	if err := k.validateOne(); err != nil {
		return nil, err
	}
	return []byte(k.String()), nil
}

// MarshalText returns the API's word for s. It fails with a [FieldError] unless s is
// exactly one status.
func (s Status) MarshalText() ([]byte, error) {
	if err := s.validateOne(); err != nil {
		return nil, err
	}
	return []byte(s.String()), nil
}

// UnmarshalText sets k to the kind that the API calls text. It fails as [ParseKind] does.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

// UnmarshalText sets s to the status that the API calls text. It fails as [ParseStatus]
// does.
func (s *Status) UnmarshalText(text []byte) (err error) {
	*s, err = ParseStatus(string(text))
	return err
}

// Final reports whether a job in status s has ended.
func (s Status) Final() bool { return s&finalStatuses != 0 }

func (k Kind) validateOne() error {
	return validateOne("kind", uint16(k), kindWords)
}

func (s Status) validateOne() error {
	return validateOne("status", uint16(s), statusWords)
}

// code returns the byte for a single kind on disk.
func (k Kind) code() byte { return byte(bits.TrailingZeros16(uint16(k))) + 1 }

// code returns the byte for a single status on disk.
func (s Status) code() byte { return byte(bits.TrailingZeros16(uint16(s))) + 1 }

func kindOfCode(code byte) Kind { return Kind(1) << (code - 1) }

func statusOfCode(code byte) Status { return Status(1) << (code - 1) }

func parseWord(field, word string, words []string) (uint16, error) {
	for i, w := range words {
		if w == word {
			return 1 << i, nil
		}
	}
	if word == "" {
		return 0, fieldError(field, "", "is missing: must be %s", alternatives(words))
	}
	return 0, fieldError(field, word, "must be %s", alternatives(words))
}

func validateOne(field string, set uint16, words []string) error {
	switch {
	case set == 0:
		return fieldError(field, "", "is missing: must be %s", alternatives(words))
	case bits.OnesCount16(set) > 1 || set >= 1<<len(words):
		return fieldError(field, joinWords(set, words), "must be exactly one of %s", alternatives(words))
	}
	return nil
}

func joinWords(set uint16, words []string) string {
	if i := bits.TrailingZeros16(set); set&(set-1) == 0 && i < len(words) {
		return words[i]
	}
	var b strings.Builder
	for ; set != 0; set &= set - 1 {
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		if i := bits.TrailingZeros16(set); i < len(words) {
			b.WriteString(words[i])
		} else {
			b.WriteString("unknown")
		}
	}
	return b.String()
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func members[S ~uint16](set S) []S {
	var list []S
	for ; set != 0; set &= set - 1 {
		list = append(list, set&-set)
	}
	return list
}
