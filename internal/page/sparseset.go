package page

// A SparseSet holds page numbers. Its memory follows the numbers that were added,
// not how large they are: a bit each where they lie close together, and some 100
// bytes each where they do not. Make one with make.
type SparseSet map[uint64][setWords]uint64

// setWords is the number of words of 64 pages that one entry of a SparseSet holds.
const setWords = 8

// Add adds id, and returns false when the set had it.
func (s SparseSet) Add(id uint64) bool {
	words := s[id/(64*setWords)]
	word, bit := &words[id/64%setWords], uint64(1)<<(id%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s[id/(64*setWords)] = words
	return true
}

// Has reports whether id is in the set.
func (s SparseSet) Has(id uint64) bool {
	words := s[id/(64*setWords)]
	return words[id/64%setWords]&(1<<(id%64)) != 0
}
