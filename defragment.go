package jobstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
)

// A leaf of large jobs takes a run of pages. In a file that cannot grow, there can be
// many free pages, and no run of them long enough for a leaf that a deletion writes
// anew. So a deletion that leaves no such run makes one, by writing leaves anew as they
// are. A leaf that is written goes to the first free pages that fit.
//
// First the leaves of one page that lie far behind are moved to the front. Then come
// those of several pages, in their order. Such a leaf goes to the free pages ahead of
// it, if it fits. Otherwise it goes behind all others: then the room that it leaves and
// the free pages ahead of that are one run, and when it is written once more, it goes
// there.

// movesAtOnce is how many leaves are moved in one transaction.
const movesAtOnce = 16

// A place is a leaf, found by its first key.
type place struct {
	name   index.Name
	key    []byte
	number uint64 // of its page
}

// submitDeletion is submit for an operation that only deletes.
func (s *Store) submitDeletion(ctx context.Context, op *operation) error {
	err := s.submit(ctx, op)
	if errors.Is(err, ErrFull) || err == nil && s.tight.Swap(false) {
		// The outcome is that of the operation, whatever comes of this.
		_ = s.defragment(ctx)
	}
	if errors.Is(err, ErrFull) {
		op.state.Store(queued)
		err = s.submit(ctx, op)
	}
	return err
}

// defragment moves leaves to the front of the file.
func (s *Store) defragment(ctx context.Context) error {
	s.tight.Store(true)
	alone, err := s.movable(ctx, false)
	for len(alone) > 0 && err == nil && s.tight.Load() {
		some := alone[:min(movesAtOnce, len(alone))]
		alone = alone[len(some):]
		err = s.move(ctx, some)
	}
	if err != nil || !s.tight.Load() {
		return err
	}
	runs, err := s.movable(ctx, true)
	slices.SortFunc(runs, func(a, b place) int { return cmp.Compare(a.number, b.number) })
	for i := range runs {
		for range 2 {
			if err == nil && s.tight.Load() {
				err = s.move(ctx, runs[i:i+1])
			}
		}
	}
	return err
}

// movable returns the leaves of one page, or with large those of several, that are
// worth moving; none in a store that never had a large job.
func (s *Store) movable(ctx context.Context, large bool) (places []place, err error) {
	err = s.submit(ctx, &operation{apply: func(g *group) error {
		if !g.need.isLarge(g.largest) {
			return nil
		}
		from, first := boltfile.Divide(g.tree.Tx())
		if large {
			from = first
		}
		for _, name := range index.Names {
			bucket, err := g.tree.Committed().Bucket(name)
			if err != nil {
				return err
			}
			bucket.Leaves(func(number uint64, pages int, key []byte) {
				if large == (pages > 1) && number >= from {
					places = append(places, place{name, bytes.Clone(key), number})
				}
			})
		}
		return nil
	}})
	return places, err
}

func (s *Store) move(ctx context.Context, places []place) error {
	err := s.submit(ctx, &operation{apply: func(g *group) error { return g.move(places) }})
	if errors.Is(err, ErrFull) {
		return nil // others may find room
	}
	return err
}

// move writes leaves anew as they are.
func (g *group) move(places []place) error {
	for _, p := range places {
		committed, err := g.tree.Committed().Bucket(p.name)
		if err != nil {
			return err
		}
		look := committed.Cursor()
		if key, _ := look.Seek(p.key); !bytes.Equal(key, p.key) {
			continue // it was deleted meanwhile
		}
		if number, _ := look.Leaf(); number < p.number {
			continue // it is further ahead by now
		}
		written, err := g.tree.Rewrite(p.name, p.key)
		if err != nil {
			return err
		}
		if !written {
			continue // somebody else of the group has written it
		}
		if p.name == index.Jobs {
			g.tree.Leaf(false, g.need.leaf)
		}
		g.writes, g.moves = g.writes+1, g.moves+1
	}
	return nil
}
