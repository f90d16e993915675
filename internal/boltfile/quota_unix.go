//go:build unix

package boltfile

import "syscall"

// errQuota says that a user's share of the disk is used up.
const errQuota = syscall.EDQUOT
