package index

import (
	"encoding/binary"
	"fmt"
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

func (v View) readCounts() (Counts, error) {
	var c Counts
	b, err := v.bucket(countsName)
	if err != nil {
		return c, err
	}
	cur := b.Cursor()
	for k, value := cur.First(); k != nil; k, value = cur.Next() {
		p, n, err := ParseCounter(k, value)
		if err != nil {
			return c, err
		}
		c.Add(p, n)
	}
	return c, nil
}

// ParseCounter reads a counter. It fails with ErrDamaged.
func ParseCounter(key, sealed []byte) (Pair, int64, error) {
	value, err := unseal(key, sealed)
	if err != nil {
		return Pair{}, 0, err
	}
	if len(key) != 2 || len(value) != 8 || !(Pair{key[0], key[1]}).known() {
		return Pair{}, 0, fmt.Errorf("%w: counter %x", ErrDamaged, key)
	}
	n := binary.BigEndian.Uint64(value)
	if n == 0 || n > 1<<62 {
		return Pair{}, 0, fmt.Errorf("%w: counter %x is %d", ErrDamaged, key, n)
	}
	return Pair{key[0], key[1]}, int64(n), nil
}

// SetCounts writes the counters that differ between old, as View.Counts gave it,
// and c. A pair without jobs has no key.
func (t Tree) SetCounts(old, c *Counts) error {
	if *old == *c {
		return nil
	}
	b, err := t.bucket(countsName)
	if err != nil {
		return err
	}
	for s := range c {
		for k, n := range c[s] {
			key := []byte{byte(s), byte(k)}
			switch {
			case n == old[s][k]:
			case n < 0:
				return fmt.Errorf("%w: counter %x would fall to %d", ErrDamaged, key, n)
			case n == 0:
				err = b.Delete(key)
			default:
				err = b.Put(key, seal(key, binary.BigEndian.AppendUint64(nil, uint64(n))))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
