package jobstore_test

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/jobstoretest/damage"
)

var damageTrials = flag.Int("damage", 0, "trials of each kind of damage, on each state of the file; 0 is a few")

// TestDamage damages the file of a small store in every way, and holds what the
// store then says and does against the truth. The module faults does this by the
// thousand, in processes that are watched; this test ends at the first crash.
//
// A page of an earlier time is valid by itself. What the store makes of it may be
// wrong, but it must not take more memory than it needs, or end the process.
func TestDamage(t *testing.T) {
	const seed, jobs = 1, 200
	trials := *damageTrials
	if trials == 0 {
		if trials = 6; testing.Short() {
			trials = 1
		}
	}
	dir := t.TempDir()
	sample, err := damage.Build(dir, seed, jobs)
	require.NoError(t, err)
	for _, state := range damage.States {
		t.Run(state, func(t *testing.T) {
			file := sample.File(state)
			for _, kind := range damage.Kinds {
				for _, n := range file.Trials(kind, trials) {
					trial := damage.Trial{State: state, Kind: kind, Seed: seed, N: n}
					v, err := sample.Run(filepath.Join(dir, "damaged.db"), trial)
					require.NoError(t, err)
					switch {
					case kind == damage.Stale && v.Outcome != damage.Oversized:
					case v.Outcome.Bad():
						t.Errorf("%s, trial %d: %s: %s: %s", kind, trial.N, sample.Where(trial), v.Outcome, v.Detail)
					}
				}
			}
		})
	}
}

// TestNoDamage holds the truth of the trials against a sound store: a trial in
// which nothing is damaged finds nothing.
func TestNoDamage(t *testing.T) {
	dir := t.TempDir()
	sample, err := damage.Build(dir, 1, 200)
	require.NoError(t, err)
	for _, state := range damage.States {
		for n := range 8 {
			v, err := sample.Run(filepath.Join(dir, "sound.db"), damage.Trial{State: state, Kind: damage.None, Seed: 1, N: n})
			require.NoError(t, err)
			require.Equal(t, damage.Verdict{Outcome: damage.Right}, v, "%s, trial %d", state, n)
		}
	}
}
