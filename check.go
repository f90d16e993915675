package jobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

// A Problem is one contradiction that [Store.Check] found in a file.
type Problem struct {
	Bucket string // "meta", "counts", "jobs", "kind", "status", "input", "once" or "expiry"
	ID     ID     // the job it is about; empty when it is about none
	Detail string
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.ID == "" {
		return p.Bucket + ": " + p.Detail
	}
	return fmt.Sprintf("%s: %s: %s", p.Bucket, p.ID, p.Detail)
}

// Check reads the whole store and returns what contradicts itself: records whose
// checksum does not fit, records that lack an index entry, index entries that lack
// their record, counters that are off, buckets that are not as the last commit has left
// them, pages that cannot be read. A sound store gives nothing. The error, which ends
// the walk, is [ErrClosed] or that of ctx.
//
// It reads in many short snapshots, none of which is open while the loop's body
// runs, so it can go on beside writers. What it finds is true of one snapshot. It costs
// a read of the whole file.
func (s *Store) Check(ctx context.Context) iter.Seq2[Problem, error] {
	return s.CheckProgress(ctx, nil)
}

// CheckProgress is [Store.Check] that calls progress now and then, between snapshots,
// with the number of keys that it has read and about how many there are.
func (s *Store) CheckProgress(ctx context.Context, progress func(done, total int64)) iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		c := checker{store: s, ctx: ctx, progress: progress, yield: yield}
		c.run()
	}
}

// checkChunk is the number of keys that Check reads in one snapshot.
const checkChunk = 2000

// A checker is one run of Check.
type checker struct {
	store    *Store
	ctx      context.Context
	progress func(done, total int64)
	yield    func(Problem, error) bool

	found       []Problem // in the snapshot that is open
	done, total int64
}

func (c *checker) run() {
	if !c.snapshot("counts", c.counters) {
		return
	}
	for _, name := range index.Names {
		if !c.walk(name, func(t index.View, from []byte) ([]byte, error) {
			return c.chunk(t, name, from)
		}) {
			return
		}
	}
	c.onces()
}

// walk checks a bucket, a snapshot a chunk. A chunk returns the key to go on from,
// or nil at the end. It returns false to end the check.
func (c *checker) walk(name index.Name, chunk func(t index.View, from []byte) (next []byte, err error)) bool {
	for from := []byte{}; from != nil; {
		next := from
		from = nil
		ok := c.snapshot(name, func(t index.View) (err error) {
			from, err = chunk(t, next)
			return err
		})
		if !ok {
			return false
		}
	}
	return true
}

// snapshot runs fn in one and yields what it found. A page that cannot be read
// is a problem and ends fn, not the check. It returns false to end the check.
func (c *checker) snapshot(name index.Name, fn func(index.View) error) bool {
	c.found = c.found[:0]
	err := c.store.view(c.ctx, fn)
	if errors.Is(err, ErrCorrupt) {
		c.problem(name, nil, "cannot be read on: %v", err)
		err = nil
	}
	for _, p := range c.found {
		if !c.yield(p, nil) {
			return false
		}
	}
	if err != nil {
		c.yield(Problem{}, err)
		return false
	}
	if c.progress != nil {
		c.progress(c.done, max(c.done, c.total))
	}
	return true
}

func (c *checker) problem(name index.Name, suffix []byte, format string, args ...any) {
	p := Problem{Bucket: string(name), Detail: fmt.Sprintf(format, args...)}
	if suffix != nil {
		p.ID = ID(idPrefix + string(suffix))
	}
	c.found = append(c.found, p)
}

// counters compares the counters with the keys of the status index, which has
// every job under the pair that it is counted in.
func (c *checker) counters(t index.View) error {
	minted := t.Minted()
	if _, ok := typeIDOfBytes(minted); minted != nil && !ok {
		c.problem("meta", nil, "last minted ID is %x", minted)
	}
	counts, err := t.Counts()
	if err != nil {
		return err
	}
	bucket, err := t.Damaged(index.Status)
	if err != nil {
		return err
	}
	c.sums(t)
	actual := index.Counts{}
	cur := bucket.Cursor()
	var last []byte
	for key, _ := cur.First(); key != nil; key, _ = cur.Next() {
		if bytes.Compare(key, last) <= 0 {
			c.problem(index.Status, nil, "keys are out of order behind %x", last)
			break
		}
		if e, ok := index.ParseKey(index.Status, key); ok {
			actual.Add(e.Pair, 1)
		}
		last = key
	}
	for status := range counts {
		for kind, n := range counts[status] {
			c.total += n * int64(len(index.Names))
			if m := actual[status][kind]; n != m {
				c.problem("counts", nil, "%s %s jobs: counter says %d, index has %d",
					statusOfCode(byte(status)), kindOfCode(byte(kind)), n, m)
			}
		}
	}
	return nil
}

// sums compares the number of entries of each bucket, and the sum of their seals, with
// what the last commit has noted.
func (c *checker) sums(t index.View) {
	for _, d := range t.CheckSums() {
		c.problem(index.Name(d.Bucket), nil, "%s", d.Detail)
	}
}

// chunk checks the keys of one bucket from a key on, and returns the key to go
// on from, or nil at the end.
func (c *checker) chunk(t index.View, name index.Name, from []byte) (next []byte, err error) {
	bucket, err := t.Damaged(name)
	if err != nil {
		return nil, err
	}
	look, err := c.lookups(t)
	if err != nil {
		return nil, err
	}
	return c.keys(bucket.Cursor(), from, func(key, value []byte) {
		if name == index.Jobs {
			c.record(look, key, value)
		} else {
			c.entry(look, name, key, value)
		}
	})
}

// keys calls check with the keys of one chunk, from a key on, and returns the key
// to go on from.
func (c *checker) keys(cur *page.Cursor, from []byte, check func(key, value []byte)) (next []byte, err error) {
	last := bytes.Clone(from)
	n := 0
	for key, value := cur.Seek(from); key != nil; key, value = cur.Next() {
		if n == checkChunk {
			return bytes.Clone(key), nil
		}
		n++
		c.done++
		if c := bytes.Compare(key, last); c < 0 || c == 0 && n > 1 {
			return nil, corruptf("keys are out of order behind %x", last)
		}
		last = append(last[:0], key...)
		check(key, value)
	}
	return nil, nil
}

// lookups find a key in each bucket.
type lookups [len(index.Names)]func(key []byte) (value []byte, ok bool)

func (c *checker) lookups(t index.View) (look lookups, err error) {
	for i, name := range index.Names {
		bucket, err := t.Damaged(name)
		if err != nil {
			return look, err
		}
		cur := bucket.Cursor()
		look[i] = func(key []byte) ([]byte, bool) {
			k, v := cur.Seek(key)
			return v, bytes.Equal(k, key)
		}
	}
	return look, nil
}

// record checks one record, and that it has its index entries.
func (c *checker) record(look lookups, suffix, value []byte) {
	var job Job
	if err := job.decode(suffix, value, true); err != nil {
		c.problem(index.Jobs, suffix, "%v", err)
		return
	}
	if err := job.ID.validate("id"); err != nil {
		c.problem(index.Jobs, suffix, "%v", err)
		return
	}
	entry := c.store.entryOf(&job)
	for i, name := range index.Names {
		if name == index.Jobs {
			continue
		}
		if _, ok := look[i](entry.AppendKey(nil, name)); !ok {
			c.problem(name, suffix, "entry is missing")
		}
	}
}

// entry checks that an index entry is one of a record's.
func (c *checker) entry(look lookups, name index.Name, key, value []byte) {
	said, ok := index.ParseKey(name, key)
	if !ok {
		c.problem(name, nil, "key %x, value of %d bytes: no entry has this form", key, len(value))
		return
	}
	suffix := []byte(said.ID)
	stored, ok := look[0](suffix)
	if !ok {
		c.problem(name, suffix, "entry has no record")
		return
	}
	var job Job
	if err := job.decode(suffix, stored, false); err != nil {
		return // reported with the record
	}
	if is := c.store.entryOf(&job); !bytes.Equal(is.AppendKey(nil, name), key) {
		c.problem(name, suffix, "entry %x does not fit the record", key)
	}
}

// sound returns the first problem that Check finds as ErrCorrupt.
func (s *Store) sound(ctx context.Context, progress Progress) error {
	for problem, err := range s.CheckProgress(ctx, func(done, total int64) {
		progress.report("check", done, total)
	}) {
		if err != nil {
			return err
		}
		return corruptf("the copy is not sound: %s", problem)
	}
	return nil
}
