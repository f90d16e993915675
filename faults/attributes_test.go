package faults

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobstore/jobstore"
)

// acl is the access list of a file: read and write for the owner, read for the
// group and for user 1234, and a mask that admits no more than reading.
func acl() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2) // version
	for _, e := range []struct {
		tag, permission uint16
		id              uint32
	}{{1, 6, ^uint32(0)}, {2, 6, 1234}, {4, 0, ^uint32(0)}, {0x10, 4, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.permission)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func newStoreFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s, err := jobstore.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Create(context.Background(), &jobstore.Job{Kind: jobstore.KindVideo, Input: "x"}))
	require.NoError(t, s.Close())
	return path
}

// What rewrites the file leaves it the mode, owner, access list and extended
// attributes that it had.
func TestAttributesAreKept(t *testing.T) {
	const list, attribute = "system.posix_acl_access", "user.jobstore.test"
	ctx := context.Background()
	for name, rewrite := range map[string]func(path string) error{
		"compact": func(path string) error {
			_, _, err := jobstore.CompactInPlace(ctx, path, nil)
			return err
		},
		"reindex": func(path string) error {
			s, err := jobstore.Open(path, nil)
			if err != nil {
				return err
			}
			if _, err = s.Reindex(ctx, jobstore.ReindexOptions{}); err != nil {
				return err
			}
			return s.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newStoreFile(t)
			require.NoError(t, os.Chmod(path, 0o640))
			if os.Getuid() == 0 {
				require.NoError(t, os.Chown(path, 1001, 1002))
			}
			if err := unix.Setxattr(path, attribute, []byte("kept"), 0); err != nil {
				t.Skipf("no extended attributes here: %v", err)
			}
			if err := unix.Setxattr(path, list, acl(), 0); err != nil {
				t.Skipf("no access lists here: %v", err)
			}
			before := attributes(t, path, list, attribute)
			require.NoError(t, rewrite(path))
			require.Equal(t, before, attributes(t, path, list, attribute))
		})
	}
}

func attributes(t *testing.T, path string, names ...string) (all []any) {
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	all = append(all, st.Mode, st.Uid, st.Gid)
	for _, name := range names {
		b := make([]byte, 1024)
		n, err := unix.Getxattr(path, name, b)
		require.NoError(t, err, name)
		all = append(all, string(b[:n]))
	}
	return all
}

// A file with several names would be one file no more if another took the place
// of one of them: that is refused, and the file stays as it was.
func TestHardLinksAreRefused(t *testing.T) {
	path := newStoreFile(t)
	require.NoError(t, os.Link(path, path+"-2"))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, _, err = jobstore.CompactInPlace(context.Background(), path, nil)
	require.ErrorContains(t, err, "link")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	one, err := os.Stat(path)
	require.NoError(t, err)
	two, err := os.Stat(path + "-2")
	require.NoError(t, err)
	require.True(t, os.SameFile(one, two))
}
