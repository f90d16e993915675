package command_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/cmd/jobstore/command"
)

// filesIn returns the names of the files in a folder.
func filesIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// requireCopy requires that the store at path is sound and holds what the one at
// database does.
func requireCopy(t *testing.T, database, path string) {
	t.Helper()
	require.Equal(t, "no problems\n", must(t, path, "", "check"))
	require.True(t, must(t, database, "", "export") == must(t, path, "", "export"), "the jobs differ")
}

// damage overwrites the one record with the ID job_abc123.
func damage(t *testing.T, database string) {
	t.Helper()
	text, err := os.ReadFile(database)
	require.NoError(t, err)
	output := []byte("https://store.ittybit.net/org_123/video.mp4")
	require.True(t, bytes.Contains(text, output))
	text = bytes.ReplaceAll(text, output, bytes.ToUpper(output))
	require.NoError(t, os.WriteFile(database, text, 0o600))
}

func TestBackup(t *testing.T) {
	database := newExamples(t)
	reader, err := jobstore.Open(database, &jobstore.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()

	folder := t.TempDir()
	path := filepath.Join(folder, "copy.db")
	assert.Regexp(t, `^backed up to `+path+`: \d+ KiB, checked\n$`, must(t, database, "", "backup", path))
	assert.Equal(t, []string{"copy.db"}, filesIn(t, folder))
	requireCopy(t, database, path)

	streamed := filepath.Join(folder, "streamed.db")
	require.NoError(t, os.WriteFile(streamed, []byte(must(t, database, "", "backup", "-")), 0o600))
	requireCopy(t, database, streamed)

	// Nothing is written over, and a link is followed to where nothing is.
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	link := filepath.Join(folder, "link.db")
	require.NoError(t, os.Symlink(filepath.Join(folder, "nowhere"), link))
	must(t, database, "", "backup", link)
	requireCopy(t, database, filepath.Join(folder, "nowhere"))
	for _, taken := range []string{path, link} {
		got := run(t, database, "", "backup", taken)
		assert.Equal(t, 2, got.code)
		assert.Contains(t, got.err, "exists already; name a new file, or replace it with --force")
	}
	assert.Contains(t, run(t, database, "", "backup", folder).err, "is no regular file")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(before, after))
	assert.Contains(t, run(t, database, "", "backup", filepath.Join(folder, "none", "copy.db")).err, "no such file or directory")
}

// The copy of a damaged store is no backup.
func TestBackupOfDamage(t *testing.T) {
	database := filepath.Join(t.TempDir(), "damaged.db")
	must(t, database, "", "import", examplesFile)
	damage(t, database)
	folder := t.TempDir()
	for _, args := range [][]string{{"backup"}, {"compact", "-o"}} {
		got := run(t, database, "", append(args, filepath.Join(folder, "copy.db"))...)
		assert.Equal(t, 1, got.code, args)
		assert.Empty(t, got.out, args)
		assert.Contains(t, got.err, "the copy is not sound: jobs: job_abc123: ", args)
		assert.Empty(t, filesIn(t, folder), args)
	}
	before, err := os.ReadFile(database)
	require.NoError(t, err)
	assert.Equal(t, 1, run(t, database, "", "compact").code)
	after, err := os.ReadFile(database)
	require.NoError(t, err)
	assert.Len(t, filesIn(t, filepath.Dir(database)), 1)
	assert.GreaterOrEqual(t, len(after), len(before), "the damaged file was replaced")
}

// A store that somebody has open is left to him.
func TestOperatorsAreLockedOut(t *testing.T) {
	t.Parallel()
	database := newExamples(t)
	store, err := jobstore.Open(database, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	folder := t.TempDir()
	for _, args := range [][]string{
		{"backup", filepath.Join(folder, "copy.db")}, {"compact"}, {"compact", "-o", filepath.Join(folder, "copy.db")},
		{"reindex"}, {"prune", "--older-than", "1d"},
	} {
		got := run(t, database, "", args...)
		assert.Equal(t, 1, got.code, args)
		assert.Contains(t, got.err, "another process has the store open", args)
		assert.Empty(t, filesIn(t, folder), args)
	}
}

// TestInterruptedOperators ends the context ever later, until a command gets
// through: no half file stays behind, and the store is as it was.
func TestInterruptedOperators(t *testing.T) {
	database := newExamples(t)
	want := must(t, database, "", "export")
	folder := t.TempDir()
	copied := filepath.Join(folder, "copy.db")
	for _, args := range [][]string{{"backup", copied}, {"compact", "-o", copied}, {"compact"}, {"reindex"}} {
		interrupted := 0
		for looks := 0; ; looks++ {
			var errs bytes.Buffer
			ctx := &endingContext{Context: context.Background(), looks: looks}
			code := command.Main(ctx, append([]string{"--db", database}, args...), strings.NewReader(""), io.Discard, &errs)
			if code == 0 {
				break
			}
			interrupted++
			require.Equal(t, 130, code)
			require.Equal(t, "jobstore: interrupted\n", errs.String(), args)
			require.Empty(t, filesIn(t, folder), "%v after %d looks", args, looks)
			require.Equal(t, []string{"test.db"}, filesIn(t, filepath.Dir(database)), "%v after %d looks", args, looks)
		}
		assert.Greater(t, interrupted, 2, args)
		assert.True(t, want == must(t, database, "", "export"), args)
		_ = os.Remove(copied)
	}
}
