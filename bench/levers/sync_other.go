//go:build !linux

package main

import "os"

// datasync is what bbolt syncs with.
func datasync(f *os.File) error { return f.Sync() }
