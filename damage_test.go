package jobstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/damage"
)

// TestDamage damages the file of a small store in every way, and asks for
// everything in it. A page that was there before is a page like any other, and
// no answer from it is held against the store; it must not crash, though. The
// module faults does this by the thousand, in processes that are watched.
func TestDamage(t *testing.T) {
	const seed, jobs, trials = 1, 500, 12
	dir := t.TempDir()
	sample, err := damage.Build(dir, seed, jobs)
	require.NoError(t, err)
	examiner := damage.NewExaminer(sample.Jobs, rand.New(rand.NewPCG(seed, 0)))
	for state, file := range map[string][]byte{"closed": sample.Clean, "left by a crash": sample.Crash} {
		for _, kind := range damage.Kinds {
			t.Run(state+"/"+string(kind), func(t *testing.T) {
				for n := range uint64(trials) {
					rng := rand.New(rand.NewPCG(seed, n))
					damaged, where := sample.Damage(rng, kind, file)
					path := filepath.Join(dir, fmt.Sprintf("%s-%d.db", kind, n))
					require.NoError(t, os.WriteFile(path, damaged, 0o600))
					v := examiner.Examine(path, jobstore.Options{NoSync: true}, rng)
					if v.Outcome.Bad() && kind != damage.OldPage {
						t.Errorf("trial %d: %s: %s: %s", n, where, v.Outcome, v.Detail)
					}
					require.NoError(t, os.Remove(path))
				}
			})
		}
	}
}
