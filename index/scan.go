package index

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// A Scan walks the entries of some prefixes of one bucket as if they were one
// range, merged by ID. It counts what it does, which is what the bound
//
//	Examined ≤ entries returned + 2 × Branches + 1
//
// is stated in, and what makes it hold: a branch costs one key to be found and
// one to be placed, an entry one to step past it.
type Scan struct {
	// Branches is the number of prefixes whose range was sought.
	Branches int
	// Examined is the number of keys on which a cursor was placed and which
	// were then compared. The key that a descending cursor is placed behind is
	// not looked at and does not count.
	Examined int

	bucket *bbolt.Bucket
	bounds Bounds
	// branches are those that have a head, the nearest first.
	branches []branch
	// stale is set when the entry of branches[0] was returned and its cursor
	// has not moved on yet: the last entry of a page is never stepped past.
	stale bool
}

// NewScan returns a scan of b without branches, with room for n.
func NewScan(b *bbolt.Bucket, bounds Bounds, n int) *Scan {
	return &Scan{bucket: b, bounds: bounds, branches: make([]branch, 0, n)}
}

// Add adds the branch of all keys that start with prefix.
func (s *Scan) Add(prefix []byte) {
	br, start := newBranch(s.bucket.Cursor(), prefix, s.bounds)
	s.Branches++
	s.Examined++
	if br.stand(br.place(start)) {
		s.insert(br)
	}
}

// AddInput adds a branch for each of pairs, which are sorted, that the input of
// this hash has entries of. The cursor that finds no entry of a pair within the
// bounds stands on the entry of another pair, which is the next one to look at:
// pairs that the input has none of are skipped without a seek.
func (s *Scan) AddInput(hash Hash, pairs []Pair) {
	rest := pairs
	for len(rest) > 0 {
		var p Pair
		p, rest = s.pop(rest)
		br, start := s.inputBranch(s.bucket.Cursor(), hash, p)
		s.Branches++
		s.Examined++
		key := br.place(start)
		at, ok := pairOf(key, hash)
		if !ok {
			return // no entry of this input here or further on
		}
		if at == p {
			if br.stand(key) {
				s.insert(br)
			}
			continue
		}
		for len(rest) > 0 && s.passed(s.peek(rest), at) {
			_, rest = s.pop(rest)
		}
		if len(rest) == 0 || s.peek(rest) != at {
			continue
		}
		_, rest = s.pop(rest)
		s.addFound(hash, at, br.cur, key, br.value)
	}
}

// addFound adds the branch of pair p, given that cur came upon key and value,
// the first entry of p in the direction of the scan.
func (s *Scan) addFound(hash Hash, p Pair, cur *bbolt.Cursor, key, value []byte) {
	br, start := s.inputBranch(cur, hash, p)
	br.value = value
	s.Branches++
	if before := bytes.Compare(key, start) < 0; before != s.bounds.Reverse {
		s.Examined++
		key = br.place(start)
	}
	if bytes.HasPrefix(key, br.prefix) && br.stand(key) {
		s.insert(br)
	}
}

func (s *Scan) inputBranch(cur *bbolt.Cursor, hash Hash, p Pair) (br branch, start []byte) {
	prefix := make([]byte, 0, len(hash)+2)
	prefix = append(append(prefix, hash[:]...), p.Status, p.Kind)
	return newBranch(cur, prefix, s.bounds)
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
	if len(s.branches) == 0 {
		return Hit{}, false
	}
	s.stale = true
	head := &s.branches[0]
	return Hit{Prefix: head.prefix, ID: head.id, Value: head.value}, true
}

// More reports whether Next would return an entry.
func (s *Scan) More() bool {
	if s.stale && len(s.branches) == 1 {
		s.advance()
	}
	// With a second branch that has a head there is more in any case.
	return len(s.branches) > 0
}

// Count walks the scan to its end and returns the number of entries.
func (s *Scan) Count() (n int64) {
	for _, ok := s.Next(); ok; _, ok = s.Next() {
		n++
	}
	return n
}

// advance moves the first branch to its next entry and to its new place.
func (s *Scan) advance() {
	s.stale = false
	s.Examined++
	first := &s.branches[0]
	if !first.stand(first.step()) {
		copy(s.branches, s.branches[1:])
		s.branches = s.branches[:len(s.branches)-1]
		return
	}
	for i := 1; i < len(s.branches) && s.branches[i].ahead(&s.branches[i-1]); i++ {
		s.branches[i], s.branches[i-1] = s.branches[i-1], s.branches[i]
	}
}

// insert adds a branch that has a head, at its place.
func (s *Scan) insert(br branch) {
	s.branches = append(s.branches, br)
	for i := len(s.branches) - 1; i > 0 && s.branches[i].ahead(&s.branches[i-1]); i-- {
		s.branches[i], s.branches[i-1] = s.branches[i-1], s.branches[i]
	}
}
