package jobstore

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// bounds returns the range of q, read in its order.
func (q Query) bounds() index.Bounds {
	var after, before string
	if q.After != "" {
		after = q.After.suffix()
	}
	if q.Before != "" {
		before = q.Before.suffix()
	}
	if q.Order == Asc {
		return index.Bounds{Low: after, High: before}
	}
	return index.Bounds{Low: before, High: after, Reverse: true}
}

// inputHash returns what the index knows the input by that q asks for.
func (q *Query) inputHash(hashInput func(string) index.Hash) index.Hash {
	if q.Input != "" {
		return hashInput(q.Input)
	}
	sum, _ := q.inputSum()
	return index.Hash(sum[:len(index.Hash{})])
}

// List returns the page of jobs that q selects. No match gives an empty page
// and no error. Jobs come without their tasks, which Get reads.
//
// A page costs about the same whatever the filter, the depth and the size of the store:
// [Plan] has the bound. It holds up to [MaxPageBytes] of jobs.
//
// It fails with a [FieldError] when q is not valid, [ErrClosed], [ErrCorrupt], or the
// error of ctx.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	page, _, err := s.list(ctx, q)
	return page, err
}

// Explain reads the page that q selects and returns how that was done and what it
// cost. It fails as [Store.List] does.
func (s *Store) Explain(ctx context.Context, q Query) (Plan, error) {
	_, plan, err := s.list(ctx, q)
	return plan, err
}

// list answers List and Explain.
func (s *Store) list(ctx context.Context, q Query) (Page, Plan, error) {
	if err := q.Validate(); err != nil {
		return Page{}, Plan{}, err
	}
	bounds := q.bounds()
	if q.backward() {
		bounds.Reverse = !bounds.Reverse
	}
	page, plan, err := s.readPage(ctx, q, bounds, q.limit())
	if q.backward() {
		slices.Reverse(page.Jobs)
	}
	return page, plan, err
}

// All returns every job that q's filter and cursors select, in its order; Limit is
// ignored, and Before alone is the end of the walk. After an error, which is one that
// [Store.List] returns, it ends.
//
// Jobs are read in snapshots of a page, none of which is open while the loop's
// body runs: the body may take its time, use the store, and break off. No job
// comes twice, and one that matches throughout the walk comes exactly once,
// whatever is written meanwhile.
func (s *Store) All(ctx context.Context, q Query) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		q := q // the sequence may be walked again
		q.Limit = 0
		if err := q.Validate(); err != nil {
			yield(Job{}, err)
			return
		}
		// A small first page, as many a loop breaks off early.
		for limit := DefaultLimit; ; limit = MaxLimit {
			page, _, err := s.readPage(ctx, q, q.bounds(), limit)
			if err != nil {
				yield(Job{}, err)
				return
			}
			for i := range page.Jobs {
				if !yield(page.Jobs[i], nil) {
					return
				}
			}
			if !page.HasMore {
				return
			}
			q.After = page.Jobs[len(page.Jobs)-1].ID
		}
	}
}

// readPage reads up to limit jobs of q's filter from bounds in one transaction.
func (s *Store) readPage(ctx context.Context, q Query, bounds index.Bounds, limit int) (page Page, plan Plan, err error) {
	r := pageReaders.Get().(*pageReader)
	err = s.view(ctx, func(t index.View) error {
		counts, err := t.Counts()
		if err != nil {
			return err
		}
		r.tree, r.query, r.bounds, r.hashInput = t, q, bounds, s.hashInput
		r.access.choose(counts, &q)
		page, plan, err = r.read(limit)
		return err
	})
	if err != nil {
		return Page{}, Plan{}, err // and r, which may have been left in the middle of anything
	}
	r.release()
	if s.options.OnPage != nil {
		s.options.OnPage(plan)
	}
	return page, plan, nil
}

// A pageReader assembles one page in one transaction.
type pageReader struct {
	tree      index.View
	query     Query
	bounds    index.Bounds
	hashInput func(string) index.Hash
	hash      index.Hash
	access    access
	scan      index.Scan

	last    []byte      // ID of the last of hits
	hits    []index.Hit // with their records
	ids     [][]byte    // of hits
	records page.Lookup
	touched byte // see page.Touch
	memory  record.Memory
}

// pageReaders keeps readers for the memory that they have: all that a page then
// needs is what it returns.
var pageReaders = sync.Pool{New: func() any { return &pageReader{} }}

// release gives r back. What it still points to in the file is not looked at again.
func (r *pageReader) release() {
	r.tree, r.query, r.bounds = index.View{}, Query{}, index.Bounds{}
	r.last, r.memory = nil, record.Memory{}
	pageReaders.Put(r)
}

func (r *pageReader) read(limit int) (Page, Plan, error) {
	plan := Plan{Index: string(r.access.name), Matches: r.access.matches}
	page := Page{Jobs: []Job{}}
	if r.access.name == "" {
		plan.Index = "none"
		return page, plan, nil
	}
	r.hash = r.query.inputHash(r.hashInput)
	if err := r.access.open(&r.scan, r.tree, r.hash, r.bounds); err != nil {
		return Page{}, Plan{}, err
	}
	ended, size := false, 0
	for len(page.Jobs) < limit && !ended {
		if err := r.gather(limit - len(page.Jobs)); err != nil {
			return Page{}, Plan{}, err
		}
		if len(r.hits) == 0 {
			break
		}
		plan.Fetched += len(r.hits)
		if plan.Fetched == len(r.hits) {
			page.Jobs = make([]Job, 0, len(r.hits))
		}
		for i := range r.hits {
			n := len(page.Jobs)
			page.Jobs = page.Jobs[:n+1] // and no further than the first hits: others came for those skipped
			matches, err := r.fetch(&page.Jobs[n], &r.hits[i])
			if err != nil {
				return Page{}, Plan{}, err
			}
			if !matches {
				page.Jobs = page.Jobs[:n]
				plan.Skipped++
				continue
			}
			if size += page.Jobs[n].size(); size > MaxPageBytes && n > 0 {
				page.Jobs[n] = Job{}
				page.Jobs = page.Jobs[:n]
				ended = true
				break
			}
		}
	}
	page.HasMore = ended || len(page.Jobs) == limit && r.scan.More()
	plan.Branches, plan.Examined, plan.Returned = r.scan.Branches, r.scan.Examined, len(page.Jobs)
	return page, plan, nil
}

// gather takes the next hits of the scan, at most n, and looks up their records.
func (r *pageReader) gather(n int) error {
	r.hits, r.ids = r.hits[:0], r.ids[:0]
	for len(r.hits) < n {
		hit, ok := r.scan.Next()
		if !ok {
			break
		}
		r.hits, r.ids = append(r.hits, hit), append(r.ids, hit.ID)
	}
	if r.access.name == index.Jobs {
		for i := range r.hits {
			r.touched ^= page.Touch(r.hits[i].ID) ^ page.Touch(r.hits[i].Value)
		}
	} else {
		bucket, err := r.tree.Bucket(index.Jobs)
		if err != nil {
			return err
		}
		r.records.Find(&bucket, r.ids)
	}
	for i := range r.hits {
		hit := &r.hits[i]
		if r.access.name != index.Jobs {
			var ok bool
			if hit.Value, ok = r.records.Value(i); !ok {
				return corruptf("%s index names job %q, which has no record", r.access.name, hit.ID)
			}
		}
		if r.last != nil && !follows(hit.ID, r.last, r.bounds.Reverse) {
			return corruptf("%s index is out of order at job %q", r.access.name, hit.ID)
		}
		r.last = hit.ID
		r.memory.Expect(hit.ID, hit.Value)
	}
	return nil
}

// follows reports whether id comes after last in a scan.
func follows(id, last []byte, reverse bool) bool {
	if reverse {
		id, last = last, id
	}
	return bytes.Compare(id, last) > 0
}

// fetch sets job to that of hit and checks that the entry speaks of it. It returns
// false for a job whose input only shares the hash of the one asked for.
func (r *pageReader) fetch(job *Job, hit *index.Hit) (matches bool, err error) {
	if err := job.decodeInto(&r.memory, hit.ID, hit.Value, false); err != nil {
		return false, err
	}
	if !r.entryFits(job, hit.Prefix) {
		return false, corruptf("%s index says %x of job %q, its record says %s, %s",
			r.access.name, hit.Prefix, hit.ID, job.Kind, job.Status)
	}
	if r.query.admitsInput(job.Input) {
		return true, nil
	}
	if r.hashInput(job.Input) != r.hash {
		return false, corruptf("input index names job %q, which has another input", hit.ID)
	}
	return false, nil
}

// entryFits reports whether the entry with this prefix is one of job's: the
// status and the kind are the end of a prefix. What the jobs bucket holds must
// fit the filter as it is, for that is what the counters said.
func (r *pageReader) entryFits(job *Job, prefix []byte) bool {
	kind, status := job.Kind.code(), job.Status.code()
	switch last := len(prefix) - 1; r.access.name {
	case index.Kind:
		return prefix[last] == kind
	case index.Status, index.Input:
		return prefix[last] == kind && prefix[last-1] == status
	}
	return r.query.admits(job)
}
