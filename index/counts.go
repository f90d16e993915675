package index

import (
	"encoding/binary"
	"fmt"

	"github.com/jobstore/jobstore/internal/page"
)

// MaxCode is the greatest code of a kind or a status, MaxPairs the number of
// pairs of them.
const (
	MaxCode  = 5
	MaxPairs = MaxCode * MaxCode
)

// A Pair is a status and a kind, as codes. Pairs sort as their keys do: by
// status, then by kind.
type Pair struct{ Status, Kind byte }

func (p Pair) known() bool {
	return 1 <= p.Status && p.Status <= MaxCode && 1 <= p.Kind && p.Kind <= MaxCode
}

// less reports whether p sorts before q.
func (p Pair) less(q Pair) bool {
	return p.Status < q.Status || p.Status == q.Status && p.Kind < q.Kind
}

// Counts holds the number of jobs of every status and kind.
type Counts [MaxCode + 1][MaxCode + 1]int64

// Of returns the number of jobs of pair p.
func (c *Counts) Of(p Pair) int64 { return c[p.Status][p.Kind] }

// Add adds n jobs, which may be negative, to those of pair p.
func (c *Counts) Add(p Pair, n int64) { c[p.Status][p.Kind] += n }

// Total returns the number of jobs.
func (c *Counts) Total() (n int64) {
	for s := range c {
		for _, of := range c[s] {
			n += of
		}
	}
	return n
}

// All calls yield with every pair that has jobs, in the order of Pair.
func (c *Counts) All(yield func(Pair, int64) bool) {
	for s := range c {
		for k, n := range c[s] {
			if n != 0 && !yield(Pair{byte(s), byte(k)}, n) {
				return
			}
		}
	}
}

// readCounts reads the counters. Keys that are not known are of a newer version.
func (s *Snapshot) readCounts(root *page.Bucket) (c Counts, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: counters: %v", ErrDamaged, r)
		}
	}()
	b, ok := root.Bucket(countsName, s.contents[countsAt])
	if !ok {
		return c, noBucket(countsName)
	}
	cur := b.Cursor()
	n := uint64(0)
	for k, value := cur.First(); k != nil; k, value = cur.Next() {
		n++
		if len(k) != 2 {
			continue
		}
		p, jobs, err := ParseCounter(k, value)
		if err != nil {
			return c, err
		}
		c.Add(p, jobs)
	}
	if n != s.settings.sums[countsAt].Count {
		return c, fmt.Errorf("%w: there are %d counters, not %d", ErrDamaged, n, s.settings.sums[countsAt].Count)
	}
	return c, nil
}

// ParseCounter reads a counter whose seal was proven. It fails with ErrDamaged.
func ParseCounter(key, sealed []byte) (Pair, int64, error) {
	if len(key) != 2 || len(sealed) != 8+sealLen || !(Pair{key[0], key[1]}).known() {
		return Pair{}, 0, fmt.Errorf("%w: counter %x", ErrDamaged, key)
	}
	n := binary.BigEndian.Uint64(sealed)
	if n == 0 || n > 1<<62 {
		return Pair{}, 0, fmt.Errorf("%w: counter %x is %d", ErrDamaged, key, n)
	}
	return Pair{key[0], key[1]}, int64(n), nil
}

// addCounts adds delta to the counters. A pair without jobs has no key.
func (t *Tree) addCounts(delta *Counts) error {
	if *delta == (Counts{}) || t.damaged[countsAt] {
		return nil
	}
	counts, err := t.counts, t.countsErr
	if err != nil {
		return err
	}
	for p, n := range delta.All {
		counts.Add(p, n)
		if counts.Of(p) < 0 {
			return fmt.Errorf("%w: counter of status %d and kind %d would fall to %d", ErrDamaged, p.Status, p.Kind, counts.Of(p))
		}
	}
	return t.setCounts(&counts)
}

// setCounts writes the counters that differ from those of t.
func (t *Tree) setCounts(counts *Counts) error {
	w, err := t.main(countsAt)
	if err != nil {
		return err
	}
	for s := range counts {
		for k, n := range counts[s] {
			key := []byte{byte(s), byte(k)}
			if n == t.counts[s][k] {
				continue
			}
			old := w.get(key)
			if n == 0 {
				err = w.delete(key, old)
			} else {
				err = w.put(key, binary.BigEndian.AppendUint64(nil, uint64(n)), old)
			}
			if err != nil {
				return err
			}
		}
	}
	t.counts = *counts
	return nil
}
