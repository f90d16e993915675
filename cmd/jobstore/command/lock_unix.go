//go:build unix && !solaris && !aix

package command

import (
	"os"
	"syscall"
)

// lockFile locks f, or fails at once when somebody has.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
