// Package dataset makes jobs for the demo and the benchmarks: as many as are
// asked for, the same ones for the same seed, oldest first.
//
// The jobs look like a media service's: IDs are TypeIDs spread over three
// months with bursts and lulls, timestamps and errors fit the status, options
// and metadata of a job have 150 to 300 bytes together. Tasks are left out.
package dataset

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jobstore/jobstore"
)

// Start is when the first job of every set was created.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Span is the time over which the jobs of a set are spread, whatever their
// number; chance makes it a few percent more or less in a large set.
const Span = 90 * 24 * time.Hour

// The shares of the realistic set, in thousandths of its jobs.
var (
	kindShares = []share[jobstore.Kind]{
		{jobstore.KindVideo, 600},
		{jobstore.KindImage, 250},
		{jobstore.KindAudio, 100},
		{jobstore.KindAnimation, 40},
		{jobstore.KindAdaptiveVideo, 10},
	}
	statusShares = []share[jobstore.Status]{
		{jobstore.StatusSucceeded, 900},
		{jobstore.StatusFailed, 60},
		{jobstore.StatusProcessing, 20},
		{jobstore.StatusQueued, 15},
		{jobstore.StatusCancelled, 5},
	}
)

// HotInputs is the number of inputs that a fifth of all jobs share evenly.
// Every other job has an input of its own.
const HotInputs = 100

// HotInput returns hot input i of HotInputs, counted from 0.
func HotInput(i int) string {
	return fmt.Sprintf("%s%03d/source.mp4", hotPrefix, i)
}

// IsHot reports whether input is one of the hot ones.
func IsHot(input string) bool { return strings.HasPrefix(input, hotPrefix) }

const hotPrefix = "https://media.example.com/library/hot-"

// Realistic returns n jobs with the skew of a real service: most are videos that
// succeeded, and kind, status and input are drawn independently of each other.
func Realistic(seed uint64, n int) iter.Seq[*jobstore.Job] {
	return func(yield func(*jobstore.Job) bool) {
		g := newGenerator(seed, n)
		for range n {
			kind, status := pick(g.rng, kindShares), pick(g.rng, statusShares)
			if !yield(g.next(kind, status)) {
				return
			}
		}
	}
}

// The kind and status that are a trap in the adversarial set.
const (
	AdversarialKind   = jobstore.KindAudio
	AdversarialStatus = jobstore.StatusFailed
)

// Adversarial returns n jobs of which about a fifth have AdversarialKind and
// about a fifth have AdversarialStatus, but none has both, save the oldest
// thousandth of the jobs, which all do. A store that looks for the newest job with
// both by the index of one must pass by a fifth of the set.
func Adversarial(seed uint64, n int) iter.Seq[*jobstore.Job] {
	return func(yield func(*jobstore.Job) bool) {
		g := newGenerator(seed, n)
		for i := range n {
			kind, status := jobstore.KindVideo, jobstore.StatusSucceeded
			switch lot := g.rng.IntN(5); {
			case i < max(1, n/1000):
				kind, status = AdversarialKind, AdversarialStatus
			case lot == 0:
				kind = AdversarialKind
			case lot == 1:
				status = AdversarialStatus
			}
			if !yield(g.next(kind, status)) {
				return
			}
		}
	}
}

// A share says how many thousandths of the jobs have a value.
type share[T any] struct {
	value      T
	thousandth int
}

func pick[T any](rng *rand.Rand, shares []share[T]) T {
	lot := rng.IntN(1000)
	for _, s := range shares[:len(shares)-1] {
		if lot -= s.thousandth; lot < 0 {
			return s.value
		}
	}
	return shares[len(shares)-1].value
}

// one returns a member of list.
func one[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
