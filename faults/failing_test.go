package faults

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/faults/faultfs"
)

var (
	strideFlag = flag.Int("stride", 23, "fail every so-manieth operation of the file system; 1 is each of them")
	stepsFlag  = flag.Int("steps", 25, "operations of the history in which they fail")
)

// TestFailing fails the n-th write, sync, growth or change of the directory of a
// scripted history, for every n: with an error once, with an error from then on,
// with a full disk for a while, and with a power cut that drops what was not
// synced. It looks at the store that saw it happen, and then opens what is left.
func TestFailing(t *testing.T) {
	seed := seeded(t)
	mount := newMount(t)
	for _, mode := range []failure{
		{name: "error once", count: 1, errno: syscall.EIO},
		{name: "error from then on", errno: syscall.EIO},
		{name: "disk full once", count: 1, errno: syscall.ENOSPC},
		{name: "disk full for 40 operations", count: 40, errno: syscall.ENOSPC},
		{name: "power cut, nothing unsynced is left", errno: syscall.EIO, cut: true},
		{name: "power cut, half of the unsynced is left", errno: syscall.EIO, cut: true, keep: 0.5},
		{name: "power cut, all is left", errno: syscall.EIO, cut: true, keep: 1},
	} {
		t.Run(mode.name, func(t *testing.T) {
			rng := newRand(seed, 5)
			total := newLedger(1)
			n, trials := 1+rng.IntN(*strideFlag), 0
			for {
				l, reached := mode.trial(t, mount, seed, n)
				if !reached {
					break
				}
				total.acked += l.acked
				total.full += l.full
				total.unknown += l.unknown
				total.whole += l.whole
				trials++
				n += *strideFlag
			}
			t.Logf("%d failures in %d operations: %d acknowledged and none lost, %d with ErrFull, %d with ErrCommitUnknown of which %d were done",
				trials, n, total.acked, total.full, total.unknown, total.whole)
		})
	}
}

// A failure is a way in which operations of the file system fail.
type failure struct {
	name  string
	count int // operations that fail; 0 is all that follow
	errno syscall.Errno
	cut   bool    // cut the power afterwards
	keep  float64 // the share of what was not synced that is left
}

// trial runs the history with operation n failing. It returns false when the
// history was over before.
func (f failure) trial(t *testing.T, dir string, seed uint64, n int) (l *ledger, reached bool) {
	t.Helper()
	disk, err := faultfs.Mount(dir, nil, faultfs.Fault{At: n, Count: f.count, Errno: f.errno})
	require.NoError(t, err)
	path := filepath.Join(dir, "jobs.db")
	l = newLedger(1)
	cmd := child("history", path, fmt.Sprint(seed), strconv.Itoa(*stepsFlag))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	hang := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	err = l.read(stdout, nil)
	ended := cmd.Wait()
	if !hang.Stop() {
		t.Errorf("operation %d: child hung", n)
	}
	ops := disk.Ops()
	files := disk.Files()
	if f.cut {
		files = disk.PowerCut(newRand(seed, uint64(n)), f.keep)
	}
	require.NoError(t, disk.Unmount())
	require.NoError(t, err, "operation %d: %s", n, stderr.String())
	require.NoError(t, ended, "operation %d: %s", n, stderr.String())

	// On a sound disk, what is left is opened.
	path = filepath.Join(t.TempDir(), "jobs.db")
	if data, ok := files["jobs.db"]; ok {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		verify(t, path, l, "operation %d", n)
	} else {
		require.Zero(t, l.acked, "operation %d: the file is gone", n)
	}
	return l, ops >= n
}

// historyChild runs a history of one writer, and then looks at the store that
// may have seen a failure: args are the path, a seed and the number of steps. An
// Open that fails must say so with an error, and ends it.
func historyChild(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("history child: %q", args)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	steps, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	l := newLedger(1)
	for session := range uint64(2) {
		if err := historySession(args[0], newRand(seed, session), steps/2, l); err != nil || l.unknown > 0 {
			return err
		}
	}
	return nil
}

// historySession is a part of a history, from Open to Close.
func historySession(path string, rng *rand.Rand, steps int, l *ledger) error {
	store, err := jobstore.Open(path, nil)
	if errors.Is(err, jobstore.ErrCorrupt) || errors.Is(err, jobstore.ErrFormat) {
		return fmt.Errorf("an unexpected error of Open: %w", err)
	} else if err != nil {
		return nil //nolint:nilerr // it said so, which is all that is asked of it
	}
	(&workload{store: store, rng: rng, writers: 1, steps: steps, ledger: l}).run()
	if err := l.compare(store); err != nil {
		return fmt.Errorf("the store that is still open: %w", err)
	}
	if l.unknown > 0 {
		err := store.Create(context.Background(), jobOf(0, change{N: 1000, Status: jobstore.StatusQueued}))
		if !errors.Is(err, jobstore.ErrCommitUnknown) {
			return fmt.Errorf("a write after ErrCommitUnknown: %w", err)
		}
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// newMount returns a directory to mount at, or skips the test where that cannot
// be done.
func newMount(t *testing.T) string {
	if os.Getuid() != 0 {
		t.Skip("a file system can be mounted by root alone")
	}
	dir := t.TempDir()
	disk, err := faultfs.Mount(dir, nil, faultfs.Fault{})
	if err != nil {
		t.Skipf("no FUSE on this machine: %v", err)
	}
	require.NoError(t, disk.Unmount())
	return dir
}
