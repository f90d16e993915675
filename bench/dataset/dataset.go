// Package dataset describes the jobs that the benchmarks run on, and picks from
// them what the workloads ask for. The jobs themselves are made by the library's
// own generator, which its demo shares.
package dataset

import (
	"fmt"
	"iter"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// Names of the sets.
const (
	Realistic   = "realistic"
	Adversarial = "adversarial"
)

// The pair of the adversarial set whose members are common apart and rare
// together.
const (
	AdversarialKind   = dataset.AdversarialKind
	AdversarialStatus = dataset.AdversarialStatus
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
	if s.Name == Adversarial {
		return dataset.Adversarial(s.Seed, s.Size)
	}
	return dataset.Realistic(s.Seed, s.Size)
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

// maxPositions is how many Positions there are at most: so many that a run does
// not come back to the same pages before it has seen thousands of others.
const maxPositions = 1 << 14

// Gather reads the set once and returns its facts.
func (s Set) Gather() Facts {
	facts := Facts{}
	hot := map[string]bool{}
	for i := range dataset.HotInputs {
		facts.Hot = append(facts.Hot, dataset.HotInput(i))
		hot[dataset.HotInput(i)] = true
	}
	every := max(1, s.Size/maxPositions)
	i := 0
	for j := range s.Jobs() {
		if i%every == 0 {
			facts.Positions = append(facts.Positions, j.ID)
			if !hot[j.Input] {
				facts.Unique = append(facts.Unique, j.Input)
			}
		}
		i++
	}
	return facts
}
