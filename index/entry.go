package index

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// A Hash stands for an input in keys.
type Hash [16]byte

// HashInput returns the hash of input: the first 16 bytes of its SHA-256, so
// that nobody can make two inputs that share one.
func HashInput(input string) Hash {
	sum := sha256.Sum256([]byte(input))
	return Hash(sum[:])
}

// An Entry holds what the keys of one job are made of.
type Entry struct {
	ID   string // without "job_"
	Pair Pair
	Hash Hash
}

// AppendKey appends the key of e in the bucket name to dst.
func (e *Entry) AppendKey(dst []byte, name Name) []byte {
	switch name {
	case Kind:
		dst = append(dst, e.Pair.Kind)
	case Status:
		dst = append(dst, e.Pair.Status, e.Pair.Kind)
	case Input:
		dst = append(dst, e.Hash[:]...)
		dst = append(dst, e.Pair.Status, e.Pair.Kind)
	}
	return append(dst, e.ID...)
}

// PrefixLen returns how many bytes stand before the ID in the keys of a bucket.
func PrefixLen(name Name) int {
	switch name {
	case Kind:
		return 1
	case Status:
		return 2
	case Input:
		return len(Hash{}) + 2
	}
	return 0
}

// A Batch gathers the changes that one transaction makes to the indexes and
// counters. Nothing in a write reads an index, so the changes can wait until all
// are known. They are then put in the order of their keys, so that the keys of one
// page come one after the other, which halves the time of a bulk load. The zero
// value is empty.
type Batch struct {
	changes [len(Names)][]change
	arena   []byte // the keys; reused from one batch to the next
	delta   Counts
}

// A change adds or removes one key, arena[from:to].
type change struct {
	from, to int
	remove   bool
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	for i := range b.changes {
		b.changes[i] = b.changes[i][:0]
	}
	b.arena = b.arena[:0]
	b.delta = Counts{}
}

// Change replaces the entry of a job: old is nil for a new job, next for one
// that is gone. Keys that both have stay untouched.
func (b *Batch) Change(old, next *Entry) {
	if old != nil {
		b.delta.Add(old.Pair, -1)
	}
	if next != nil {
		b.delta.Add(next.Pair, 1)
	}
	for i, name := range Names {
		if name == Jobs {
			continue
		}
		removed := b.key(old, name)
		added := b.key(next, name)
		if bytes.Equal(b.bytes(removed), b.bytes(added)) {
			continue
		}
		if old != nil {
			removed.remove = true
			b.changes[i] = append(b.changes[i], removed)
		}
		if next != nil {
			b.changes[i] = append(b.changes[i], added)
		}
	}
}

// key puts the key of e into the arena. A nil entry has an empty key.
func (b *Batch) key(e *Entry, name Name) change {
	from := len(b.arena)
	if e != nil {
		b.arena = e.AppendKey(b.arena, name)
	}
	return change{from: from, to: len(b.arena)}
}

func (b *Batch) bytes(c change) []byte { return b.arena[c.from:c.to] }

// Apply writes the changes to the indexes and counters of t. Of several changes
// to one key the last one counts.
func (b *Batch) Apply(t *Tree) error {
	for at := kindAt; at <= inputAt; at++ {
		if len(b.changes[at]) == 0 || t.damaged[at] {
			// Nobody reads a damaged index until Reindex has put another in its place.
			continue
		}
		w, err := t.main(at)
		if err == nil {
			err = b.putKeys(w, at)
		}
		if err != nil {
			return err
		}
	}
	return t.addCounts(&b.delta)
}

// putKeys writes the changes to one index.
func (b *Batch) putKeys(w *bucketWriter, at int) error {
	changes := b.changes[at]
	slices.SortStableFunc(changes, func(x, y change) int {
		return bytes.Compare(b.bytes(x), b.bytes(y))
	})
	for i, c := range changes {
		key := b.bytes(c)
		if i+1 < len(changes) && bytes.Equal(key, b.bytes(changes[i+1])) {
			continue
		}
		if err := w.setKey(key, !c.remove); err != nil {
			return err
		}
	}
	return nil
}

// ParseKey reads the key of an entry in the bucket name. The parts that the key
// does not hold stay zero. It returns false for what AppendKey does not give.
func ParseKey(name Name, key []byte) (e Entry, ok bool) {
	n := PrefixLen(name)
	if len(key) <= n {
		return Entry{}, false
	}
	prefix := key[:n]
	switch name {
	case Kind:
		e.Pair.Kind = prefix[0]
	case Status:
		e.Pair = Pair{Status: prefix[0], Kind: prefix[1]}
	case Input:
		e.Hash = Hash(prefix)
		e.Pair = Pair{Status: prefix[n-2], Kind: prefix[n-1]}
	}
	e.ID = string(key[n:])
	return e, e.Pair.Status <= MaxCode && e.Pair.Kind <= MaxCode
}
