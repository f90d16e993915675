package jobstore

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Errors that the methods of a Store return, bare or wrapped. Test for them with
// errors.Is. Errors of the storage engine are never returned.
var (
	// ErrNotFound is returned when a job with the given ID is not in the store.
	ErrNotFound = errors.New("jobstore: job not found")

	// ErrExists is returned when [Store.Create] is given the ID of a job that is
	// already in the store.
	ErrExists = errors.New("jobstore: job exists already")

	// ErrConflict is returned when [Store.CreateOnce] is given a key that was used,
	// within its lifetime, with a different job.
	ErrConflict = errors.New("jobstore: key was used with a different job")

	// ErrInvalid is returned when an argument is outside what the method documents. A
	// [FieldError], which says what is wrong with which field, unwraps to it.
	ErrInvalid = errors.New("jobstore: invalid argument")

	// ErrClosed is returned when a store is used after [Store.Close].
	ErrClosed = errors.New("jobstore: store is closed")

	// ErrReadOnly is returned when a store that was opened with [Options.ReadOnly] is
	// asked to write.
	ErrReadOnly = errors.New("jobstore: store is read-only")

	// ErrLocked is returned when another process, or another Store of this process,
	// holds the file for longer than [Options.LockTimeout].
	ErrLocked = errors.New("jobstore: file is locked")

	// ErrFull is returned when the file cannot grow: it has reached [Options.MaxSize],
	// the disk is full, or a quota is used up. Nothing of the refused operation was
	// kept, and writing works again once there is room.
	ErrFull = errors.New("jobstore: no room to grow the file")

	// ErrFormat is returned when a file is not a jobstore file, or is one of another
	// format than this package reads: newer, or of format 1, which has to be exported
	// by the version that wrote it and imported into a new store.
	ErrFormat = errors.New("jobstore: not a jobstore file of a known format")

	// ErrCorrupt is returned when the file contradicts itself: a checksum does
	// not fit, an index entry has no record, a page cannot be read.
	ErrCorrupt = errors.New("jobstore: file is damaged")

	// ErrCommitUnknown is returned when the operating system failed a write or
	// a sync in the middle of a commit: the operation may or may not be in the
	// file. The store refuses every later write with the same error, and still
	// answers reads, until it is closed and opened again.
	ErrCommitUnknown = errors.New("jobstore: commit failed, outcome unknown")
)

// A FieldError says which field, parameter or option was refused, and why. It unwraps
// to [ErrInvalid].
type FieldError struct {
	Field  string // name in the JSON object or the URL, such as "limit"
	Value  string // the refused value, shortened where it is long
	Reason string // what is allowed
}

// Error returns a sentence such as `jobstore: limit "101" must be a whole number from 1
// to 100`.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("jobstore: %s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("jobstore: %s %q %s", e.Field, e.Value, e.Reason)
}

// Unwrap returns [ErrInvalid].
func (e *FieldError) Unwrap() error { return ErrInvalid }

// fieldError makes a FieldError, cutting a long value to a length that fits
// a log line.
func fieldError(field, value, format string, args ...any) error {
	const longest = 80
	if len(value) > longest {
		value = strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return &FieldError{Field: field, Value: value, Reason: fmt.Sprintf(format, args...)}
}

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// A systemError is an error of ours that an error of the operating system has led to.
// The text of the one names the other.
type systemError struct {
	error
	system syscall.Errno
}

func (e systemError) Unwrap() []error { return []error{e.error, e.system} }
