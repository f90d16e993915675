package jobstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

func TestOpenCreates(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, &jobstore.Options{}) // synced, as a store is by default
	require.NoError(t, s.Create(t.Context(), newJob("job_a")))
	require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(path)), "no temporary files are left")
	closeStore(t, s)
	require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(path)))

	s, err := jobstore.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { closeStore(t, s) })
	_, err = s.Get(t.Context(), "job_a")
	require.NoError(t, err)
}

// TestOpenTogether opens one new file many times at once: one gets it, the
// others find it locked, and nothing but the store is left.
func TestOpenTogether(t *testing.T) {
	path := storePath(t)
	var wg sync.WaitGroup
	stores, errs := make([]*jobstore.Store, 8), make([]error, 8)
	for i := range stores {
		wg.Go(func() {
			stores[i], errs[i] = jobstore.Open(path, &jobstore.Options{NoSync: true, LockTimeout: time.Millisecond})
		})
	}
	wg.Wait()
	opened := 0
	for i, s := range stores {
		if errs[i] != nil {
			require.ErrorIs(t, errs[i], jobstore.ErrLocked)
			require.Nil(t, s)
			continue
		}
		opened++
		require.NoError(t, s.Create(t.Context(), newJob("job_a")))
		closeStore(t, s)
	}
	require.Equal(t, 1, opened)
	require.Equal(t, []string{"jobs.db"}, filesIn(t, filepath.Dir(path)))
	closeStore(t, openStore(t, path, nil))
}

// TestOpenRefuses opens what is no store: the error says what it is and names
// the path, and nothing is changed.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
		says string
	}{
		{"folder", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
			jobstore.ErrFormat, "directory"},
		{"FIFO", makeFIFO, jobstore.ErrFormat, "regular"},
		{"device", func(t *testing.T, path string) { require.NoError(t, os.Symlink(os.DevNull, path)) },
			jobstore.ErrFormat, "regular"},
		{"empty file", func(t *testing.T, path string) { write(t, path, nil) },
			jobstore.ErrFormat, "empty"},
		{"one byte", func(t *testing.T, path string) { write(t, path, []byte{0}) },
			jobstore.ErrFormat, ""},
		{"text file", func(t *testing.T, path string) { write(t, path, []byte("not a store\n")) },
			jobstore.ErrFormat, ""},
		{"long text file", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("not a store\n"), 10000)) },
			jobstore.ErrFormat, ""},
		{"zeros", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) },
			jobstore.ErrFormat, ""},
		{"foreign bbolt file", func(t *testing.T, path string) {
			withBolt(t, path, func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte("widgets"))
				if err != nil {
					return err
				}
				return b.Put([]byte("a"), []byte("b"))
			})
		}, jobstore.ErrFormat, "jobstore"},
		{"empty bbolt file", func(t *testing.T, path string) {
			withBolt(t, path, func(*bbolt.Tx) error { return nil })
		}, jobstore.ErrFormat, "jobstore"},
		{"newer format", func(t *testing.T, path string) { makeStore(t, path); setFormat(t, path, 2) },
			jobstore.ErrFormat, "format 2"},
		{"far newer format", func(t *testing.T, path string) { makeStore(t, path); setFormat(t, path, 1<<63) },
			jobstore.ErrFormat, "format 9223372036854775808"},
		{"missing file in a missing folder", func(*testing.T, string) {}, fs.ErrNotExist, ""},
		{"dangling link", func(t *testing.T, path string) {
			require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(path), "nowhere", "jobs.db"), path))
		}, fs.ErrNotExist, ""},
	} {
		for _, readOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/read-only=%t", c.name, readOnly), func(t *testing.T) {
				path := storePath(t)
				if strings.Contains(c.name, "missing folder") {
					path = filepath.Join(filepath.Dir(path), "missing", "jobs.db")
				}
				c.make(t, path)
				before := snapshot(t, filepath.Dir(path))

				for range 2 { // and the lock is given back
					s, err := jobstore.Open(path, &jobstore.Options{ReadOnly: readOnly, LockTimeout: time.Millisecond})
					require.ErrorIs(t, err, c.want)
					require.ErrorContains(t, err, path)
					require.ErrorContains(t, err, c.says)
					require.Equal(t, 1, strings.Count(err.Error(), path), "the path is said once: %v", err)
					require.Nil(t, s)
				}
				require.Equal(t, before, snapshot(t, filepath.Dir(path)), "nothing is changed")
			})
		}
	}
}

func TestOpenRefusesOptions(t *testing.T) {
	path := storePath(t)
	_, err := jobstore.Open(path, &jobstore.Options{LockTimeout: -1})
	requireFieldError(t, err, "Options.LockTimeout")
	_, err = jobstore.Open(path, &jobstore.Options{MaxSize: -1})
	requireFieldError(t, err, "Options.MaxSize")
	_, err = jobstore.Open("", nil)
	requireFieldError(t, err, "path")
	_, err = jobstore.Open(path, &jobstore.Options{ReadOnly: true})
	require.ErrorIs(t, err, fs.ErrNotExist, "a read-only store is not created")
	_, err = jobstore.Open("a\x00b", nil)
	require.Error(t, err)
	require.Empty(t, filesIn(t, filepath.Dir(path)))
}

// TestOpenMissingFormat opens a store whose format version is gone.
func TestOpenMissingFormat(t *testing.T) {
	path := storePath(t)
	makeStore(t, path)
	withBolt(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("jobstore")).Bucket([]byte("meta")).Delete([]byte("format"))
	})
	before := snapshot(t, filepath.Dir(path))
	_, err := jobstore.Open(path, nil)
	require.ErrorIs(t, err, jobstore.ErrCorrupt)
	require.Equal(t, before, snapshot(t, filepath.Dir(path)))
}

func TestOpenThroughLink(t *testing.T) {
	path := storePath(t)
	makeStore(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.Symlink(path, link))
	s := openStore(t, link, nil)
	_, err := s.Get(t.Context(), "job_a")
	require.NoError(t, err)
	_, err = jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond})
	require.ErrorIs(t, err, jobstore.ErrLocked, "it is the same file by another name")
}

// TestOpenLocked opens a file that another Store of this process holds, which
// is the same to the lock as another process.
func TestOpenLocked(t *testing.T) {
	path := storePath(t)
	first := openStore(t, path, nil)

	const timeout = 200 * time.Millisecond
	start := time.Now()
	second, err := jobstore.Open(path, &jobstore.Options{LockTimeout: timeout})
	waited := time.Since(start)
	require.ErrorIs(t, err, jobstore.ErrLocked)
	require.ErrorContains(t, err, path)
	require.Nil(t, second)
	require.Greater(t, waited, timeout/2, "it has waited for the lock")

	_, err = jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond, ReadOnly: true})
	require.ErrorIs(t, err, jobstore.ErrLocked, "a reader waits for a writer too")

	require.NoError(t, first.Create(t.Context(), newJob("job_a")), "the first has suffered nothing")

	// A lock that is given back in time is taken.
	opened := make(chan error)
	go func() {
		s, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Minute, NoSync: true})
		if err == nil {
			_, err = s.Get(context.Background(), "job_a")
			closeStore(t, s)
		}
		opened <- err
	}()
	closeStore(t, first)
	require.NoError(t, <-opened)
}

// TestOpenLockedWhileItGrows opens a file whose pages come and go meanwhile.
// It is locked, and nothing else is the matter with it.
func TestOpenLockedWhileItGrows(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	var openers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		openers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond})
					if !errors.Is(err, jobstore.ErrLocked) {
						t.Errorf("open: %v", err)
						return
					}
				}
			}
		})
	}
	for i := range 100 {
		j := newJob(jobstore.ID(fmt.Sprintf("job_%d", i)))
		j.Options = fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", 40_000))
		require.NoError(t, s.Put(t.Context(), j))
	}
	close(done)
	openers.Wait()
}

func TestReadOnly(t *testing.T) {
	path := storePath(t)
	makeStore(t, path)
	before := snapshot(t, filepath.Dir(path))

	readers := make([]*jobstore.Store, 3)
	for i := range readers {
		readers[i] = openStore(t, path, &jobstore.Options{ReadOnly: true, LockTimeout: time.Millisecond})
	}
	_, err := jobstore.Open(path, &jobstore.Options{LockTimeout: time.Millisecond})
	require.ErrorIs(t, err, jobstore.ErrLocked, "a writer waits for readers")

	for _, s := range readers {
		page, err := s.List(t.Context(), jobstore.Query{Kind: jobstore.KindVideo})
		require.NoError(t, err)
		require.Len(t, page.Jobs, 1)
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, stats.Jobs)

		require.ErrorIs(t, s.Create(t.Context(), newJob("job_b")), jobstore.ErrReadOnly)
		require.ErrorIs(t, s.Put(t.Context(), newJob("job_a")), jobstore.ErrReadOnly)
		_, err = s.Update(t.Context(), "job_a", func(*jobstore.Job) error {
			t.Error("fn was called though nothing can come of it")
			return nil
		})
		require.ErrorIs(t, err, jobstore.ErrReadOnly)
		n, err := s.Delete(t.Context(), "job_a")
		require.ErrorIs(t, err, jobstore.ErrReadOnly)
		require.Zero(t, n)
		closeStore(t, s)
		_, err = s.Get(t.Context(), "job_a")
		require.ErrorIs(t, err, jobstore.ErrClosed)
		require.ErrorIs(t, s.Put(t.Context(), newJob("job_a")), jobstore.ErrClosed)
	}
	require.Equal(t, before, snapshot(t, filepath.Dir(path)), "nothing is changed")
}

// TestMaxSize fills a store to its bound. What was stored stays, what was
// refused is absent, and there is room again when jobs are deleted.
func TestMaxSize(t *testing.T) {
	const maxSize = 1 << 20
	path := storePath(t)
	s := openStore(t, path, &jobstore.Options{NoSync: true, MaxSize: maxSize})
	fat := func(i int) *jobstore.Job {
		j := newJob(jobstore.ID(fmt.Sprintf("job_%04d", i)))
		j.Options = fmt.Appendf(nil, `{"n":%d,"a":"%s"}`, i, strings.Repeat("x", 20_000))
		return j
	}
	stored := 0
	var full error
	for ; stored < 1000 && full == nil; stored++ {
		full = s.Put(t.Context(), fat(stored))
	}
	stored--
	require.ErrorIs(t, full, jobstore.ErrFull)
	require.Greater(t, stored, 5)
	requireStored := func() {
		t.Helper()
		n, err := s.Count(t.Context(), jobstore.Query{})
		require.NoError(t, err)
		require.EqualValues(t, stored, n)
		for i := range stored {
			got, err := s.Get(t.Context(), fat(i).ID)
			require.NoError(t, err)
			require.Equal(t, fat(i).Options, got.Options)
		}
		_, err = s.Get(t.Context(), fat(stored).ID)
		require.ErrorIs(t, err, jobstore.ErrNotFound)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(maxSize))
	}
	requireStored()
	require.ErrorIs(t, s.Create(t.Context(), fat(stored), fat(stored+1)), jobstore.ErrFull, "and again")
	requireStored()

	closeStore(t, s)
	s = openStore(t, path, &jobstore.Options{NoSync: true, MaxSize: maxSize})
	requireStored()
	require.ErrorIs(t, s.Put(t.Context(), fat(stored), fat(stored+1), fat(stored+2)), jobstore.ErrFull)

	// Room is made by deleting, though a deletion itself needs a little.
	var ids []jobstore.ID
	for i := range stored / 2 {
		ids = append(ids, fat(i).ID)
	}
	_, err := s.Delete(t.Context(), ids...)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, s.Put(t.Context(), fat(stored+i)), "there is room again")
	}

	closeStore(t, s)
	s = openStore(t, path, nil) // without a bound
	for i := range 2 * stored {
		require.NoError(t, s.Put(t.Context(), fat(i)))
	}
}

// TestNoStore calls every method of a store that was never opened.
func TestNoStore(t *testing.T) {
	ctx := t.Context()
	for _, s := range []*jobstore.Store{nil, new(jobstore.Store)} {
		require.ErrorIs(t, s.Create(ctx, newJob("")), jobstore.ErrClosed)
		require.ErrorIs(t, s.Put(ctx, newJob("job_a")), jobstore.ErrClosed)
		_, err := s.Get(ctx, "job_a")
		require.ErrorIs(t, err, jobstore.ErrClosed)
		_, err = s.Update(ctx, "job_a", func(*jobstore.Job) error { return nil })
		require.ErrorIs(t, err, jobstore.ErrClosed)
		_, err = s.Delete(ctx, "job_a")
		require.ErrorIs(t, err, jobstore.ErrClosed)
		_, err = s.List(ctx, jobstore.Query{})
		require.ErrorIs(t, err, jobstore.ErrClosed)
		for _, err := range s.All(ctx, jobstore.Query{}) {
			require.ErrorIs(t, err, jobstore.ErrClosed)
		}
		_, err = s.Count(ctx, jobstore.Query{Input: "a"})
		require.ErrorIs(t, err, jobstore.ErrClosed)
		_, err = s.Explain(ctx, jobstore.Query{})
		require.ErrorIs(t, err, jobstore.ErrClosed)
		_, err = s.Stats(ctx)
		require.ErrorIs(t, err, jobstore.ErrClosed)
		for _, err := range s.Check(ctx) {
			require.ErrorIs(t, err, jobstore.ErrClosed)
		}
		require.ErrorIs(t, s.Close(), jobstore.ErrClosed)
	}
}

// withBolt runs fn on the file at path, behind the store's back.
func withBolt(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(fn))
	require.NoError(t, db.Close())
}

// viewBolt is withBolt for reading alone, which leaves the file as it is.
func viewBolt(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(fn))
	require.NoError(t, db.Close())
}

func setFormat(t *testing.T, path string, version uint64) {
	t.Helper()
	withBolt(t, path, func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("jobstore")).Bucket([]byte("meta"))
		return meta.Put([]byte("format"), binary.BigEndian.AppendUint64(nil, version))
	})
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// snapshot returns what the files in dir are, hold, and when they were last
// written to. A folder that is missing has none.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || path == dir {
			return err
		}
		content := []byte{}
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		files[path] = fmt.Sprintf("%s %s %x", info.Mode(), info.ModTime(), content)
		return nil
	})
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return files
}
