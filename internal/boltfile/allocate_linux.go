package boltfile

import (
	"errors"
	"os"
	"syscall"
)

// allocate makes f longer by n bytes, for which the disk then has room. Not all file
// systems can do that.
func allocate(f *os.File, size, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, size, n)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
