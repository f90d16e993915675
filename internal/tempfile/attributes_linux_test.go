package tempfile_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/internal/tempfile"
)

const (
	aclName        = "system.posix_acl_access"
	defaultACLName = "system.posix_acl_default"
)

// accessList returns an access list as the kernel keeps it: the owner may do all,
// the user with this ID what the entry says, the group nothing, and the mask allows
// reading and writing.
func accessList(uid uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, ^uint32(0)}, {0x02, 6, uid}, {0x04, 0, ^uint32(0)}, {0x10, 6, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	b := make([]byte, 1<<10)
	n, err := syscall.Getxattr(path, name, b)
	if err == syscall.ENODATA {
		return nil
	}
	require.NoError(t, err)
	return b[:n]
}

// A file that takes the place of another has its bits, its access list and its
// attributes; the mask of the list does not become rights of the group.
func TestReplaceKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	if err := syscall.Setxattr(path, "user.note", []byte("keep"), 0); err != nil {
		t.Skipf("no attributes here: %v", err)
	}
	require.NoError(t, syscall.Setxattr(path, "user.empty", nil, 0))
	list := accessList(12345)
	if err := syscall.Setxattr(path, aclName, list, 0); err != nil {
		t.Logf("no access lists here: %v", err)
		list = nil
	}
	require.NoError(t, os.Chmod(path, os.ModeSetgid|os.ModeSticky|0o660))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(path, 12, 34))
		require.NoError(t, os.Chmod(path, os.ModeSetuid|os.ModeSetgid|os.ModeSticky|0o660))
	}
	before, err := os.Stat(path)
	require.NoError(t, err)

	f, err := tempfile.Create(path, tempfile.Compact)
	require.NoError(t, err)
	require.NoError(t, f.Replace(path))
	f.Remove()

	after, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after))
	require.Equal(t, before.Mode(), after.Mode())
	was, is := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	require.Equal(t, [2]uint32{was.Uid, was.Gid}, [2]uint32{is.Uid, is.Gid})
	require.Equal(t, []byte("keep"), attribute(t, path, "user.note"))
	require.Equal(t, []byte{}, attribute(t, path, "user.empty"))
	require.Equal(t, list, attribute(t, path, aclName))
}

// A list that the new file inherits from its folder is not one that the old had.
func TestReplaceTakesNothingFromFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o640))
	require.NoError(t, os.Chmod(path, 0o640))
	if err := syscall.Setxattr(filepath.Dir(path), defaultACLName, accessList(12345), 0); err != nil {
		t.Skipf("no access lists here: %v", err)
	}
	f, err := tempfile.Create(path, tempfile.Compact)
	require.NoError(t, err)
	require.NotNil(t, attribute(t, f.Name(), aclName))
	require.NoError(t, f.Replace(path))
	f.Remove()
	require.Nil(t, attribute(t, path, aclName))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode().Perm())
}
