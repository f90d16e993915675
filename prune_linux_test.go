package jobstore_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// A store on a disk that is full to the last byte can be emptied and filled again.
func TestPruneOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	s := openStore(t, filepath.Join(disk, "jobs.db"), &jobstore.Options{NoSync: true})
	requireEmptied(t, s, 50, 300)
}
