package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/damage"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// allocates returns how much memory fn asks for, of which it may have given
// back any part.
func allocates(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// peak returns how much more memory than before is in use while fn runs, at most.
func peak(fn func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	})
	fn()
	close(stop)
	wg.Wait()
	return most - before
}

// A file that is a petabyte long, nearly all of it a hole, is refused without
// memory for what it claims to hold.
func TestSparseFile(t *testing.T) {
	dir := scratch(t)
	sample, err := damage.Build(dir, 1, 100)
	require.NoError(t, err)
	for _, state := range damage.States {
		for _, length := range []int64{1 << 36, 1 << 40, 1 << 50} {
			for _, counted := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %d GiB, counted %v", state, length>>30, counted), func(t *testing.T) {
					path := filepath.Join(dir, "sparse.db")
					data := bytes.Clone(sample.File(state).Data)
					if counted {
						damage.CountPages(data, uint64(length)/uint64(damage.PageSize))
					}
					require.NoError(t, os.WriteFile(path, data, 0o600))
					if err := os.Truncate(path, length); err != nil {
						t.Skipf("no such file here: %v", err)
					}
					ctx, stop := context.WithTimeout(context.Background(), trialTime)
					defer stop()
					out, err := childContext(ctx, "sparse", path).CombinedOutput()
					require.NoError(t, err, head(string(out)))
				})
			}
		}
	}
}

// sparseChild opens a file in both ways. It may be refused, but not for the price
// of its length.
func sparseChild(args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: childMemory, Max: childMemory}); err != nil {
		return err
	}
	const most = 4 << 20
	for _, readOnly := range []bool{true, false} {
		took := allocates(func() {
			if s, err := jobstore.Open(args[0], &jobstore.Options{ReadOnly: readOnly, NoSync: true}); err == nil {
				_ = s.Close()
			}
		})
		if took > most {
			return fmt.Errorf("open, read-only %v: took %d KiB", readOnly, took>>10)
		}
	}
	return nil
}

// Salvage keeps to the memory that it promises, for a sound file and for one that
// it has to look through byte by byte.
func TestSalvageMemory(t *testing.T) {
	const jobs, each, rest = 60_000, 150, 6 << 20
	path := filepath.Join(scratch(t), "jobs.db")
	s, err := jobstore.Open(path, &jobstore.Options{NoSync: true})
	require.NoError(t, err)
	var batch []*jobstore.Job
	for j := range dataset.Realistic(1, jobs) {
		if batch = append(batch, j); len(batch) == 1000 {
			require.NoError(t, s.Put(context.Background(), batch...))
			batch = batch[:0]
		}
	}
	require.NoError(t, s.Close())
	salvage := func(t *testing.T, least int64) {
		var report jobstore.SalvageReport
		took := peak(func() { report, err = jobstore.Salvage(context.Background(), path, io.Discard, nil) })
		require.NoError(t, err)
		require.GreaterOrEqual(t, report.Jobs, least)
		t.Logf("%d bytes a job", took/jobs)
		require.Less(t, took, uint64(jobs*each+rest))
	}
	t.Run("sound", func(t *testing.T) { salvage(t, jobs) })
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, p := range damage.Walk(data) {
		if strings.Count(p.Path, "/") == 1 { // what leads to all buckets
			clear(data[p.ID*damage.PageSize:][:damage.PageSize])
		}
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
	t.Run("without its buckets", func(t *testing.T) { salvage(t, jobs) })
}

// TestLimits takes the address space, and then the file handles, from a process
// with an open store. That is no damage, and is not said to be.
func TestLimits(t *testing.T) {
	cmd := child("limits", filepath.Join(scratch(t), "jobs.db"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	t.Log(string(out))
}

func limitsChild(args []string) error {
	path := args[0]
	s, err := jobstore.Open(path, &jobstore.Options{NoSync: true})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var acknowledged []jobstore.ID
	create := func() error {
		job := jobstore.Job{Kind: jobstore.KindVideo, Input: "x",
			Metadata: json.RawMessage(`{"m":"` + strings.Repeat("m", 200_000) + `"}`)}
		err := s.Create(ctx, &job)
		if err == nil {
			acknowledged = append(acknowledged, job.ID)
		}
		return err
	}
	for range 150 { // 30 MiB: the next time, bbolt maps 64 in place of 32
		if err := create(); err != nil {
			return err
		}
	}
	grow, err := limited(unix.RLIMIT_AS, addressSpace()+16<<20, func() error {
		for range 60 {
			if err := create(); err != nil {
				return err
			}
		}
		return errors.New("the map grew in spite of the limit")
	})
	if err != nil {
		return err
	}
	if errors.Is(grow, jobstore.ErrCorrupt) || !errors.Is(grow, jobstore.ErrFull) && !errors.Is(grow, syscall.ENOMEM) &&
		!errors.Is(grow, jobstore.ErrCommitUnknown) {
		return fmt.Errorf("no room in the address space: %w", grow)
	}
	fmt.Println("no room in the address space:", grow)
	if err := readsGoOn(s, acknowledged); err != nil {
		return err
	}
	if err := create(); err != nil && !errors.Is(grow, jobstore.ErrCommitUnknown) {
		return fmt.Errorf("create with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if s, err = jobstore.Open(path, &jobstore.Options{NoSync: true}); err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	if err := readsGoOn(s, acknowledged); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	handles, err := limited(unix.RLIMIT_NOFILE, 0, func() error {
		s, err := jobstore.Open(path, nil)
		if err == nil {
			err = errors.Join(errors.New("opened without a file handle"), s.Close())
		}
		return err
	})
	fmt.Println("no file handles:", handles)
	if !errors.Is(handles, syscall.EMFILE) {
		return fmt.Errorf("no file handles: %w", handles)
	}
	return err
}

// limited runs fn under a limit and returns its error.
func limited(what int, n uint64, fn func() error) (of, err error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(what, &old); err != nil {
		return nil, err
	}
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		return nil, err
	}
	of = fn()
	return of, unix.Setrlimit(what, &old)
}

// addressSpace returns how much of it this process has mapped.
func addressSpace() (bytes uint64) {
	status, _ := os.ReadFile("/proc/self/statm")
	_, _ = fmt.Sscan(string(status), &bytes)
	return bytes * uint64(os.Getpagesize())
}

// readsGoOn reads all jobs in several ways, and runs Check.
func readsGoOn(s *jobstore.Store, ids []jobstore.ID) error {
	ctx := context.Background()
	for _, id := range ids {
		if _, err := s.Get(ctx, id); err != nil {
			return fmt.Errorf("get: %w", err)
		}
	}
	if n, err := s.Count(ctx, jobstore.Query{}); err != nil || n < int64(len(ids)) {
		return fmt.Errorf("count: %d of %d, %w", n, len(ids), err)
	}
	if _, err := s.List(ctx, jobstore.Query{Input: "x"}); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for problem, err := range s.Check(ctx) {
		return fmt.Errorf("check: %v, %w", problem, err)
	}
	return nil
}
