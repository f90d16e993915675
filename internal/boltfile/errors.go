package boltfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/jobstore/jobstore/internal/page"
)

// Errors of this package, bare or wrapped.
var (
	// ErrLocked is returned when somebody else holds the file for too long.
	ErrLocked = errors.New("file is locked")

	// ErrFormat is returned for a file that bbolt did not write.
	ErrFormat = errors.New("not a bbolt file")

	// ErrDamaged is returned when the file contradicts itself.
	ErrDamaged = errors.New("file is damaged")

	// ErrFull is returned when the file cannot grow.
	ErrFull = errors.New("no room to grow the file")

	// ErrUnmapped is returned when the memory map was lost: it could not grow, and
	// bbolt had given it up before it tried. The file itself is sound.
	ErrUnmapped = errors.New("the memory map of the file could not grow and is lost: it has to be opened again")
)

// A fault is what the memory map did not give.
type fault struct {
	address uintptr
	reason  string
}

func (f fault) Error() string { return ErrDamaged.Error() + ": " + f.reason }

func (fault) Unwrap() error { return ErrDamaged }

func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Guard runs fn. It returns a panic, or a fault of the memory map, as
// ErrDamaged: both come from pages that are not what they should be.
func Guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if f, ok := r.(interface{ Addr() uintptr }); ok {
			err = fault{f.Addr(), fmt.Sprint(r)}
		} else if r != nil {
			err = damagedf("%v", r)
		}
	}()
	return fn()
}

// Explain returns the error of the disk if err is a fault of the memory map, and the
// disk fails to give that page again. Otherwise it returns err.
func (f *File) Explain(err error) error {
	var at fault
	if !errors.As(err, &at) || f.Wrecked() {
		return err
	}
	found := err
	_ = Guard(func() error {
		tx, err := f.Begin(false) // or the map may change
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		info := f.DB.Info()
		if at.address < info.Data || at.address-info.Data >= uintptr(tx.Size()) {
			return nil
		}
		number := int64(at.address-info.Data) / int64(info.PageSize)
		page := make([]byte, info.PageSize)
		if _, err := f.file.ReadAt(page, number*int64(info.PageSize)); err != nil && !errors.Is(err, io.EOF) {
			found = fmt.Errorf("page %d: %w", number, WithoutPath(err))
		}
		return nil
	})
	return found
}

// OutOfRoom reports whether err says that the file cannot grow. bbolt keeps
// only the text of some errors of the operating system.
func OutOfRoom(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrFull) || errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		return true
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EFBIG, errQuota} {
		if errors.Is(err, errno) || strings.HasSuffix(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}

// WithoutPath strips the path from an error of the operating system, for
// callers that name it themselves.
func WithoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}

// ours returns err, of bbolt or of package page, as one of this package.
func ours(err error) error {
	switch damage := (page.Damage{}); {
	case err == nil:
		return nil
	case errors.Is(err, bbolterrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, bbolterrors.ErrInvalidMapping):
		return ErrUnmapped
	case errors.As(err, &damage), errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum),
		errors.Is(err, bbolterrors.ErrVersionMismatch):
		return damagedf("%v", err)
	}
	return WithoutPath(err)
}
