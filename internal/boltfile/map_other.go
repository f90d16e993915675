//go:build !unix || solaris || aix

package boltfile

// probeMap does nothing where a map cannot be tried out.
func (f *File) probeMap(int64) error { return nil }
