package jobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// mixedJob returns job i of a set that has every kind, status and shape. Without
// an ID, the store mints one.
func mixedJob(i int) *jobstore.Job {
	j := &jobstore.Job{
		Kind: kindNo(i), Status: statusNo(i / kinds), Input: fmt.Sprintf("https://example.com/%d", i%17),
		Output: fmt.Sprintf("s3://bucket/%d", i), Metadata: fmt.Appendf(nil, `{"n": %d}`, i),
	}
	if i%3 == 0 {
		j.Tasks = fmt.Appendf(nil, `[{"id": "task_%d",`+"\n"+`"pad": "%0*d"}]`, i, i*37%3000+1, i)
	}
	return j
}

// fill creates n jobs of the mixed set in a few commits, and returns them.
func fill(t *testing.T, s *jobstore.Store, n int) []*jobstore.Job {
	t.Helper()
	jobs := make([]*jobstore.Job, n)
	for i := range jobs {
		jobs[i] = mixedJob(i)
	}
	for from := 0; from < n; from += 1000 {
		require.NoError(t, s.Create(t.Context(), jobs[from:min(n, from+1000)]...))
	}
	return jobs
}

// everything returns all jobs of a store, tasks and all, oldest first.
func everything(t *testing.T, s *jobstore.Store) []jobstore.Job {
	t.Helper()
	jobs := []jobstore.Job{}
	for job, err := range s.All(t.Context(), jobstore.Query{Order: jobstore.Asc}) {
		require.NoError(t, err)
		whole, err := s.Get(t.Context(), job.ID)
		require.NoError(t, err)
		jobs = append(jobs, whole)
	}
	return jobs
}

func TestBackupIsTheStore(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	jobs := fill(t, s, 2100)
	_, err := s.Delete(t.Context(), jobs[7].ID, jobs[2000].ID)
	require.NoError(t, err)
	once := queuedVideo("once")
	_, err = s.CreateOnce(t.Context(), "key", once)
	require.NoError(t, err)
	want := everything(t, s)

	var stages []string
	var last [2]int64
	copied := filepath.Join(t.TempDir(), "copy.db")
	size, err := s.BackupFile(t.Context(), copied, func(stage string, done, total int64) {
		if len(stages) == 0 || stages[len(stages)-1] != stage {
			stages = append(stages, stage)
		}
		require.LessOrEqual(t, done, total)
		last = [2]int64{done, total}
	})
	require.NoError(t, err)
	require.Equal(t, []string{"copy", "check"}, stages)
	require.Equal(t, last[0], last[1])
	info, err := os.Stat(copied)
	require.NoError(t, err)
	require.GreaterOrEqual(t, info.Size(), size)
	require.Equal(t, []string{"copy.db"}, filesIn(t, filepath.Dir(copied)), "a temporary file was left")

	// Only a file with a list of its free pages tells a reader of them.
	reader := openStore(t, copied, &jobstore.Options{ReadOnly: true})
	stats, err := reader.Stats(t.Context())
	require.NoError(t, err)
	require.NotZero(t, stats.FreeBytes)
	require.Equal(t, want, everything(t, reader))
	closeStore(t, reader)

	var again bytes.Buffer
	n, err := s.Backup(t.Context(), &again)
	require.NoError(t, err)
	require.EqualValues(t, again.Len(), n)
	second := filepath.Join(t.TempDir(), "second.db")
	require.NoError(t, os.WriteFile(second, again.Bytes(), 0o600))
	for _, path := range []string{copied, second} {
		c := openStore(t, path, nil)
		require.Equal(t, want, everything(t, c))
		repeated := queuedVideo("once")
		created, err := c.CreateOnce(t.Context(), "key", repeated)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, once.ID, repeated.ID)
		fresh := queuedVideo("later")
		require.NoError(t, c.Create(t.Context(), fresh))
		require.Greater(t, fresh.ID, once.ID)
	}
}

// Backups are taken while others write. Since the order of IDs is the order of
// commits, each has to hold all jobs up to some ID and none past it.
func TestBackupBesideWriters(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	fill(t, s, 500)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil && i < 2000; i++ {
				if err := s.Create(ctx, mixedJob(w+i)); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	var copies [][]byte
	for range 12 {
		acknowledged := countAll(t, s)
		var b bytes.Buffer
		_, err := s.Backup(t.Context(), &b)
		require.NoError(t, err)
		copies = append(copies, b.Bytes())
		require.LessOrEqual(t, acknowledged, countAll(t, s))
	}
	stop()
	writers.Wait()
	final := everything(t, s)
	grown := false
	for i, b := range copies {
		path := filepath.Join(t.TempDir(), "copy.db")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		c := openStore(t, path, nil)
		jobs := everything(t, c)
		require.Equal(t, final[:len(jobs)], jobs, "copy %d", i)
		grown = grown || len(jobs) > 500
		closeStore(t, c)
	}
	require.True(t, grown, "nobody wrote beside the backups")
}

// A writerFunc is called for every Write.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBackupEndsEarly(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	fill(t, s, 2000)
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	for name, test := range map[string]struct {
		ctx  context.Context
		want error
		w    writerFunc
	}{
		"error":       {t.Context(), broken, func(p []byte) (int, error) { return len(p) / 2, broken }},
		"short write": {t.Context(), io.ErrShortWrite, func(p []byte) (int, error) { return len(p) / 2, nil }},
		"cancelled":   {ctx, context.Canceled, func(p []byte) (int, error) { cancel(); return len(p), nil }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []int64{0, 5000, 100_000} { // the first meta page, the second, the others
				var taken int64
				n, err := s.Backup(test.ctx, writerFunc(func(p []byte) (int, error) {
					if taken += int64(len(p)); taken <= after {
						return len(p), nil
					}
					return test.w(p)
				}))
				require.ErrorIs(t, err, test.want)
				if errors.Is(test.want, broken) {
					require.Equal(t, broken, err, "the error of w comes as it is")
				}
				require.LessOrEqual(t, n, taken)
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		require.PanicsWithValue(t, "mine", func() {
			_, _ = s.Backup(t.Context(), writerFunc(func([]byte) (int, error) { panic("mine") }))
		})
	})
	t.Run("nothing is held on to", func(t *testing.T) {
		// The file outgrows its map many times, which waits for every reader.
		fill(t, s, 6000)
	})
	_, err := s.BackupFile(ctx, filepath.Join(t.TempDir(), "copy.db"), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestBackupRefuses(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 100)
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	require.NoError(t, os.WriteFile(taken, []byte("mine"), 0o600))
	for name, want := range map[string]error{
		path: fs.ErrExist, taken: fs.ErrExist,
		filepath.Join(dir, "none", "copy.db"): fs.ErrNotExist,
		"":                                    jobstore.ErrInvalid,
	} {
		_, err := s.BackupFile(t.Context(), name, nil)
		require.ErrorIs(t, err, want, name)
	}
	text, err := os.ReadFile(taken)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))

	closeStore(t, s)
	_, err = s.Backup(t.Context(), io.Discard)
	require.ErrorIs(t, err, jobstore.ErrClosed)
	_, err = (*jobstore.Store)(nil).BackupFile(t.Context(), filepath.Join(dir, "x"), nil)
	require.ErrorIs(t, err, jobstore.ErrClosed)

	// The copy of a store that contradicts itself is no backup.
	editFile(t, path, func(root *bbolt.Bucket) {
		kind := root.Bucket([]byte("kind"))
		k, _ := kind.Cursor().First()
		require.NoError(t, kind.Delete(k))
	})
	damaged, err := jobstore.Open(path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, damaged.Close()) }()
	_, err = damaged.BackupFile(t.Context(), filepath.Join(dir, "copy.db"), nil)
	require.ErrorIs(t, err, jobstore.ErrCorrupt)
	require.Equal(t, []string{"taken"}, filesIn(t, dir))
}

// A backup removes what a killed one has left, and says so.
func TestBackupFileRemovesStale(t *testing.T) {
	path := storePath(t)
	var log bytes.Buffer
	s := openStore(t, path, &jobstore.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	dst := filepath.Join(filepath.Dir(path), "copy.db")
	left := filepath.Join(filepath.Dir(path), ".copy.db.backup-123")
	require.NoError(t, os.WriteFile(left, nil, 0o600))
	require.NoError(t, os.WriteFile(left+".lock", nil, 0o600))
	_, err := s.BackupFile(t.Context(), dst, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"copy.db", "jobs.db"}, filesIn(t, filepath.Dir(path)))
	require.Contains(t, log.String(), left)
}
