//go:build unix

package boltfile

import (
	"io/fs"
	"os"
	"syscall"
)

// mapFile maps the first bytes of a file for reading, and returns what unmaps them.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, err error) {
	b, err = syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return b, func() error { return syscall.Munmap(b) }, nil
}

// heldBytes returns how many bytes of the file the disk holds, holes left out.
func heldBytes(info fs.FileInfo) (uint64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(st.Blocks) * 512, true
}

// probeMap reports whether so many bytes can be mapped, beside what is mapped now.
// bbolt unmaps the file before it maps it anew, and has none when that fails.
func (f *File) probeMap(size int64) error {
	_, unmap, err := mapFile(f.file, int(size))
	if err != nil {
		return err
	}
	return unmap()
}
