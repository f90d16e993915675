package jobstore

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

// A group is one write transaction in the making. Operations see what those
// before them wrote, as records are put at once; index entries and counters,
// which no operation reads, are put together at the end.
type group struct {
	store *Store

	tree   index.Tree
	jobs   *bbolt.Bucket
	cursor *bbolt.Cursor
	look   *page.Cursor // over the jobs as last committed
	batch  index.Batch
	now    time.Time // the clock, for an operation that is timed
	minted typeID    // the last one
	mints  int       // how many were minted in this group
	writes int       // how many records were put or deleted
	// deletes is how many of the writes free pages in the end.
	deletes int
	last    []func() error
	need    need
	largest int  // bytes of the largest record ever stored
	grew    bool // largest is to be kept
}

// begin starts the group in tx.
func (g *group) begin(tx *bbolt.Tx) (err error) {
	if g.tree, err = index.Open(tx, &g.store.checked); err != nil {
		return err
	}
	if g.jobs, err = g.tree.Bucket(index.Jobs); err != nil {
		return err
	}
	minted, err := g.tree.Committed().Minted()
	if err != nil {
		return err
	}
	g.minted = typeID{}
	if minted != nil {
		var ok bool
		if g.minted, ok = typeIDOfBytes(minted); !ok {
			return corruptf("last minted ID is %x", minted)
		}
	}
	if g.largest, err = g.tree.Committed().Largest(); err != nil {
		return err
	}
	g.grew = false
	g.need.reset(tx.DB().Info().PageSize)
	committed, err := g.tree.Committed().Bucket(index.Jobs)
	if err != nil {
		return err
	}
	g.cursor, g.look = g.jobs.Cursor(), committed.Cursor()
	g.batch.Reset()
	g.mints, g.writes, g.deletes, g.last = 0, 0, 0, nil
	return nil
}

// finish puts what the group has gathered, and sees to the room for all of it.
func (g *group) finish(tx *bbolt.Tx) error {
	if g.writes == 0 {
		return nil
	}
	if g.grew {
		if err := g.tree.SetLargest(g.largest); err != nil {
			return err
		}
	}
	if g.mints > 0 {
		if err := g.tree.SetMinted(g.minted.bytes()); err != nil {
			return err
		}
	}
	if err := g.batch.Apply(g.tree); err != nil {
		return err
	}
	if err := g.batch.ApplyRebuild(g.tree); err != nil {
		return err
	}
	for _, fn := range g.last {
		if err := fn(); err != nil {
			return err
		}
	}
	return g.makeRoom(tx)
}

// atLast has fn called when the operations of the group have all been carried
// out, and what they gathered has been put.
func (g *group) atLast(fn func() error) { g.last = append(g.last, fn) }

// mint returns a new ID, greater than all that were minted before it.
func (g *group) mint() ID {
	for {
		g.minted = g.minted.next(g.now)
		g.mints++
		if id := g.minted.id(); g.stored(id) == nil {
			return id
		}
	}
}

// stored returns the record of id, or nil. It is valid until the next write.
func (g *group) stored(id ID) []byte {
	suffix := []byte(id.suffix())
	g.look.Seek(suffix) // checks the pages that bbolt is going to trust
	g.touch(false)
	if key, value := g.cursor.Seek(suffix); bytes.Equal(key, suffix) {
		return value
	}
	return nil
}

// entry returns what the index knows the job with this ID by, or nil when there
// is no such job.
func (g *group) entry(id ID) (*index.Entry, error) {
	value := g.stored(id)
	if value == nil {
		return nil, nil
	}
	var job Job
	if err := job.decode([]byte(id.suffix()), value, false); err != nil {
		return nil, err
	}
	return g.store.entryOf(&job), nil
}

// put writes the record of a job in place of the one that old stands for, which
// is nil for a new job.
func (g *group) put(next, old *index.Entry, value []byte) error {
	g.writes++
	g.need.put(len(value))
	if len(value) > g.largest {
		g.largest, g.grew = len(value), true
	}
	g.batch.Change(old, next)
	return g.jobs.Put([]byte(next.ID), value)
}

// delete removes the job that old stands for.
func (g *group) delete(old *index.Entry) error {
	g.writes++
	g.deletes++
	g.look.Seek([]byte(old.ID))
	g.touch(true)
	g.batch.Change(old, nil)
	return g.jobs.Delete([]byte(old.ID))
}
