package jobstore

import (
	"fmt"
	"strings"

	"github.com/jobstore/jobstore/index"
)

// A Plan says how a page was read and what that cost. The counts are taken in
// the scan, and hold to
//
//	Examined ≤ Returned + Skipped + 1 + 2 × Branches
//
// whatever the data is: no plan reads jobs and filters them one by one. For a page
// that [MaxPageBytes] has ended, Fetched stands in for Returned + Skipped: records are
// looked up together, before their size is known.
type Plan struct {
	// Index is the bucket that was scanned: "jobs", "kind", "status" or
	// "input", or "none" when the counters proved that nothing matches.
	Index string
	// Branches is the number of key ranges that were sought and merged.
	Branches int
	// Matches is the number of jobs that match the filter, wherever the
	// cursors stand. The counters know it, but for a filter on input: then it is
	// the number of jobs with the kinds and statuses asked for, which is the
	// most that can match.
	Matches  int64
	Examined int // keys that cursors were placed on and that were compared
	Fetched  int // records looked up
	Returned int // jobs in the page
	// Skipped is the number of jobs whose input differs from the one asked for
	// and has the same 128 bits of SHA-256 in the index: a collision, or a
	// Query.InputSHA256 of which only the first half is that of an input.
	Skipped int
}

// String returns the plan as one line.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "index=%s branches=%d matches=%d examined=%d fetched=%d returned=%d",
		p.Index, p.Branches, p.Matches, p.Examined, p.Fetched, p.Returned)
	if p.Skipped > 0 {
		fmt.Fprintf(&b, " skipped=%d", p.Skipped)
	}
	return b.String()
}

// An access is how the planner has decided to read the jobs of a filter.
type access struct {
	name    index.Name // the bucket; empty when nothing can match
	pairs   []index.Pair
	kinds   []byte
	matches int64 // as Plan.Matches

	pairMemory [index.MaxPairs]index.Pair
	kindMemory [index.MaxCode]byte
}

// choose picks the bucket in which a filter costs the fewest branches. All
// candidates touch the matching entries and nothing else, so that branches are
// what they differ in: each costs a seek. At the same number the bucket with
// shorter keys, and in jobs no second look-up, comes first.
//
// A filter on input always takes the input bucket: in the others it would have
// to be checked job by job.
func (a *access) choose(counts *index.Counts, q *Query) {
	*a = access{}
	if q.kinds() == allKinds && q.statuses() == allStatuses && !q.hasInput() {
		if a.matches = counts.Total(); a.matches > 0 {
			a.name = index.Jobs
		}
		return
	}
	a.pairs, a.kinds = a.pairMemory[:0], a.kindMemory[:0]
	var total int64
	var perKind, askedPerKind [index.MaxCode + 1]int64
	for p, n := range counts.All {
		total += n
		perKind[p.Kind] += n
		if kindOfCode(p.Kind)&q.kinds() == 0 || statusOfCode(p.Status)&q.statuses() == 0 {
			continue
		}
		a.matches += n
		askedPerKind[p.Kind] += n
		a.pairs = append(a.pairs, p)
	}
	// The kind bucket serves when every job of the kinds asked for has a status
	// that is asked for.
	wholeKinds := true
	for kind, n := range askedPerKind {
		if n > 0 {
			a.kinds = append(a.kinds, byte(kind))
			wholeKinds = wholeKinds && n == perKind[kind]
		}
	}
	switch {
	case a.matches == 0:
	case q.hasInput():
		a.name = index.Input
	case a.matches == total:
		a.name = index.Jobs
	case wholeKinds && len(a.kinds) <= len(a.pairs):
		a.name = index.Kind
	default:
		a.name = index.Status
	}
}

// open makes scan one of the branches of a in the tree.
func (a *access) open(scan *index.Scan, t index.View, hash index.Hash, bounds index.Bounds) error {
	bucket, err := t.Bucket(a.name)
	if err != nil {
		return err
	}
	scan.Reset(bucket, bounds)
	switch a.name {
	case index.Jobs:
		scan.Add()
	case index.Kind:
		for _, kind := range a.kinds {
			scan.Add(kind)
		}
	case index.Status:
		for _, p := range a.pairs {
			scan.Add(p.Status, p.Kind)
		}
	case index.Input:
		scan.AddInput(hash, a.pairs)
	}
	return nil
}
