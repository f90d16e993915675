package jobstore_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// allocated returns how many bytes fn allocates, whether they are given back or not.
func allocated(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// Salvage allocates no more than 150 bytes a job in all, beside buffers of a fixed
// size, whether the store is sound or not, and whatever one number in it says.
func TestSalvageMemory(t *testing.T) {
	const jobs, buffers = 30_000, 6 << 20
	path := storePath(t)
	s := openStore(t, path, &jobstore.Options{NoSync: true})
	for i := range jobs / 1000 {
		batch := make([]*jobstore.Job, 1000)
		for j := range batch {
			batch[j] = queuedVideo(fmt.Sprint("https://example.com/", i, "/", j))
		}
		require.NoError(t, s.Create(t.Context(), batch...))
	}
	closeStore(t, s)
	leaf, pageSize := leafPage(t, path, "jobs")
	at := int64(leaf) * pageSize
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	big := binary.NativeEndian.AppendUint32(nil, 1<<31-1)
	for name, damage := range map[string]func(){
		"sound":           func() {},
		"no meta pages":   func() { overwrite(t, path, 0, make([]byte, 2*pageSize)) },
		"overflow":        func() { overwrite(t, path, at+12, big) },
		"count":           func() { overwrite(t, path, at+10, big[:2]) },
		"size of a key":   func() { overwrite(t, path, at+16+8, big) },
		"size of a value": func() { overwrite(t, path, at+16+12, big) },
		"within a hole": func() {
			overwrite(t, path, at+12, big)
			require.NoError(t, os.Truncate(path, 1<<41))
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, file, 0o600))
			damage()
			var report jobstore.SalvageReport
			n := allocated(func() {
				var err error
				report, err = jobstore.Salvage(t.Context(), path, io.Discard, nil)
				require.NoError(t, err)
			})
			t.Logf("%d bytes, %d a job", n, n/jobs)
			require.EqualValues(t, jobs, report.Jobs)
			require.Less(t, n, int64(150*jobs+buffers))
			require.LessOrEqual(t, report.UnreadBytes, report.FileBytes)
		})
	}
}

// A file that is nearly all hole takes no memory by its size, nor is it read.
func TestSalvageOfHoles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("holes are read as zeros here")
	}
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 100)
	closeStore(t, s)
	size := int64(1 << 50)
	for os.Truncate(path, size) != nil {
		size /= 2
	}
	for _, metas := range []bool{true, false} {
		if !metas {
			overwrite(t, path, 0, make([]byte, 8192))
		}
		n := allocated(func() {
			report, err := jobstore.Salvage(t.Context(), path, io.Discard, nil)
			require.NoError(t, err)
			require.EqualValues(t, 100, report.Jobs)
			require.Equal(t, size, report.FileBytes)
		})
		t.Logf("%d bytes for %d", n, size)
		require.Less(t, n, int64(4<<20))
	}
}
