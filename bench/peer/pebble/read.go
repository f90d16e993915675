package pebble

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/index"
)

// Reader returns a session.
func (s *Store) Reader() (peer.Reader, error) { return reader{s}, nil }

type reader struct{ store *Store }

func (reader) Close() error { return nil }

func (r reader) Get(_ context.Context, id jobstore.ID) (jobstore.Job, error) {
	return r.store.get(id, true)
}

// Walk reads all records by one iterator.
func (r reader) Walk(context.Context) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		jobs := prefixes[index.Jobs]
		it, err := r.store.db.NewIter(&pebble.IterOptions{LowerBound: []byte{jobs}, UpperBound: []byte{jobs + 1}})
		if err != nil {
			yield(jobstore.Job{}, err)
			return
		}
		defer func() { _ = it.Close() }()
		for ok := it.Last(); ok; ok = it.Prev() {
			var job jobstore.Job
			value, err := it.ValueAndErr()
			if err == nil {
				err = peer.Decode(&job, it.Key()[1:], value)
			}
			if !yield(job, err) || err != nil {
				return
			}
		}
	}
}

func (r reader) Count(_ context.Context, q jobstore.Query) (n int64, err error) {
	page := page{store: r.store, query: jobstore.Query{Kind: q.Kind, Status: q.Status, Input: q.Input}, reverse: true}
	defer func() { err = errors.Join(err, page.close()) }()
	if err := page.open(); err != nil {
		return 0, err
	}
	for _, b := range page.branches {
		for ; b.Valid(); b.Prev() {
			n++
		}
	}
	return n, nil
}

func (r reader) List(_ context.Context, q jobstore.Query) (jobs []jobstore.Job, err error) {
	limit := q.Limit
	if limit == 0 {
		limit = jobstore.DefaultLimit
	}
	backward := q.Before != "" && q.After == ""
	page := page{store: r.store, query: q, reverse: (q.Order == jobstore.Desc) != backward}
	defer func() { err = errors.Join(err, page.close()) }()
	if err := page.open(); err != nil {
		return nil, err
	}
	jobs, err = page.read(limit)
	if backward {
		slices.Reverse(jobs)
	}
	return jobs, err
}

// A page is a merge of branches, the key ranges of some prefixes.
type page struct {
	store    *Store
	query    jobstore.Query
	reverse  bool
	branches []branch
	records  *pebble.Iterator
}

type branch struct {
	*pebble.Iterator
	prefix int // length
}

func (b branch) id() []byte { return b.Key()[b.prefix:] }

func (p *page) close() error {
	var errs []error
	for _, b := range p.branches {
		errs = append(errs, b.Close())
	}
	if p.records != nil {
		errs = append(errs, p.records.Close())
	}
	return errors.Join(errs...)
}

// open finds and places the branches of the query.
func (p *page) open() error {
	q := p.query
	kinds, statuses := q.Kind.Kinds(), q.Status.Statuses()
	switch {
	case q.Input != "":
		return p.openInput(kinds, statuses)
	case len(kinds) == 0 && len(statuses) == 0:
		return p.add([]byte{prefixes[index.Jobs]})
	case len(statuses) == 0:
		for _, kind := range kinds {
			if err := p.add([]byte{prefixes[index.Kind], peer.KindCode(kind)}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(kinds) == 0 {
		kinds = every(jobstore.KindVideo, jobstore.KindAdaptiveVideo)
	}
	for _, status := range statuses {
		for _, kind := range kinds {
			prefix := []byte{prefixes[index.Status], peer.StatusCode(status), peer.KindCode(kind)}
			if err := p.add(prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

func every[S ~uint16](first, last S) (all []S) {
	for s := first; s <= last; s <<= 1 {
		all = append(all, s)
	}
	return all
}

// openInput adds a branch for each pair that the input has jobs of, skipping
// from one to the next.
func (p *page) openInput(kinds []jobstore.Kind, statuses []jobstore.Status) (err error) {
	hash := index.HashInput(p.query.Input)
	base := append([]byte{prefixes[index.Input]}, hash[:]...)
	if len(kinds) == 1 && len(statuses) == 1 {
		return p.add(append(base, peer.StatusCode(statuses[0]), peer.KindCode(kinds[0])))
	}
	find, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: base, UpperBound: successor(base)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, find.Close()) }()
	for ok := find.First(); ok; {
		pair := find.Key()[len(base) : len(base)+2]
		status, kind := peer.StatusOf(pair[0]), peer.KindOf(pair[1])
		prefix := append(bytes.Clone(base), pair...)
		if (p.query.Kind == 0 || p.query.Kind&kind != 0) && (p.query.Status == 0 || p.query.Status&status != 0) {
			if err := p.add(prefix); err != nil {
				return err
			}
		}
		ok = find.SeekGE(successor(prefix))
	}
	return nil
}

// add adds the branch of prefix, placed at its first key, unless it has none.
func (p *page) add(prefix []byte) error {
	low, high := bytes.Clone(prefix), successor(prefix)
	past, ahead := p.query.After, p.query.Before
	if p.query.Order == jobstore.Desc {
		past, ahead = ahead, past
	}
	if past != "" {
		low = append(append(low, peer.Suffix(past)...), 0) // no ID holds a zero
	}
	if ahead != "" {
		high = append(bytes.Clone(prefix), peer.Suffix(ahead)...)
	}
	if bytes.Compare(low, high) >= 0 {
		return nil
	}
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return err
	}
	placed := false
	if p.reverse {
		placed = it.Last()
	} else {
		placed = it.First()
	}
	if !placed {
		return it.Close()
	}
	p.branches = append(p.branches, branch{it, len(prefix)})
	return nil
}

func successor(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	next[len(next)-1]++ // the last byte is a code, a letter or of a hash
	for i := len(next) - 1; i > 0 && next[i] == 0; i-- {
		next[i-1]++
	}
	return next
}

func (p *page) read(limit int) ([]jobstore.Job, error) {
	jobs := make([]jobstore.Job, 0, limit)
	for len(jobs) < limit {
		first := p.first()
		if first < 0 {
			break
		}
		b := p.branches[first]
		id := b.id()
		value, err := p.record(b, id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, jobstore.Job{})
		if err := peer.Decode(&jobs[len(jobs)-1], id, value); err != nil {
			return nil, err
		}
		if len(jobs) == limit {
			break
		}
		if p.reverse {
			b.Prev()
		} else {
			b.Next()
		}
	}
	return jobs, nil
}

// record returns the record of the job that b stands on.
func (p *page) record(b branch, id []byte) (value []byte, err error) {
	if b.Key()[0] == prefixes[index.Jobs] {
		return b.ValueAndErr()
	}
	if p.records == nil {
		jobs := prefixes[index.Jobs]
		p.records, err = p.store.db.NewIter(&pebble.IterOptions{LowerBound: []byte{jobs}, UpperBound: []byte{jobs + 1}})
		if err != nil {
			return nil, err
		}
	}
	key := append([]byte{prefixes[index.Jobs]}, id...)
	if !p.records.SeekGE(key) || !bytes.Equal(p.records.Key(), key) {
		return nil, errors.Join(pebble.ErrNotFound, p.records.Error())
	}
	return p.records.ValueAndErr()
}

// first returns the branch with the next job, or -1.
func (p *page) first() int {
	first := -1
	for i, b := range p.branches {
		if b.Valid() && (first < 0 || bytes.Compare(b.id(), p.branches[first].id()) < 0 != p.reverse) {
			first = i
		}
	}
	return first
}
