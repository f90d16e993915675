package jobstore

import (
	"context"
	"errors"
)

// The reserve. Pages are never changed in place, so that even a deletion has to
// write some before those that it frees can be used: about 20 for a lone job, one
// of each tree from leaf to root. A file that is full to the last page could
// never be made emptier. So some pages of the file hold nothing of use, and are
// given up to the first deletion for which there is no room. Until it has taken
// them again, the store refuses all other writes with ErrFull.
const (
	reservePages = 64
	// reserveFrom is the size from which on a file has a reserve.
	reserveFrom = 1 << 20
)

// keepRoom sees to the room in the file for the group at hand.
func (g *group) keepRoom() error {
	db, limit := g.store.file.DB, int(g.store.options.MaxSize)
	pages, from := reservePages, int64(reserveFrom)
	if limit > 0 {
		// bbolt grows a file by 16 MiB, and while it is smaller, to the next power
		// of two; it refuses the step that would pass the bound, and leaves what is
		// up to there unused. With a bound that is near, the steps are smaller.
		db.AllocSize = min(16<<20, limit/64)
		pages = min(pages, limit/8/db.Info().PageSize)
		from = min(from, int64(limit)/4)
	}
	if g.deletes == g.writes || pages == 0 || g.tree.Committed().Size() < from {
		return nil
	}
	return g.tree.KeepReserve(pages)
}

// submitDeletion is submit for an operation that only deletes. If there is no room
// for it, it gets the reserve.
func (s *Store) submitDeletion(ctx context.Context, op *operation) error {
	err := s.submit(ctx, op)
	if !errors.Is(err, ErrFull) {
		return err
	}
	dropped := false
	if s.submit(ctx, &operation{apply: func(g *group) (err error) {
		g.writes++
		g.deletes++
		dropped, err = g.tree.DropReserve()
		return err
	}}) != nil || !dropped {
		return err
	}
	op.state.Store(queued)
	return s.submit(ctx, op)
}
