package jobstore

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

// A Page is the answer to one Query: some jobs in the order asked for, all of
// one snapshot.
type Page struct {
	Jobs []Job
	// HasMore reports whether jobs that match lie further on in the direction
	// of travel: past the last job, or for a query with Before alone, ahead of
	// the first.
	HasMore bool
}

// Next returns the query for the page after p, which q gave, and false when there
// is none. A page that was read with Before alone always has one, though nothing
// may be left in it: it starts past the last job of p.
func (p Page) Next(q Query) (Query, bool) {
	if len(p.Jobs) == 0 || !q.backward() && !p.HasMore {
		return Query{}, false
	}
	if q.backward() {
		q.Before = ""
	}
	q.After = p.Jobs[len(p.Jobs)-1].ID
	return q, true
}

// Prev returns the query for the page ahead of p, which q gave, and false when
// there is none. There is none ahead of a page without cursors, nor of one with
// both: the end of a range cannot be asked for. A page that was read with After
// alone always has one, though nothing may be left in it.
func (p Page) Prev(q Query) (Query, bool) {
	if len(p.Jobs) == 0 || q.After == "" && !q.backward() || q.backward() && !p.HasMore ||
		q.After != "" && q.Before != "" {
		return Query{}, false
	}
	q.After, q.Before = "", p.Jobs[0].ID
	return q, true
}

// backward reports whether q reads away from Before, against its order.
func (q Query) backward() bool { return q.Before != "" && q.After == "" }

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

// List returns the page of jobs that q selects. No match gives an empty page
// and no error.
//
// It fails with a FieldError when q is not valid, ErrClosed, ErrCorrupt, or the
// error of ctx.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	page, _, err := s.list(ctx, q)
	return page, err
}

// Explain reads the page that q selects and returns how that was done and what
// it cost. It fails as List does.
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

// All returns every job that q's filter and cursors select, in its order; Limit
// is ignored, and Before alone is the end of the walk. After an error, which is
// one that List returns, it ends.
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
	err = s.view(ctx, func(t index.View) error {
		counts, err := t.Counts()
		if err != nil {
			return err
		}
		r := pageReader{tree: t, query: q, hashInput: s.hashInput}
		r.access.choose(counts, q)
		page, plan, err = r.read(bounds, limit)
		return err
	})
	if err != nil {
		return Page{}, Plan{}, err
	}
	if s.options.OnPage != nil {
		s.options.OnPage(plan)
	}
	return page, plan, nil
}

// A pageReader assembles one page in one transaction.
type pageReader struct {
	tree      index.View
	query     Query
	hashInput func(string) index.Hash
	hash      index.Hash
	access    access
	jobs      finder
}

func (r *pageReader) read(bounds index.Bounds, limit int) (Page, Plan, error) {
	plan := Plan{Index: string(r.access.name), Matches: r.access.matches}
	if r.access.name == "" {
		plan.Index = "none"
		return Page{Jobs: []Job{}}, plan, nil
	}
	if r.query.Input != "" {
		r.hash = r.hashInput(r.query.Input)
	}
	bucket, err := r.tree.Bucket(index.Jobs)
	if err != nil {
		return Page{}, Plan{}, err
	}
	r.jobs = newFinder(bucket.Cursor(), bounds.Reverse, &r.access)
	scan, err := r.access.scan(r.tree, r.hash, bounds)
	if err != nil {
		return Page{}, Plan{}, err
	}

	var last []byte
	page := Page{Jobs: make([]Job, 0, min(r.access.atMost(), int64(limit)))}
	for len(page.Jobs) < limit {
		hit, ok := scan.Next()
		if !ok {
			break
		}
		if last != nil && !follows(hit.ID, last, bounds.Reverse) {
			return Page{}, Plan{}, corruptf("%s index is out of order at job %q", r.access.name, hit.ID)
		}
		last = hit.ID
		plan.Fetched++
		if len(page.Jobs) == cap(page.Jobs) {
			page.Jobs = slices.Grow(page.Jobs, limit-len(page.Jobs))
		}
		page.Jobs = append(page.Jobs, Job{})
		matches, err := r.fetch(&page.Jobs[len(page.Jobs)-1], hit)
		if err != nil {
			return Page{}, Plan{}, err
		}
		if !matches {
			page.Jobs = page.Jobs[:len(page.Jobs)-1]
			plan.Skipped++
		}
	}
	page.HasMore = len(page.Jobs) == limit && scan.More()
	plan.Branches, plan.Examined, plan.Returned = scan.Branches, scan.Examined, len(page.Jobs)
	return page, plan, nil
}

// follows reports whether id comes after last in a scan.
func follows(id, last []byte, reverse bool) bool {
	if reverse {
		id, last = last, id
	}
	return bytes.Compare(id, last) > 0
}

// fetch reads the job of hit and checks that the entry speaks of it. It returns
// false for a job whose input only shares the hash of the one asked for.
func (r *pageReader) fetch(job *Job, hit index.Hit) (matches bool, err error) {
	value := hit.Value
	if r.access.name != index.Jobs {
		var ok bool
		if value, ok = r.jobs.find(hit.ID); !ok {
			return false, corruptf("%s index names job %q, which has no record", r.access.name, hit.ID)
		}
	}
	if err := job.decode(hit.ID, value, false); err != nil {
		return false, err
	}
	if !r.entryFits(job, hit.Prefix) {
		return false, corruptf("%s index says %x of job %q, its record says %s, %s",
			r.access.name, hit.Prefix, hit.ID, job.Kind, job.Status)
	}
	if r.query.Input == "" || job.Input == r.query.Input {
		return true, nil
	}
	if r.hashInput(job.Input) != r.hash {
		return false, corruptf("input index names job %q, which has another input", hit.ID)
	}
	return false, nil
}

// A finder looks up the records of IDs that come in the order of a scan, with one
// cursor, which starts each search from where the last one ended. Where the matches
// lie dense among the records, a few steps reach the next more cheaply still.
type finder struct {
	cur     *page.Cursor
	reverse bool
	near    int    // steps to try before a search
	at      []byte // the key that cur stands on; nil before the first search
}

// dense is the greatest mean distance between matches, in records, at which
// steps are tried. A step costs about a tenth of a search.
const dense = 4

// newFinder returns a finder for what a matches. How dense the jobs of one input
// lie is not known: most have few.
func newFinder(cur *page.Cursor, reverse bool, a *access) finder {
	f := finder{cur: cur, reverse: reverse}
	if gap := a.total / a.matches; gap <= dense && a.name != index.Input {
		f.near = 2 * int(gap)
	}
	return f
}

func (f *finder) find(id []byte) (value []byte, ok bool) {
	if f.at != nil {
		for range f.near {
			if f.reverse {
				f.at, value = f.cur.Prev()
			} else {
				f.at, value = f.cur.Next()
			}
			if f.at == nil || !follows(id, f.at, f.reverse) {
				break
			}
		}
		if bytes.Equal(f.at, id) {
			return value, true
		}
	}
	f.at, value = f.cur.Seek(id)
	return value, bytes.Equal(f.at, id)
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
