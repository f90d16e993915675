//go:build !windows && (!unix || solaris || aix)

package tempfile

import (
	"errors"
	"os"
)

// openStays is whether a file that somebody has open cannot be removed.
const openStays = false

// lockFile fails, so that no file is taken for stale.
func lockFile(*os.File) error { return errors.ErrUnsupported }
