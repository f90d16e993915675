//go:build unix && !solaris && !aix

package boltfile

import "syscall"

// probeMap reports whether so many bytes can be mapped, beside what is mapped now.
// bbolt unmaps the file before it maps it anew, and has none when that fails.
func (f *File) probeMap(size int64) error {
	b, err := syscall.Mmap(int(f.file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	return syscall.Munmap(b)
}
