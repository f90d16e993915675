package index

import (
	"fmt"

	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// A Difference is a bucket that is not what the last commit says that it is.
type Difference struct{ Bucket, Detail string }

// CheckSums walks all buckets and returns those that differ from their sums, or that
// cannot be read.
func (v View) CheckSums() (differences []Difference) {
	for i, name := range bucketNames {
		want := v.snapshot.settings.sums[i]
		is, err := v.sumOf(i)
		switch {
		case err != nil:
			differences = append(differences, Difference{name, "cannot be read on: " + err.Error()})
		case is.Count != want.Count:
			differences = append(differences, Difference{name, fmt.Sprintf("has %d entries, not %d", is.Count, want.Count)})
		case is.Seals != want.Seals:
			differences = append(differences, Difference{name, "has other entries than the last commit has left in it"})
		}
	}
	return differences
}

func (v View) sumOf(at int) (sum page.Sum, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	if v.snapshot.settings.sums[at].Count == 0 && v.snapshot.numbers[at] == 0 && at >= onceAt {
		return sum, nil // not made yet, or small and empty
	}
	b, err := v.bucketAt(at)
	if err != nil {
		return sum, err
	}
	seal := sealOf
	if at == jobsAt {
		seal = record.Seal
	}
	cur := b.Cursor()
	for k, value := cur.First(); k != nil; k, value = cur.Next() {
		sum.Add(seal(value))
	}
	return sum, nil
}
