//go:build unix

package jobstore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asNobody makes root's child one that has no rights: root may write to
// everything. The child runs a copy of this binary, which stands in a folder of
// root's own.
func asNobody(t *testing.T) func(*exec.Cmd) {
	const nobody = 65534
	if os.Getuid() != 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "jobstore-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	path := filepath.Join(dir, "copy.test")
	require.NoError(t, os.WriteFile(path, binary, 0o755))
	return func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = path, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

func makeFIFO(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
}
