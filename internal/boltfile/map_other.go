//go:build !unix

package boltfile

import (
	"io/fs"
	"os"
)

// mapFile reads the first bytes of a file, where it cannot be mapped by the means of
// the standard library.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, err error) {
	b = make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, nil, err
	}
	return b, func() error { return nil }, nil
}

// heldBytes is not known here.
func heldBytes(fs.FileInfo) (uint64, bool) { return 0, false }

// probeMap does nothing where a map cannot be tried out.
func (f *File) probeMap(int64) error { return nil }
