package faults

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

var killsFlag = flag.Int("kills", 15, "processes to kill")

const workloadWriters = 6

// TestKill kills a process that writes, again and again on the same file, and
// holds what is in it against what the process was told.
func TestKill(t *testing.T) {
	seed := seeded(t)
	rng := newRand(seed, 3)
	path := filepath.Join(t.TempDir(), "jobs.db")
	l := newLedger(workloadWriters)
	inFlight := 0
	for n := range *killsFlag {
		cmd := child("workload", path, fmt.Sprint(rng.Uint64()), "0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		// Some are killed while they open the file, the others once they write.
		var once sync.Once
		kill := func(after time.Duration) {
			once.Do(func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) })
		}
		if rng.IntN(5) == 0 {
			kill(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
		delay := time.Duration(rng.IntN(150)) * time.Millisecond
		err = l.read(stdout, func(message) { kill(delay) })
		kill(0)
		_ = cmd.Wait()
		require.NoError(t, err, "kill %d: %s", n, stderr.String())
		for _, p := range l.pending {
			if p != nil {
				inFlight++
			}
		}
		verify(t, path, l, "kill %d", n)
	}
	t.Logf("%d kills: %d operations acknowledged and none lost, %d in flight of which %d were done",
		*killsFlag, l.acked, inFlight, l.whole)
}

// verify opens the store at path and compares it with the ledger.
func verify(t *testing.T, path string, l *ledger, what string, args ...any) {
	t.Helper()
	store, err := jobstore.Open(path, nil)
	require.NoError(t, err, append([]any{what}, args...)...)
	err = l.compare(store)
	require.NoError(t, store.Close())
	require.NoError(t, err, append([]any{what}, args...)...)
}

// workloadChild runs a workload on the file at path: args are the path, a seed
// and the number of steps of each writer.
func workloadChild(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("workload child: %q", args)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	steps, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	store, err := jobstore.Open(args[0], nil)
	if err != nil {
		return err
	}
	(&workload{store: store, rng: newRand(seed, 0), writers: workloadWriters, steps: steps}).run()
	return store.Close()
}
