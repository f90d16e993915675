package jobstore

import (
	"bytes"
	"context"
	"errors"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/boltfile"
)

// A leaf of large jobs takes a run of pages. In a file that cannot grow, the free
// pages can be many and no run of them long enough, as pages that stand alone lie
// between. A page that is written anew goes to the first free pages that fit. So the
// leaves of one page that lie far behind are written anew, which leaves long runs
// there, and then those of several pages.

// movesAtOnce is how many leaves are moved in one transaction.
const movesAtOnce = 16

// A place is a leaf, found by its first key.
type place struct {
	name index.Name
	key  []byte
}

// submitDeletion is submit for an operation that only deletes. Where it finds no run
// of free pages, it makes one.
func (s *Store) submitDeletion(ctx context.Context, op *operation) error {
	err := s.submit(ctx, op)
	if !errors.Is(err, ErrFull) {
		return err
	}
	for _, large := range []bool{false, true} {
		if s.defragment(ctx, large) != nil {
			return err
		}
		op.state.Store(queued)
		if err = s.submit(ctx, op); !errors.Is(err, ErrFull) {
			return err
		}
	}
	return err
}

// defragment moves the leaves of one page, or with large those of several, to the
// first free pages that there are.
func (s *Store) defragment(ctx context.Context, large bool) error {
	var places []place
	err := s.submit(ctx, &operation{apply: func(g *group) (err error) {
		places, err = g.movable(large)
		return err
	}})
	atOnce := movesAtOnce
	if large {
		atOnce = 1
	}
	for len(places) > 0 && err == nil {
		some := places[:min(atOnce, len(places))]
		places = places[len(some):]
		err = s.submit(ctx, &operation{apply: func(g *group) error { return g.move(some) }})
		if errors.Is(err, ErrFull) {
			err = nil // others may find room
		}
	}
	return err
}

// movable returns the leaves that are worth moving; none in a store that never had a
// large job.
func (g *group) movable(large bool) (places []place, err error) {
	if !g.need.isLarge(g.largest) {
		return nil, nil
	}
	from := boltfile.Divide(g.tree.Tx())
	for _, name := range index.Names {
		bucket, err := g.tree.Committed().Bucket(name)
		if err != nil {
			return nil, err
		}
		bucket.Leaves(func(number uint64, pages int, key []byte) {
			if large == (pages > 1) && (large || number >= from) {
				places = append(places, place{name, bytes.Clone(key)})
			}
		})
	}
	return places, nil
}

// move writes leaves anew as they are.
func (g *group) move(places []place) error {
	for _, p := range places {
		written, err := g.tree.Rewrite(p.name, p.key)
		if err != nil {
			return err
		}
		if !written {
			continue // it was deleted meanwhile, or somebody else of the group has written it
		}
		if p.name == index.Jobs {
			g.tree.Leaf(false, g.need.leaf)
		}
		g.writes++
		g.deletes++ // it may take what is kept for deletions
	}
	return nil
}
