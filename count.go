package jobstore

import (
	"context"

	"github.com/jobstore/jobstore/index"
)

// Count returns how many jobs [Store.All] yields for q: those that match its filter
// and lie between its cursors. Its limit is checked and then ignored.
//
// Without an input and cursors it adds up at most 25 counters and touches no index.
// With one of them it walks the index keys that it counts, and reads no records but
// one for InputSHA256.
//
// It fails as [Store.List] does.
func (s *Store) Count(ctx context.Context, q Query) (n int64, err error) {
	if err := q.Validate(); err != nil {
		return 0, err
	}
	err = s.view(ctx, func(t index.View) error {
		counts, err := t.Counts()
		if err != nil {
			return err
		}
		var access access
		access.choose(counts, &q)
		if n = access.matches; n == 0 || !q.hasInput() && q.After == "" && q.Before == "" {
			return nil
		}
		var scan index.Scan
		if err := access.open(&scan, t, q.inputHash(s.hashInput), q.bounds()); err != nil {
			return err
		}
		n, err = countHits(ctx, t, &scan, &q)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// countContext is how many keys are counted from one look at the context to the next.
const countContext = 1 << 14

// countHits counts the entries of a scan of q.
func countHits(ctx context.Context, t index.View, scan *index.Scan, q *Query) (n int64, err error) {
	for hit, ok := scan.Next(); ok; hit, ok = scan.Next() {
		if n == 0 && q.InputSHA256 != "" {
			// The index has half of the hash. What is behind it is the same for all.
			if ok, err := hasInput(t, hit.ID, q); !ok || err != nil {
				return 0, err
			}
		}
		if n++; n%countContext == 0 && ctx != nil && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return n, nil
}

// hasInput reports whether the job of this ID has the input that q asks for.
func hasInput(t index.View, suffix []byte, q *Query) (bool, error) {
	bucket, err := t.Bucket(index.Jobs)
	if err != nil {
		return false, err
	}
	value := bucket.Get(suffix)
	if value == nil {
		return false, corruptf("input index names job %q, which has no record", suffix)
	}
	var job Job
	err = job.decode(suffix, value, false)
	return q.admitsInput(job.Input), err
}
