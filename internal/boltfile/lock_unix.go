//go:build unix && !solaris && !aix

package boltfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lockRetry is the time between two tries to lock a file.
const lockRetry = 50 * time.Millisecond

// lockFile takes the lock on f that bbolt takes, in the same way: bbolt, which
// locks the same descriptor afterwards, then finds it locked by itself.
func lockFile(f *os.File, exclusive bool, timeout time.Duration) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for start := time.Now(); ; time.Sleep(lockRetry) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if time.Since(start) > timeout-lockRetry {
			return ErrLocked
		}
	}
}
