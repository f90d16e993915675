package boltfile

import (
	"errors"
	"os"
	"syscall"
)

// nextData returns where the next part of file that is no hole begins and ends, at
// offset or behind it. Both are size when there is none. A file system that knows
// of no holes gives all of the file.
func nextData(file *os.File, offset, size int64) (from, end int64) {
	const seekData, seekHole = 3, 4
	from, err := file.Seek(offset, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return size, size
	}
	if err != nil || from < offset {
		return offset, size
	}
	end, err = file.Seek(from, seekHole)
	if err != nil || end <= from {
		end = size
	}
	return min(from, size), min(end, size)
}
