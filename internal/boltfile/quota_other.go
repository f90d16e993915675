//go:build !unix

package boltfile

import "syscall"

// errQuota says that a user's share of the disk is used up. Here nothing says so
// beside the other errors.
const errQuota = syscall.ENOSPC
