//go:build unix && !solaris && !aix

package tempfile

import (
	"errors"
	"os"
	"syscall"
)

// openStays is whether a file that somebody has open cannot be removed.
const openStays = false

// lockFile takes the lock on f, or returns errLocked. The lock ends with f, or with
// the process.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}
