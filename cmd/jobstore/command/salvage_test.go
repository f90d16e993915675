package command_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSalvage(t *testing.T) {
	database := newExamples(t)
	// Raw fields keep their spaces, which export takes out.
	want := decode(t, must(t, database, "", "export"))

	got := run(t, database, "", "salvage", database)
	require.Equal(t, 0, got.code, got.err)
	assert.True(t, reflect.DeepEqual(want, decode(t, got.out)))
	assert.Regexp(t, `^salvaged 306 jobs\n(?:.*\n)*\d+ of \d+ bytes could not be read\n$`, got.err)

	folder := t.TempDir()
	saved := filepath.Join(folder, "saved.ndjson")
	assert.Empty(t, must(t, database, "", "salvage", database, "-o", saved))
	text, err := os.ReadFile(saved)
	require.NoError(t, err)
	assert.Equal(t, got.out, string(text))
}

// TestSalvageOfDamage brings back what a store without meta pages holds.
func TestSalvageOfDamage(t *testing.T) {
	database := newExamples(t)
	want := decode(t, must(t, database, "", "export"))
	file, err := os.ReadFile(database)
	require.NoError(t, err)
	clear(file[:2*os.Getpagesize()])
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	require.NoError(t, os.WriteFile(damaged, file, 0o600))
	require.Equal(t, 1, run(t, damaged, "", "list").code, "the store still opens")

	got := run(t, damaged, "", "salvage", damaged)
	require.Equal(t, 0, got.code, got.err)
	assert.Contains(t, got.err, "306 of them may have been deleted")
	restored := newDatabase(t)
	must(t, restored, got.out, "import", "-")
	assert.Equal(t, want, decode(t, must(t, restored, "", "export")))
	after, err := os.ReadFile(damaged)
	require.NoError(t, err)
	assert.Equal(t, file, after, "the damaged file was changed")
}

func TestSalvageRefuses(t *testing.T) {
	database := newExamples(t)
	folder := t.TempDir()
	saved := filepath.Join(folder, "saved.ndjson")
	require.NoError(t, os.WriteFile(saved, []byte("old"), 0o600))
	assert.Equal(t, 2, run(t, database, "", "salvage").code)
	assert.Equal(t, 2, run(t, database, "", "salvage", database, "-o", database).code)
	got := run(t, database, "", "salvage", filepath.Join(folder, "none.db"), "-o", saved, "--force")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "no such file")
	text, err := os.ReadFile(saved)
	require.NoError(t, err)
	assert.Equal(t, "old", string(text))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1, "a temporary file stayed behind")
}
