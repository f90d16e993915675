package jobstore_test

import (
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

func TestParseID(t *testing.T) {
	for _, id := range []string{
		"job_a", "job_0", "job_-", "job__", "job_abc123", "job_ABC-xyz_789", "job_job_", "job_01h455vb4pex5vsknk084sn02q",
		"job_" + strings.Repeat("z", 64),
	} {
		got, err := jobstore.ParseID(id)
		require.NoError(t, err, id)
		require.Equal(t, jobstore.ID(id), got)
	}
	for _, id := range []string{
		"", "job", "job_", "_a", "a", "abc123", "task_a", "Job_a", "JOB_a", "job-a", "job_a b", " job_a", "job_a\n", "job_a\x00",
		"job_é", "job_a/b", "job_a.b", "job_a+", "job_\xff", "job_" + strings.Repeat("z", 65), strings.Repeat("job_a", 1000),
	} {
		got, err := jobstore.ParseID(id)
		requireFieldError(t, err, "id", id)
		require.Empty(t, got)
	}
	// Byte by byte.
	for c := range 256 {
		id := "job_a" + string([]byte{byte(c)})
		_, err := jobstore.ParseID(id)
		allowed := strings.IndexByte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-", byte(c)) >= 0
		require.Equal(t, allowed, err == nil, "%q", id)
	}
}

func TestIDTime(t *testing.T) {
	// The example of the TypeID specification, whose UUID is
	// 01890a5d-ac96-774b-bcce-b302099a8057.
	at, ok := jobstore.ID("job_01h455vb4pex5vsknk084sn02q").Time()
	require.True(t, ok)
	require.Equal(t, time.UnixMilli(0x01890a5dac96).UTC(), at)

	for _, id := range []jobstore.ID{
		"", "job_", "job_abc123", "nonsense",
		"job_01h455vb4pex5vsknk084sn02",   // a character short
		"job_01h455vb4pex5vsknk084sn02q0", // one too many
		"job_81h455vb4pex5vsknk084sn02q",  // more than 128 bits
		"job_01H455VB4PEX5VSKNK084SN02Q",  // upper case
		"job_01h455vb4pex5vsknk084sn0iq",  // i, l, o and u are not in the alphabet
		"job_01h455vb4pex5vsknk084sn0lq",
		"job_01h455vb4pex5vsknk084sn0oq",
		"job_01h455vb4pex5vsknk084sn0uq",
		"job_00000000000000000000000000", // no UUIDv7
		"job_7zzzzzzzzzzzzzzzzzzzzzzzzz",
		"job_01h455vb4pcx5vsknk084sn02q", // version 6
		"job_01h455vb4pex5zsknk084sn02q", // another variant
		"job_01h455vb4pex5ksknk084sn02q",
		"task01h455vb4pex5vsknk084sn02q",
	} {
		_, ok := id.Time()
		require.False(t, ok, "%s", id)
	}
}

// TestFirstID holds FirstID to its order: it grows with the milliseconds, and
// gives its time back.
func TestFirstID(t *testing.T) {
	require.Equal(t, jobstore.ID("job_01h455vb4pe00800000000000"), jobstore.FirstID(time.UnixMilli(0x01890a5dac96))[:29])
	require.Equal(t, jobstore.FirstID(time.UnixMilli(0)), jobstore.FirstID(time.UnixMilli(-1)))
	require.Equal(t, jobstore.FirstID(time.UnixMilli(0)), jobstore.FirstID(time.Time{}))
	last := jobstore.FirstID(time.UnixMilli(1<<48 - 1))
	require.Equal(t, last, jobstore.FirstID(time.UnixMilli(1<<48)))
	require.Equal(t, last, jobstore.FirstID(time.Unix(1<<62, 0)))
	require.Equal(t, byte('7'), last[len("job_")])

	rapid.Check(t, func(t *rapid.T) {
		milli := rapid.Int64Range(0, 1<<48-2).Draw(t, "ms")
		at := time.UnixMilli(milli)
		id := jobstore.FirstID(at.Add(time.Duration(rapid.IntRange(0, 999_999).Draw(t, "ns"))))
		require.Equal(t, jobstore.FirstID(at), id, "the fraction of a millisecond makes no difference")
		parsed, err := jobstore.ParseID(string(id))
		require.NoError(t, err)
		got, ok := parsed.Time()
		require.True(t, ok)
		require.Equal(t, at.UTC(), got)
		require.Less(t, string(id), string(jobstore.FirstID(at.Add(time.Millisecond))))
		other := rapid.Int64Range(0, 1<<48-1).Draw(t, "other ms")
		require.Equal(t, other < milli, jobstore.FirstID(time.UnixMilli(other)) < id)
	})
}

// TestMintedAgainstFirstID mints in different milliseconds: FirstID stands
// before all of its own and behind all of those before.
func TestMintedAgainstFirstID(t *testing.T) {
	now := time.UnixMilli(1711900000000)
	s := openStore(t, storePath(t), &jobstore.Options{NoSync: true, Now: func() time.Time { return now }})
	var last jobstore.ID
	for range 200 {
		now = now.Add(time.Millisecond)
		for range 3 {
			j := &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a"}
			require.NoError(t, s.Create(t.Context(), j))
			require.LessOrEqual(t, jobstore.FirstID(now), j.ID)
			require.Less(t, j.ID, jobstore.FirstID(now.Add(time.Millisecond)))
			require.Less(t, last, j.ID)
			at, ok := j.ID.Time()
			require.True(t, ok)
			require.True(t, at.Equal(now))
			last = j.ID
		}
	}
}

// TestNewID mints IDs of any time: they say it, stand where it belongs, and differ.
func TestNewID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, "ms"))
		first, second := jobstore.NewID(at), jobstore.NewID(at.Add(999*time.Microsecond))
		require.NotEqual(t, first, second)
		for _, id := range []jobstore.ID{first, second} {
			_, err := jobstore.ParseID(string(id))
			require.NoError(t, err)
			got, ok := id.Time()
			require.True(t, ok)
			require.Equal(t, at.UTC(), got)
			require.LessOrEqual(t, jobstore.FirstID(at), id)
			if at.UnixMilli() < 1<<48-1 {
				require.Less(t, id, jobstore.FirstID(at.Add(time.Millisecond)))
			}
		}
	})
	for _, c := range []struct{ at, want time.Time }{
		{time.Time{}, time.UnixMilli(0)}, {time.UnixMilli(-1), time.UnixMilli(0)},
		{time.UnixMilli(1 << 48), time.UnixMilli(1<<48 - 1)}, {time.Unix(1<<62, 0), time.UnixMilli(1<<48 - 1)},
	} {
		got, ok := jobstore.NewID(c.at).Time()
		require.True(t, ok)
		require.True(t, c.want.Equal(got), "%s gives %s", c.at, got)
	}
	many := map[jobstore.ID]bool{}
	for range 100_000 {
		many[jobstore.NewID(time.UnixMilli(1))] = true
	}
	require.Len(t, many, 100_000)
}

// TestMintID holds what engines mint with to the order of IDs, whatever the clock
// does and whatever was minted last.
func TestMintID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var last jobstore.ID
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			at := time.UnixMilli(rapid.Int64Range(0, 3).Draw(t, "ms"))
			next := jobstore.MintID(last, at)
			require.Less(t, last, next)
			require.LessOrEqual(t, jobstore.FirstID(at), next)
			last = next
		}
	})
}

// TestMintMillion mints a million IDs under a clock that stands still, steps
// back and jumps ahead, in a store that is opened again now and then. Each is
// greater than the one before.
func TestMintMillion(t *testing.T) {
	batches, perBatch := 100, 10_000
	if testing.Short() || underRaceDetector() {
		batches, perBatch = 20, 1000
	}
	now := time.UnixMilli(1711900000000)
	path := storePath(t)
	open := func() *jobstore.Store {
		return openStore(t, path, &jobstore.Options{NoSync: true, Now: func() time.Time { return now }})
	}
	s := open()
	jobs := make([]*jobstore.Job, perBatch)
	ids := make([]jobstore.ID, perBatch)
	var last jobstore.ID
	for batch := range batches {
		for i := range jobs {
			jobs[i] = &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a"}
		}
		require.NoError(t, s.Create(t.Context(), jobs...))
		for i, j := range jobs {
			if j.ID <= last {
				t.Fatalf("%s was minted after %s", j.ID, last)
			}
			if _, ok := j.ID.Time(); !ok {
				t.Fatalf("%s is no TypeID", j.ID)
			}
			last, ids[i] = j.ID, j.ID
		}
		_, err := s.Delete(t.Context(), ids...) // so that the store stays small
		require.NoError(t, err)
		switch batch % 7 {
		case 2:
			now = now.Add(-time.Hour)
		case 4:
			now = now.Add(time.Hour + time.Millisecond)
		case 6:
			closeStore(t, s)
			s = open()
		}
	}
}

// TestMintConcurrently mints from many goroutines: what each gets grows, and the
// order in which jobs are committed is that of their IDs.
func TestMintConcurrently(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	const goroutines, each = 32, 50
	minted := make(chan []jobstore.ID)
	for range goroutines {
		go func() {
			var ids []jobstore.ID
			for range each {
				j := &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a"}
				if err := s.Create(t.Context(), j); err != nil {
					t.Error(err)
				}
				ids = append(ids, j.ID)
			}
			minted <- ids
		}()
	}
	// Whoever tails the store with After misses none.
	var tailed []jobstore.ID
	tail := jobstore.Query{Order: jobstore.Asc, Limit: 100, After: "job_0"}
	read := func() {
		page, err := s.List(t.Context(), tail)
		require.NoError(t, err)
		for _, j := range page.Jobs {
			tailed = append(tailed, j.ID)
			tail.After = j.ID
		}
	}
	var all []jobstore.ID
	for range goroutines {
		for waiting := true; waiting; {
			select {
			case ids := <-minted:
				require.True(t, slices.IsSorted(ids))
				all = append(all, ids...)
				waiting = false
			default:
				read()
			}
		}
	}
	for len(tailed) < len(all) {
		before := len(tailed)
		read()
		require.Greater(t, len(tailed), before, "the tail missed a job")
	}
	slices.Sort(all)
	require.Equal(t, all, tailed)
	require.Len(t, slices.Compact(all), goroutines*each)
}

// underRaceDetector reports whether this is a build with -race, in which a
// million of anything takes too long.
func underRaceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
