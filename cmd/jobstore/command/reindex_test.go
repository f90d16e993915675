package command_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

func TestReindex(t *testing.T) {
	database := newExamples(t)
	want := must(t, database, "", "export")
	db, err := bbolt.Open(database, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		kind := tx.Bucket([]byte("jobstore")).Bucket([]byte("kind"))
		key, _ := kind.Cursor().First()
		return kind.Delete(bytes.Clone(key))
	}))
	require.NoError(t, db.Close())
	require.Equal(t, 1, run(t, database, "", "check").code)

	assert.Equal(t, "reindexed 306 jobs\n", must(t, database, "", "reindex"))
	assert.Equal(t, "no problems\n", must(t, database, "", "check"))
	assert.True(t, want == must(t, database, "", "export"))
	assert.Equal(t, "reindexed 306 jobs\n", must(t, database, "", "reindex"), "once more")
}

func TestReindexOfDamagedRecord(t *testing.T) {
	database := filepath.Join(t.TempDir(), "damaged.db")
	must(t, database, "", "import", examplesFile)
	damage(t, database)
	says := "jobstore: " + database + " has damaged records: 1\n"
	for range 2 {
		assert.Equal(t, outcome{1, "reindexed 305 jobs\ndamaged: job_abc123\n", says}, run(t, database, "", "reindex"))
	}
	assert.Equal(t, outcome{1, "reindexed 305 jobs\ndiscarded: job_abc123\n", says}, run(t, database, "", "reindex", "--discard"))
	assert.Equal(t, "reindexed 305 jobs\n", must(t, database, "", "reindex"))
	assert.Equal(t, "no problems\n", must(t, database, "", "check"))
	assert.Equal(t, "305\n", must(t, database, "", "count"))
}
