//go:build !unix || solaris || aix

package boltfile

import (
	"os"
	"time"
)

// lockFile does nothing where bbolt's lock cannot be taken twice by the same
// descriptor: bbolt takes it after the file was looked at.
func lockFile(*os.File, bool, time.Duration) error { return nil }
