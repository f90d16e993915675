// Package dataset describes the jobs that the benchmarks run on, and picks from
// them what the workloads ask for.
package dataset

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/jobstore/jobstore"
)

// Names of the sets.
const (
	Realistic   = "realistic"
	Adversarial = "adversarial"
)

// A Set is a number of jobs that are the same whenever they are made.
type Set struct {
	Name string
	Size int
	Seed uint64
}

// String returns a name for folders.
func (s Set) String() string { return fmt.Sprintf("%s-%d-seed%d", s.Name, s.Size, s.Seed) }

// Jobs returns the jobs in the order of their IDs.
func (s Set) Jobs() iter.Seq[*jobstore.Job] {
	return func(yield func(*jobstore.Job) bool) { generate(s.Name, s.Size, s.Seed, yield) }
}

// Batches returns the jobs in slices of size, the last one shorter. A slice is
// valid until the next one.
func (s Set) Batches(size int) iter.Seq[[]*jobstore.Job] {
	return func(yield func([]*jobstore.Job) bool) {
		batch := make([]*jobstore.Job, 0, size)
		for j := range s.Jobs() {
			if batch = append(batch, j); len(batch) == size {
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// Facts are what the workloads need to know of a set.
type Facts struct {
	// Positions are IDs evenly spread over the set, oldest first.
	Positions []jobstore.ID
	// Hot are inputs that many jobs share, Unique such that one job has.
	Hot, Unique []string
}

// positions is how many Positions there are, at most: so many that a run does
// not come back to the same pages before it has seen thousands of others.
const positions = 1 << 14

// Gather reads the set once and returns its facts.
func (s Set) Gather() Facts {
	const (
		sampled = 100_000 // jobs whose inputs are looked at
		hot     = 100
		unique  = 4096
	)
	facts := Facts{}
	shares := map[string]int{}
	every := max(1, s.Size/positions)
	i := 0
	for j := range s.Jobs() {
		if i%every == 0 {
			facts.Positions = append(facts.Positions, j.ID)
		}
		if i%max(1, s.Size/sampled) == 0 {
			shares[j.Input]++
		}
		i++
	}
	inputs := slices.SortedFunc(maps.Keys(shares), func(a, b string) int {
		if shares[a] != shares[b] {
			return shares[b] - shares[a]
		}
		return compareHashed(a, b)
	})
	facts.Hot = inputs[:min(hot, len(inputs))]
	for _, input := range inputs {
		if shares[input] == 1 && len(facts.Unique) < unique {
			facts.Unique = append(facts.Unique, input)
		}
	}
	return facts
}
