package jobstore

import (
	"context"
	"errors"

	"github.com/jobstore/jobstore/index"
)

// ReindexOptions are what [Store.Reindex] can be told. The zero value is the default.
type ReindexOptions struct {
	// Discard removes the records that cannot be read. Salvage may find an older
	// version of them in the file, so let it write what it can get beforehand.
	Discard bool

	// Progress is told of the one stage "reindex", in jobs. Nil tells nobody.
	Progress Progress
}

// A ReindexReport says what [Store.Reindex] found.
type ReindexReport struct {
	Jobs    int64 // how many are in the new indexes
	Damaged int64 // records that could not be read
	// DamagedIDs are those of the damaged records, up to 100 of them; not those
	// that were found before a Reindex was cut short that this one has resumed.
	DamagedIDs []ID
	// Detached says that the old indexes had pages that cannot be read: they are
	// taken back by the next Open, which scans the file for free pages.
	Detached bool
}

// Bounds of a Reindex: the records that one of its transactions reads, and the
// IDs that it remembers.
const (
	reindexChunk  = 500
	maxDamagedIDs = 100
)

// Reindex builds the indexes and the counters anew from the records, beside the old
// ones, and then puts them in their place. It mends what [Store.Check] finds in the
// buckets kind, status, input and counts, pages that cannot be read included.
//
// Reads and writes go on meanwhile, on the old indexes for as long as the new ones
// are not complete. It reads 500 records in a transaction, between which others
// take their turns, and uses the memory for as many; the last transaction, which
// frees the old indexes, takes some 0.1 s a million jobs. The file needs room for
// the new indexes beside the old, some 170 bytes a job.
//
// Whatever cuts it short, the end of ctx, [Store.Close] or a crash, leaves the store
// as good as it was, and the next Reindex goes on from there. Until then, every write
// also writes to the unfinished indexes.
//
// A damaged record stays as it is, and gets no index entries and is not counted, as
// nobody knows what it said: a list that would come across it unfiltered fails with
// [ErrCorrupt] as before, one with a filter passes over it. Look at the report;
// [ReindexOptions.Discard] removes such records.
//
// It fails with ErrCorrupt when the records themselves cannot be walked, which is a
// case for [Salvage], [ErrFull], both of which give the unfinished indexes up,
// [ErrReadOnly], [ErrClosed], [ErrCommitUnknown], or the error of ctx.
func (s *Store) Reindex(ctx context.Context, o ReindexOptions) (ReindexReport, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	r := reindexer{store: s, ctx: ctx, options: o}
	err := r.run()
	if errors.Is(err, ErrFull) || errors.Is(err, ErrCorrupt) {
		// What it is given up for is the error to hear of.
		_ = s.submit(context.WithoutCancel(ctx), &operation{apply: func(g *group) error {
			g.writes++
			g.deletes++
			leaked, err := g.tree.AbandonRebuild()
			g.store.leaked = g.store.leaked || leaked
			return err
		}})
	}
	return r.report, err
}

// A reindexer is one run of Reindex.
type reindexer struct {
	store   *Store
	ctx     context.Context
	options ReindexOptions
	report  ReindexReport
}

func (r *reindexer) run() error {
	stats, err := r.store.Stats(r.ctx)
	if errors.Is(err, ErrCorrupt) {
		err = nil // counters that cannot be read are about to be replaced
	}
	if err != nil {
		return err
	}
	if err := r.do(r.ctx, func(g *group) error {
		leaked, err := g.tree.StartRebuild()
		g.store.leaked = g.store.leaked || leaked
		return err
	}); err != nil {
		return err
	}
	for {
		var s reindexStep
		err := r.do(r.ctx, func(g *group) error {
			g.atLast(func() (err error) {
				s, err = g.reindex(r.options.Discard)
				return err
			})
			return nil
		})
		if err != nil {
			return err
		}
		for _, suffix := range s.damaged {
			if len(r.report.DamagedIDs) < maxDamagedIDs {
				r.report.DamagedIDs = append(r.report.DamagedIDs, ID(idPrefix+suffix))
			}
		}
		r.report.Jobs, r.report.Damaged = s.read-s.unread, s.unread
		r.options.Progress.report("reindex", s.read, stats.Jobs)
		if s.ended {
			break
		}
	}
	if r.report.Detached, err = r.oldDamaged(); err != nil {
		return err
	}
	err = r.finish(r.report.Detached)
	if errors.Is(err, ErrCorrupt) && !r.report.Detached {
		r.report.Detached = true
		err = r.finish(true)
	}
	return err
}

// oldDamaged reports whether the old indexes have pages that bbolt must not be made
// to walk, which deleting them takes: on some damage it would never come back.
func (r *reindexer) oldDamaged() (bool, error) {
	keys := checker{store: r.store}
	for _, name := range index.Names {
		if name == index.Jobs {
			continue
		}
		for from := []byte{}; from != nil; {
			err := r.store.view(r.ctx, func(v index.View) error {
				bucket, err := v.Damaged(name)
				if err != nil {
					from = nil
					return nil //nolint:nilerr // a bucket that is missing need not be deleted
				}
				from, err = keys.keys(bucket.Cursor(), from, func([]byte, []byte) {})
				return err
			})
			if errors.Is(err, ErrCorrupt) {
				return true, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// do has fn write in a transaction.
func (r *reindexer) do(ctx context.Context, fn func(*group) error) error {
	return r.store.submit(ctx, &operation{jobs: reindexChunk, apply: func(g *group) error {
		g.writes++ // or there would be no commit
		return fn(g)
	}})
}

func (r *reindexer) finish(detach bool) error {
	return r.do(r.ctx, func(g *group) error {
		err := g.tree.FinishRebuild(detach)
		g.store.leaked = g.store.leaked || detach
		return err
	})
}

// A reindexStep is what became of the records of one transaction.
type reindexStep struct {
	damaged      []string // those that could not be read now
	read, unread int64    // how many were read so far, and could not be
	ended        bool     // whether there are no more
}

// reindex puts the entries of the next records into the new indexes. The group
// must have put all that it has to put: what it does after that is added to the
// new indexes according to the position that this leaves.
func (g *group) reindex(discard bool) (s reindexStep, err error) {
	position, ok := g.tree.Rebuild()
	if !ok {
		return reindexStep{ended: true}, nil // somebody else's Reindex has finished it
	}
	var batch index.Batch
	var seals []uint32
	records, more, err := g.tree.Records(position, reindexChunk)
	if err != nil {
		return s, err
	}
	g.need.small += reindexChunk * entryRoom
	for _, r := range records {
		position = r.ID
		seals = append(seals, r.Seal())
		var job Job
		err := job.decode([]byte(r.ID), r.Value, false)
		if err == nil {
			err = job.ID.validate("id")
		}
		if err != nil {
			s.damaged = append(s.damaged, r.ID)
			if discard {
				seals = seals[:len(seals)-1]
				if err := g.tree.DeleteRecord([]byte(r.ID), r.Value); err != nil {
					return s, err
				}
			}
			continue
		}
		batch.Change(nil, g.store.entryOf(&job))
	}
	if !more {
		s.ended, position = true, index.RebuildEnd
	}
	if err := g.tree.Advance(position, &batch, seals, len(s.damaged)); err != nil {
		return s, err
	}
	s.read, s.unread = g.tree.Rebuilt()
	return s, nil
}
