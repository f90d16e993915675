package index

import (
	"bytes"

	"github.com/jobstore/jobstore/internal/page"
)

// A Scan walks the entries of some prefixes of one bucket as if they were one
// range, merged by ID. It counts what it does. The bound is
//
//	Examined ≤ entries returned + 2 × Branches + 1
//
// It holds because a branch costs one key to be found and one to be placed, and an
// entry one to step past it.
//
// The zero value can be Reset.
type Scan struct {
	// Branches is the number of prefixes whose range was sought.
	Branches int
	// Examined is the number of keys on which a cursor was placed and which
	// were then compared. The key that a descending cursor is placed behind is
	// not looked at and does not count.
	Examined int

	bucket page.Bucket
	bounds Bounds
	// order lists the branches that have a head, the nearest first.
	branches []branch
	order    []uint8
	// cursors are those that this scan or one before it has used. The first are
	// in use.
	cursors []*page.Cursor
	used    int
	// arena holds the prefixes and limits of the branches, scratch the key that
	// the next branch is placed at.
	arena, scratch []byte
	// stale is set when the entry of the first branch was returned and its cursor
	// has not moved on yet: the last entry of a page is never stepped past.
	stale bool
}

// Reset makes s a scan of b without branches. It keeps the memory of the scan that
// s was before.
func (s *Scan) Reset(b page.Bucket, bounds Bounds) {
	*s = Scan{
		bucket: b, bounds: bounds,
		branches: s.branches[:0], order: s.order[:0],
		cursors: s.cursors,
		arena:   s.arena[:0], scratch: s.scratch,
	}
}

// cursor returns a cursor that no branch has. It stands where the one before it does:
// branches are added in the order of their keys, and are searched for from there.
func (s *Scan) cursor() *page.Cursor {
	if s.used == len(s.cursors) {
		s.cursors = append(s.cursors, &page.Cursor{})
	}
	cur := s.cursors[s.used]
	if s.used == 0 {
		cur.Reset(&s.bucket)
	} else {
		cur.Follow(s.cursors[s.used-1])
	}
	s.used++
	return cur
}

// Add adds the branch of all keys that start with prefix.
func (s *Scan) Add(prefix ...byte) {
	br, start := s.branch(s.cursor(), prefix)
	s.Branches++
	s.Examined++
	key := br.place(start)
	if len(start) > 0 {
		br.proveBehind(key)
	}
	if br.stand(key) {
		s.insert(br)
	}
}

// branch returns a branch that will walk with cur, and the key to place it at,
// which is valid until the next call.
func (s *Scan) branch(cur *page.Cursor, prefix []byte) (br branch, start []byte) {
	br = branch{cur: cur, reverse: s.bounds.Reverse}
	from := len(s.arena)
	s.arena = append(s.arena, prefix...)
	br.prefix = s.arena[from:len(s.arena):len(s.arena)]

	from = len(s.arena)
	if br.reverse {
		s.arena = append(append(s.arena, prefix...), s.bounds.Low...)
		s.scratch = s.appendHigh(s.scratch[:0], prefix)
	} else {
		s.arena = s.appendHigh(s.arena, prefix)
		s.scratch = append(append(s.scratch[:0], prefix...), s.bounds.Low...)
		if s.bounds.Low != "" {
			s.scratch = append(s.scratch, 0) // the key after, as no ID holds a zero
		}
	}
	br.limit = s.arena[from:len(s.arena):len(s.arena)]
	return br, s.scratch
}

// appendHigh appends the first key with this prefix that is past the bounds.
func (s *Scan) appendHigh(dst, prefix []byte) []byte {
	if s.bounds.High == "" {
		return appendSuccessor(dst, prefix)
	}
	return append(append(dst, prefix...), s.bounds.High...)
}

// AddInput adds a branch for each of pairs, which are sorted, that the input of
// this hash has entries of. The cursor that finds no entry of a pair within the
// bounds stands on the entry of another pair, which is the next one to look at:
// pairs that the input has none of are skipped without a seek.
func (s *Scan) AddInput(hash Hash, pairs []Pair) {
	var cur *page.Cursor // nil once a branch has taken it
	for rest := pairs; len(rest) > 0; {
		var p Pair
		p, rest = s.pop(rest)
		if cur == nil {
			cur = s.cursor()
		}
		prefix := inputPrefix(hash, p)
		br, start := s.branch(cur, prefix[:])
		s.Branches++
		s.Examined++
		key := br.place(start)
		at, ok := pairOf(key, hash)
		if !ok {
			return // no entry of this input here or further on
		}
		if at != p {
			for len(rest) > 0 && s.passed(s.peek(rest), at) {
				_, rest = s.pop(rest)
			}
			if len(rest) == 0 || s.peek(rest) != at {
				continue
			}
			_, rest = s.pop(rest)
			br, key = s.found(br, hash, at, key)
		}
		if bytes.HasPrefix(key, br.prefix) && br.stand(key) {
			s.insert(br)
			cur = nil
		}
	}
}

// found returns the branch of pair p, given that another came upon key, the
// first entry of p in the direction of the scan, and the key that it stands on.
func (s *Scan) found(other branch, hash Hash, p Pair, key []byte) (branch, []byte) {
	prefix := inputPrefix(hash, p)
	br, start := s.branch(other.cur, prefix[:])
	br.value = other.value
	s.Branches++
	if before := bytes.Compare(key, start) < 0; before != s.bounds.Reverse {
		s.Examined++
		key = br.place(start)
	}
	return br, key
}

// inputPrefix returns the prefix of an input's entries of one pair.
func inputPrefix(hash Hash, p Pair) (prefix [len(Hash{}) + 2]byte) {
	copy(prefix[:], hash[:])
	prefix[len(hash)], prefix[len(hash)+1] = p.Status, p.Kind
	return prefix
}

// peek returns the first of pairs in the direction of the scan.
func (s *Scan) peek(pairs []Pair) Pair {
	if s.bounds.Reverse {
		return pairs[len(pairs)-1]
	}
	return pairs[0]
}

// pop returns the first of pairs in the direction of the scan, and the others.
func (s *Scan) pop(pairs []Pair) (Pair, []Pair) {
	if s.bounds.Reverse {
		last := len(pairs) - 1
		return pairs[last], pairs[:last]
	}
	return pairs[0], pairs[1:]
}

// passed reports whether p comes before at in the direction of the scan.
func (s *Scan) passed(p, at Pair) bool {
	if s.bounds.Reverse {
		return at.less(p)
	}
	return p.less(at)
}

// pairOf returns the pair in a key of the input bucket, if it is of this hash.
func pairOf(key []byte, hash Hash) (Pair, bool) {
	if len(key) <= len(hash)+2 || !bytes.HasPrefix(key, hash[:]) {
		return Pair{}, false
	}
	return Pair{Status: key[len(hash)], Kind: key[len(hash)+1]}, true
}

// A Hit is an entry that a scan came to: its key in two parts, and its value,
// which only the jobs bucket has. All are valid until the transaction ends.
type Hit struct {
	Prefix []byte
	ID     []byte // without "job_"
	Value  []byte
}

// Next returns the next entry in the order of the scan, and false at the end.
func (s *Scan) Next() (Hit, bool) {
	if s.stale {
		s.advance()
	}
	if len(s.order) == 0 {
		return Hit{}, false
	}
	s.stale = true
	head := &s.branches[s.order[0]]
	return Hit{Prefix: head.prefix, ID: head.id, Value: head.value}, true
}

// More reports whether Next would return an entry.
func (s *Scan) More() bool {
	if s.stale && len(s.order) == 1 {
		s.advance()
	}
	// With a second branch that has a head there is more in any case.
	return len(s.order) > 0
}

// advance moves the first branch to its next entry and to its new place.
func (s *Scan) advance() {
	s.stale = false
	s.Examined++
	first := &s.branches[s.order[0]]
	if !first.stand(first.step()) {
		copy(s.order, s.order[1:])
		s.order = s.order[:len(s.order)-1]
		return
	}
	for i := 1; i < len(s.order) && s.ahead(i, i-1); i++ {
		s.order[i], s.order[i-1] = s.order[i-1], s.order[i]
	}
}

// insert adds a branch that has a head, at its place.
func (s *Scan) insert(br branch) {
	s.order = append(s.order, uint8(len(s.branches)))
	s.branches = append(s.branches, br)
	for i := len(s.order) - 1; i > 0 && s.ahead(i, i-1); i-- {
		s.order[i], s.order[i-1] = s.order[i-1], s.order[i]
	}
}

// ahead reports whether the head of the branch at place i comes before that of
// the one at place j.
func (s *Scan) ahead(i, j int) bool {
	c := bytes.Compare(s.branches[s.order[i]].id, s.branches[s.order[j]].id)
	return c < 0 != s.bounds.Reverse
}
