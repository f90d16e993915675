// Package workload holds what is measured: pages of every kind, alone and beside
// a writer, and writes.
package workload

import (
	"math/rand/v2"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/dataset"
)

// A List is a kind of page.
type List struct {
	Name  string
	About string
	Set   string // the dataset it reads
	// query returns one query of the kind, drawn with rng.
	query func(d draw) jobstore.Query
}

// Names of the two pages of the adversarial set.
const (
	Trap = "adversarial"
	Twin = "harmless twin"
)

// Lists are the pages that are measured, in the order of the report. All but
// first, unique and adversarial begin at a position anywhere in the store.
var Lists = []List{
	{"first", "the newest 20 jobs", dataset.Realistic, func(draw) jobstore.Query {
		return jobstore.Query{}
	}},
	{"middle", "20 jobs at 45 to 55% of the depth", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{After: d.middle()}
	}},
	{"anywhere", "20 jobs at any depth", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{After: d.position()}
	}},
	{"kind", "image: 25% of the jobs", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Kind: jobstore.KindImage, After: d.position()}
	}},
	{"status", "failed: 6% of the jobs, of five kinds", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Status: jobstore.StatusFailed, After: d.position()}
	}},
	{"kind+status", "image and failed: 1.5% of the jobs", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Kind: jobstore.KindImage, Status: jobstore.StatusFailed, After: d.position()}
	}},
	{"rare pair", "adaptive_video and cancelled: 0.005% of the jobs", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Kind: jobstore.KindAdaptiveVideo, Status: jobstore.StatusCancelled, After: d.position()}
	}},
	{"status set", "queued or processing: 3.5% of the jobs, ten pairs", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Status: jobstore.StatusQueued | jobstore.StatusProcessing, After: d.position()}
	}},
	{"hot input", "one of 100 inputs that 0.2% of the jobs have each", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Input: d.hot(), After: d.position()}
	}},
	{"unique input", "an input that one job has", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Input: d.unique()}
	}},
	{"hot input+status", "hot input and failed", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Input: d.hot(), Status: jobstore.StatusFailed, After: d.position()}
	}},
	{"hot input+kind", "hot input and image", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Input: d.hot(), Kind: jobstore.KindImage, After: d.position()}
	}},
	{"all three", "hot input, image and succeeded", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Input: d.hot(), Kind: jobstore.KindImage, Status: jobstore.StatusSucceeded, After: d.position()}
	}},
	{"before", "the 20 jobs ahead of any position", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Before: d.position()}
	}},
	{"asc", "20 jobs at any depth, oldest first", dataset.Realistic, func(d draw) jobstore.Query {
		return jobstore.Query{Order: jobstore.Asc, After: d.position()}
	}},
	{Trap, "a pair that only the oldest 0.1% of the jobs have, while 20% have its kind and 20% its status", dataset.Adversarial, func(draw) jobstore.Query {
		return jobstore.Query{Kind: dataset.AdversarialKind, Status: dataset.AdversarialStatus}
	}},
	{Twin, "the same page for a pair that 20% of the jobs have", dataset.Adversarial, func(draw) jobstore.Query {
		return jobstore.Query{Kind: jobstore.KindVideo, Status: dataset.AdversarialStatus}
	}},
}

// ListNamed returns the member of Lists with this name.
func ListNamed(name string) (List, bool) {
	for _, l := range Lists {
		if l.Name == name {
			return l, true
		}
	}
	return List{}, false
}

// Queries returns n queries of the kind.
func (l List) Queries(facts *dataset.Facts, n int, seed uint64) []jobstore.Query {
	d := draw{facts, rand.New(rand.NewPCG(seed, 0x6c697374))}
	queries := make([]jobstore.Query, n)
	for i := range queries {
		queries[i] = l.query(d)
	}
	return queries
}

// A draw picks what queries are made of.
type draw struct {
	facts *dataset.Facts
	rng   *rand.Rand
}

func (d draw) position() jobstore.ID { return pick(d.rng, d.facts.Positions) }

func (d draw) middle() jobstore.ID {
	n := len(d.facts.Positions)
	return pick(d.rng, d.facts.Positions[n*45/100:n*55/100+1])
}

func (d draw) hot() string    { return pick(d.rng, d.facts.Hot) }
func (d draw) unique() string { return pick(d.rng, d.facts.Unique) }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
