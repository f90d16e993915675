package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSparse returns the path of a store that is free for the greater part.
func newSparse(t *testing.T) string {
	t.Helper()
	database := newExamples(t)
	must(t, database, "", "prune", "--older-than", "1d", "--status", "processing,succeeded,failed,cancelled")
	return database
}

// fileSize returns the size of a file in bytes.
func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func TestCompact(t *testing.T) {
	database := newSparse(t)
	require.NoError(t, os.Chmod(database, 0o640))
	want := must(t, database, "", "export")
	before := fileSize(t, database)
	assert.Regexp(t, `(?m)^file    .* \(\d\d%\) of it free$`, must(t, database, "", "stats"))

	text, err := os.ReadFile(database)
	require.NoError(t, err)
	folder := t.TempDir()
	path := filepath.Join(folder, "compacted.db")
	out := must(t, database, "", "compact", "-o", path)
	assert.Regexp(t, fmt.Sprintf(`^before  %d bytes, .* \(\d\d%%\) of it free\nafter   %d bytes\n$`, before, fileSize(t, path)), out)
	assert.Equal(t, []string{"compacted.db"}, filesIn(t, folder))
	requireCopy(t, database, path)
	same, err := os.ReadFile(database)
	require.NoError(t, err)
	assert.True(t, string(text) == string(same), "the store was changed")

	out = must(t, database, "", "compact")
	after := fileSize(t, database)
	assert.Regexp(t, fmt.Sprintf(`^before  %d bytes, .* \(\d\d%%\) of it free\nafter   %d bytes\n$`, before, after), out)
	assert.Less(t, after, before*2/3)
	assert.True(t, want == must(t, database, "", "export"))
	info, err := os.Stat(database)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode())
	assert.Len(t, filesIn(t, filepath.Dir(database)), 1)
	assert.Regexp(t, `(?m)^file    .* \(\d%\) of it free$`, must(t, database, "", "stats"))
}
