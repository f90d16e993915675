package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func hash(jobs iter.Seq[*jobstore.Job]) string {
	h := sha256.New()
	var line []byte
	for j := range jobs {
		line = append(j.AppendJSON(line[:0]), '\n')
		h.Write(line)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// TestSameBytes pins the sets, so that figures taken at different times, and on
// different machines, are of the same jobs. A change to the generator changes
// the hashes, and is a reason to measure anew.
func TestSameBytes(t *testing.T) {
	assert.Equal(t, "ae351bb8e8bc0c2c", hash(Realistic(1, 5000)))
	assert.Equal(t, "0d05d59d43f36f1b", hash(Adversarial(1, 5000)))
	assert.NotEqual(t, hash(Realistic(1, 100)), hash(Realistic(2, 100)))
}

func TestShares(t *testing.T) {
	const n = 50_000
	kinds, statuses := map[jobstore.Kind]int{}, map[jobstore.Status]int{}
	inputs := map[string]int{}
	for j := range Realistic(7, n) {
		kinds[j.Kind]++
		statuses[j.Status]++
		inputs[j.Input]++
	}
	// Within four standard deviations of at most sqrt(n/4) jobs.
	const tolerance = 450
	for _, s := range kindShares {
		assert.InDelta(t, n*s.thousandth/1000, kinds[s.value], tolerance, s.value)
	}
	for _, s := range statusShares {
		assert.InDelta(t, n*s.thousandth/1000, statuses[s.value], tolerance, s.value)
	}
	hot := 0
	for i := range HotInputs {
		of := inputs[HotInput(i)]
		assert.InDelta(t, n/5/HotInputs, of, 50, HotInput(i))
		hot += of
		delete(inputs, HotInput(i))
	}
	assert.InDelta(t, n/5, hot, tolerance)
	assert.Len(t, inputs, n-hot, "every other input is unique")
	for input := range inputs {
		require.False(t, IsHot(input), input)
	}
	assert.True(t, IsHot(HotInput(HotInputs-1)))
}

func TestAdversarialPair(t *testing.T) {
	const n = 20_000
	kind, status, both := 0, 0, 0
	i := 0
	for j := range Adversarial(7, n) {
		hasKind, hasStatus := j.Kind == AdversarialKind, j.Status == AdversarialStatus
		if hasKind {
			kind++
		}
		if hasStatus {
			status++
		}
		if hasKind && hasStatus {
			both++
			assert.Less(t, i, n/1000, "a match among the newer jobs")
		}
		i++
	}
	assert.Equal(t, n, i)
	assert.InDelta(t, n/5, kind, 400)
	assert.InDelta(t, n/5, status, 400)
	assert.Equal(t, n/1000, both)
}

func TestJobsAreRealistic(t *testing.T) {
	const n = 20_000
	var last *jobstore.Job
	for j := range Realistic(3, n) {
		created, ok := j.ID.Time()
		require.True(t, ok, j.ID)
		require.Equal(t, created, j.CreatedAt)
		if last != nil {
			require.Greater(t, j.ID, last.ID)
		}
		last = j

		size := len(j.Options) + len(j.Metadata)
		require.True(t, 150 <= size && size <= 300, "%d bytes: %s %s", size, j.Options, j.Metadata)
		for _, raw := range []json.RawMessage{j.Options, j.Metadata, j.Error} {
			require.True(t, raw == nil || json.Valid(raw), "%s", raw)
		}
		require.Equal(t, j.Status == jobstore.StatusFailed, j.Error != nil)
		require.Equal(t, j.Status == jobstore.StatusSucceeded, j.Output != "")
		require.Equal(t, j.Status.Final(), !j.FinishedAt.IsZero())
		if !j.StartedAt.IsZero() {
			require.True(t, j.StartedAt.After(j.CreatedAt))
			require.NotEqual(t, jobstore.StatusQueued, j.Status)
		}
		if !j.StartedAt.IsZero() && !j.FinishedAt.IsZero() {
			require.True(t, j.FinishedAt.After(j.StartedAt))
		}
	}
	end := Start.Add(Span)
	assert.WithinDuration(t, end, last.CreatedAt, Span/20)
}

// TestBreakOff takes the first jobs only, and none.
func TestBreakOff(t *testing.T) {
	got := 0
	for range Realistic(1, 10) {
		if got++; got == 3 {
			break
		}
	}
	assert.Equal(t, 3, got)
	for range Realistic(1, 0) {
		t.Fatal("a job of none")
	}
	for range Adversarial(1, 0) {
		t.Fatal("a job of none")
	}
}

func BenchmarkRealistic(b *testing.B) {
	for range Realistic(1, b.N) {
		continue
	}
}
