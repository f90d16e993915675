//go:build !linux

package boltfile

import (
	"errors"
	"os"
)

// allocate fails: a full disk shows when pages are written.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }
