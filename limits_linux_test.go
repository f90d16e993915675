package jobstore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

const limitedProcess = "JOBSTORE_TEST_LIMITED"

// addressSpace returns how many bytes of it the process uses.
func addressSpace(t *testing.T) uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var pages uint64
	_, err = fmt.Sscan(string(text), &pages)
	require.NoError(t, err)
	return pages * uint64(os.Getpagesize())
}

// A process that has come to a limit of the system hears of that limit, and not of
// damage; its reads go on, and so do writes when the limit is lifted.
func TestLimitsAreNoDamage(t *testing.T) {
	if os.Getenv(limitedProcess) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLimitsAreNoDamage$")
		cmd.Env = append(os.Environ(), limitedProcess+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	limit := func(which int, n uint64) (lift func()) {
		var old syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(which, &old))
		next := old
		next.Cur = n
		require.NoError(t, syscall.Setrlimit(which, &next))
		return func() { require.NoError(t, syscall.Setrlimit(which, &old)) }
	}
	path := storePath(t)
	s := openStore(t, path, nil)
	large := func() *jobstore.Job {
		j := queuedVideo("x")
		j.Metadata = fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 200<<10))
		return j
	}
	first := large()
	require.NoError(t, s.Create(t.Context(), first))
	for used := int64(0); used < 28<<20; {
		require.NoError(t, s.Create(t.Context(), large()))
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		used = stats.FileBytes - stats.FreeBytes
	}
	lift := limit(syscall.RLIMIT_AS, addressSpace(t)+16<<20)
	var err error
	for range 100 {
		if err = s.Create(t.Context(), large()); err != nil {
			break
		}
	}
	lift()
	require.ErrorIs(t, err, jobstore.ErrFull)
	require.ErrorIs(t, err, syscall.ENOMEM)
	_, err = s.Get(t.Context(), first.ID)
	require.NoError(t, err)
	require.NoError(t, s.Create(t.Context(), large()))
	closeStore(t, s)
	requireSound(t, path)

	lift = limit(syscall.RLIMIT_NOFILE, 3)
	_, err = jobstore.Open(path, nil)
	lift()
	require.ErrorIs(t, err, syscall.EMFILE)
	require.False(t, errors.Is(err, jobstore.ErrCorrupt))
}
