package tempfile_test

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/internal/tempfile"
)

const childVar = "TEMPFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVar); path != "" {
		f, err := tempfile.Create(path, tempfile.Backup)
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(f.Name() + "\n")
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// What a killed process has left is removed, what a living one writes is not.
func TestRemoveStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	name, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	name = name[:len(name)-1]

	removed, err := tempfile.RemoveStale(path, tempfile.Backup)
	require.NoError(t, err)
	require.Empty(t, removed, "it is being written")
	require.FileExists(t, name)

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	removed, err = tempfile.RemoveStale(path, tempfile.Compact)
	require.NoError(t, err)
	require.Empty(t, removed, "it was made for something else")
	removed, err = tempfile.RemoveStale(path, tempfile.Backup)
	require.NoError(t, err)
	require.Equal(t, []string{name}, removed)
	requireEmpty(t, filepath.Dir(path))
}

// A file without a lock is not one of ours, and neither is a folder.
func TestRemoveStaleLeavesOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "jobs.db")
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".jobs.db.backup-mine.lock"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".jobs.db.backup-too"), nil, 0o600))
	removed, err := tempfile.RemoveStale(path, tempfile.Backup)
	require.NoError(t, err)
	require.Empty(t, removed)
	require.FileExists(t, filepath.Join(dir, ".jobs.db.backup-too"))
	require.DirExists(t, filepath.Join(dir, ".jobs.db.backup-mine.lock"))
}

// Those who clean up do not come in the way of those who make files.
func TestRemoveStaleWhileCreating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := tempfile.RemoveStale(path, tempfile.New); err != nil {
					t.Error(err)
				}
				f, err := tempfile.Create(path, tempfile.New)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(f.Name()); err != nil {
					t.Error(err)
				}
				f.Remove()
			}
		})
	}
	wg.Wait()
	requireEmpty(t, filepath.Dir(path))
}

func TestLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	f, err := tempfile.Create(path, tempfile.New)
	require.NoError(t, err)
	require.NoError(t, f.Link(path))
	f.Remove()
	require.FileExists(t, path)
	f, err = tempfile.Create(path, tempfile.New)
	require.NoError(t, err)
	require.ErrorIs(t, f.Link(path), fs.ErrExist)
	f.Remove()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
