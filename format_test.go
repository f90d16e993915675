package jobstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// fixture copies a file that stands in testdata for ever, and returns where it is.
func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "format", name))
	require.NoError(t, err)
	path := storePath(t)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// A file that a version of format 2 has closed opens, reads and takes writes for ever.
// It has 59 jobs of all kinds and statuses on seven inputs, a job of several pages,
// and an idempotency key.
func TestFormat2(t *testing.T) {
	path := fixture(t, "2.bolt")
	for _, readOnly := range []bool{true, false} {
		s := openStore(t, path, &jobstore.Options{NoSync: true, ReadOnly: readOnly})
		require.EqualValues(t, 61, countAll(t, s))
		for i := range 60 {
			job, err := s.Get(t.Context(), jobstore.ID(fmt.Sprintf("job_fixture%03d", i)))
			if i == 7 {
				require.ErrorIs(t, err, jobstore.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("https://example.com/%d.mp4", i%7), job.Input)
			require.Equal(t, fmt.Sprintf(`{ "n": %d }`, i), string(job.Options))
			require.Equal(t, `{"a":"`+strings.Repeat("x", i*20)+`"}`, string(job.Metadata))
			require.Equal(t, i%9 == 0, job.Tasks != nil)
		}
		large, err := s.Get(t.Context(), "job_large")
		require.NoError(t, err)
		require.Len(t, large.Metadata, 9008)
		for i := range 7 {
			n, err := s.Count(t.Context(), jobstore.Query{Input: fmt.Sprintf("https://example.com/%d.mp4", i)})
			require.NoError(t, err)
			require.EqualValues(t, map[bool]int{true: 9, false: 8}[i < 4]-map[bool]int{true: 1}[i == 0], n, "input %d", i)
		}
		closeStore(t, s)
	}
	s := openStore(t, path, nil)
	require.ErrorIs(t, s.Create(t.Context(), newJob("job_fixture001")), jobstore.ErrExists)
	require.NoError(t, s.Create(t.Context(), newJob("")))
	_, err := s.Delete(t.Context(), "job_large")
	require.NoError(t, err)
	closeStore(t, s)
	require.EqualValues(t, 61, countAll(t, openStore(t, path, nil)))
}

// A file of the format before is refused with the way out, and left as it is.
func TestFormat1(t *testing.T) {
	path := fixture(t, "1.bolt")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, readOnly := range []bool{true, false} {
		_, err := jobstore.Open(path, &jobstore.Options{ReadOnly: readOnly})
		require.ErrorIs(t, err, jobstore.ErrFormat)
		require.ErrorContains(t, err, "export it with the version that wrote it")
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// Buckets that somebody else keeps in the file, up to eight levels deep and whatever
// their names, are left whole by every operation.
func TestForeignBuckets(t *testing.T) {
	path := storePath(t)
	makeStore(t, path)
	names := []string{"a", "jobstore.rebuild", "rebuild", "zzz"}
	withBolt(t, path, func(tx *bbolt.Tx) error {
		for _, name := range names {
			b, err := tx.CreateBucket([]byte(name))
			require.NoError(t, err)
			for level := range 8 {
				require.NoError(t, b.Put([]byte("key"), fmt.Appendf(nil, "%s at %d", name, level)))
				if level == 3 {
					for i := range 300 {
						require.NoError(t, b.Put(fmt.Appendf(nil, "n%03d", i), make([]byte, 100)))
					}
				}
				if level < 7 {
					b, err = b.CreateBucket([]byte("in"))
					require.NoError(t, err)
				}
			}
		}
		return nil
	})
	requireWhole := func(path string) {
		t.Helper()
		viewBolt(t, path, func(tx *bbolt.Tx) error {
			for _, name := range names {
				b := tx.Bucket([]byte(name))
				for level := range 8 {
					require.NotNil(t, b, "%s at %d", name, level)
					require.Equal(t, fmt.Sprintf("%s at %d", name, level), string(b.Get([]byte("key"))))
					b = b.Bucket([]byte("in"))
				}
			}
			return nil
		})
	}
	requireWhole(path)
	s := openStore(t, path, nil)
	for i := range 300 {
		require.NoError(t, s.Create(t.Context(), mixedJob(i)))
	}
	_, err := s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.NoError(t, err)
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err = s.BackupFile(t.Context(), backup, nil)
	require.NoError(t, err)
	closeStore(t, s)
	requireWhole(path)
	requireWhole(backup)
	_, _, err = jobstore.CompactInPlace(t.Context(), path, nil)
	require.NoError(t, err)
	requireWhole(path)
	require.EqualValues(t, 301, countAll(t, openStore(t, path, nil)))
}
