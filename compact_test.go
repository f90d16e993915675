package jobstore_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// sparseStore makes a store most of whose pages are free, and returns what it
// holds.
func sparseStore(t *testing.T, path string) []jobstore.Job {
	t.Helper()
	s := openStore(t, path, nil)
	var ids []jobstore.ID
	for _, j := range fill(t, s, 3000) {
		ids = append(ids, j.ID)
	}
	_, err := s.Delete(t.Context(), ids[200:2900]...)
	require.NoError(t, err)
	_, err = s.CreateOnce(t.Context(), "key", queuedVideo("once"))
	require.NoError(t, err)
	jobs := everything(t, s)
	closeStore(t, s)
	return jobs
}

// requireSound requires that bbolt finds nothing wrong with the pages of a closed
// store.
func requireSound(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt's check: %v", err)
		}
		return nil
	}))
	require.NoError(t, db.Close())
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func TestCompact(t *testing.T) {
	src := storePath(t)
	want := sparseStore(t, src)
	// Somebody else's bucket in the same file goes along.
	withBolt(t, src, func(tx *bbolt.Tx) error {
		app, err := tx.CreateBucket([]byte("app"))
		require.NoError(t, err)
		inner, err := app.CreateBucket([]byte("inner"))
		require.NoError(t, err)
		require.NoError(t, inner.SetSequence(42))
		require.NoError(t, app.Put([]byte("k"), []byte("v")))
		return inner.Put([]byte("empty"), nil)
	})
	before, err := os.ReadFile(src)
	require.NoError(t, err)

	dst := storePath(t)
	var stages []string
	require.NoError(t, jobstore.Compact(t.Context(), dst, src, func(stage string, done, total int64) {
		require.LessOrEqual(t, done, total)
		stages = append(stages, stage)
	}))
	require.Equal(t, []string{"copy", "check"}, slices.Compact(stages))
	require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(dst)))
	require.Less(t, fileSize(t, dst), fileSize(t, src)/4)
	after, err := os.ReadFile(src)
	require.NoError(t, err)
	require.Equal(t, before, after, "src was changed")

	requireSound(t, dst)
	withBolt(t, dst, func(tx *bbolt.Tx) error {
		app := tx.Bucket([]byte("app"))
		require.Equal(t, "v", string(app.Get([]byte("k"))))
		require.EqualValues(t, 42, app.Bucket([]byte("inner")).Sequence())
		require.Equal(t, []byte{}, app.Bucket([]byte("inner")).Get([]byte("empty")))
		return nil
	})
	s := openStore(t, dst, nil)
	require.Equal(t, want, everything(t, s))
	stats, err := s.Stats(t.Context())
	require.NoError(t, err)
	require.Less(t, stats.FreeBytes, stats.FileBytes/10)
	created, err := s.CreateOnce(t.Context(), "key", queuedVideo("once"))
	require.NoError(t, err)
	require.False(t, created)
	fresh := queuedVideo("later")
	require.NoError(t, s.Create(t.Context(), fresh))
	require.Greater(t, fresh.ID, want[len(want)-1].ID)
}

// The file in place has its old name, permissions and symbolic links.
func TestCompactInPlace(t *testing.T) {
	path := storePath(t)
	want := sparseStore(t, path)
	size := fileSize(t, path)
	require.NoError(t, os.Chmod(path, 0o640))
	dir := filepath.Dir(path)
	link := filepath.Join(dir, "link.db")
	require.NoError(t, os.Symlink("jobs.db", link))
	left := filepath.Join(dir, ".jobs.db.compact-123") // by a crash
	require.NoError(t, os.WriteFile(left, nil, 0o600))
	require.NoError(t, os.WriteFile(left+".lock", nil, 0o600))

	before, after, err := jobstore.CompactInPlace(t.Context(), link, nil)
	require.NoError(t, err)
	require.Equal(t, size, before)
	require.Equal(t, fileSize(t, path), after)
	require.Less(t, after, before/4)
	require.Equal(t, []string{"jobs.db", "link.db"}, filesIn(t, dir))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode().Type())
	info, err = os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode().Perm())
	requireSound(t, path)
	s := openStore(t, path, nil)
	require.Equal(t, want, everything(t, s))
}

// Every key of a store that takes several batches arrives.
func TestCompactInBatches(t *testing.T) {
	src := storePath(t)
	s := openStore(t, src, nil)
	pad := make([]byte, 1<<20)
	for i := range pad {
		pad[i] = 'x'
	}
	for i := range 12 {
		j := mixedJob(i)
		j.Tasks = append(append([]byte(`["`), pad...), `"]`...)
		require.NoError(t, s.Create(t.Context(), j))
	}
	fill(t, s, 500)
	want := everything(t, s)
	closeStore(t, s)
	dst := storePath(t)
	require.NoError(t, jobstore.Compact(t.Context(), dst, src, nil))
	requireSound(t, dst)
	s = openStore(t, dst, nil)
	require.Equal(t, want, everything(t, s))
}

func TestCompactRefuses(t *testing.T) {
	src := storePath(t)
	sparseStore(t, src)
	dir := t.TempDir()
	dst := filepath.Join(dir, "dst.db")
	compacts := map[string]func(ctx context.Context) error{
		"copy": func(ctx context.Context) error { return jobstore.Compact(ctx, dst, src, nil) },
		"in place": func(ctx context.Context) error {
			_, _, err := jobstore.CompactInPlace(ctx, src, nil)
			return err
		},
	}
	before, err := os.ReadFile(src)
	require.NoError(t, err)
	unchanged := func(t *testing.T) {
		t.Helper()
		after, err := os.ReadFile(src)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(src)))
		require.Empty(t, filesIn(t, dir))
	}
	t.Run("open elsewhere", func(t *testing.T) {
		s := openStore(t, src, nil)
		require.ErrorIs(t, compacts["copy"](t.Context()), jobstore.ErrLocked)
		closeStore(t, s)
		unchanged(t)
	})
	for name, compact := range compacts {
		t.Run(name+" cancelled", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, compact(ctx), context.Canceled)
			unchanged(t)
		})
	}
	t.Run("in place beside a reader", func(t *testing.T) {
		s := openStore(t, src, &jobstore.Options{ReadOnly: true})
		require.ErrorIs(t, compacts["in place"](t.Context()), jobstore.ErrLocked)
		require.NoError(t, compacts["copy"](t.Context()), "a copy can be made beside readers")
		require.NoError(t, os.Remove(dst))
		closeStore(t, s)
		unchanged(t)
	})
	t.Run("cancelled while checking", func(t *testing.T) {
		for name, run := range map[string]func(context.Context, jobstore.Progress) error{
			"copy": func(ctx context.Context, p jobstore.Progress) error { return jobstore.Compact(ctx, dst, src, p) },
			"in place": func(ctx context.Context, p jobstore.Progress) error {
				_, _, err := jobstore.CompactInPlace(ctx, src, p)
				return err
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			require.ErrorIs(t, run(ctx, func(stage string, _, _ int64) {
				if stage == "check" {
					cancel()
				}
			}), context.Canceled, name)
			unchanged(t)
		}
	})
	t.Run("names", func(t *testing.T) {
		require.ErrorIs(t, jobstore.Compact(t.Context(), src, src, nil), fs.ErrExist)
		require.ErrorIs(t, jobstore.Compact(t.Context(), "", src, nil), jobstore.ErrInvalid)
		none := filepath.Join(dir, "none.db")
		require.ErrorIs(t, jobstore.Compact(t.Context(), dst, none, nil), fs.ErrNotExist)
		_, _, err := jobstore.CompactInPlace(t.Context(), none, nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		unchanged(t)
	})
	// The last one, as the store is damaged from here on.
	for name, compact := range compacts {
		t.Run(name+" of a damaged store", func(t *testing.T) {
			editFile(t, src, func(root *bbolt.Bucket) {
				kind := root.Bucket([]byte("kind"))
				k, _ := kind.Cursor().First()
				require.NoError(t, kind.Delete(k))
			})
			before, err = os.ReadFile(src)
			require.NoError(t, err)
			require.ErrorIs(t, compact(t.Context()), jobstore.ErrCorrupt)
			unchanged(t)
		})
	}
}

// A store that is opened while the file is replaced has waited for the lock on
// the old file, which has no name any more when the lock is free.
func TestOpenWaitsForCompaction(t *testing.T) {
	path := storePath(t)
	sparseStore(t, path)
	opened := make(chan *jobstore.Store, 1)
	var start sync.Once
	_, _, err := jobstore.CompactInPlace(t.Context(), path, func(string, int64, int64) {
		start.Do(func() {
			go func() {
				s, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Minute})
				if err != nil {
					t.Errorf("open: %v", err)
				}
				opened <- s
			}()
			time.Sleep(200 * time.Millisecond) // so that it finds the file locked
		})
	})
	require.NoError(t, err)
	s := <-opened
	require.NotNil(t, s)
	job := queuedVideo("acknowledged")
	require.NoError(t, s.Create(t.Context(), job))
	require.NoError(t, s.Close())
	s = openStore(t, path, nil)
	_, err = s.Get(t.Context(), job.ID)
	require.NoError(t, err)
}

// A file with two names is refused, as one of them would keep the old file.
func TestCompactInPlaceHardLink(t *testing.T) {
	path := storePath(t)
	want := sparseStore(t, path)
	other := path + ".other"
	if err := os.Link(path, other); err != nil {
		t.Skipf("no hard links here: %v", err)
	}
	_, _, err := jobstore.CompactInPlace(t.Context(), path, nil)
	require.ErrorIs(t, err, jobstore.ErrInvalid)
	require.ErrorContains(t, err, "hard links")
	require.Equal(t, want, everything(t, openStore(t, other, nil)))
	require.Len(t, filesIn(t, filepath.Dir(path)), 2)
}
