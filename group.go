package jobstore

import (
	"time"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/index"
)

// A group is one write transaction in the making. Operations see what those
// before them wrote, as records are put at once; index entries and counters,
// which no operation reads, are put together at the end.
type group struct {
	store *Store

	tree   *index.Tree
	batch  index.Batch
	now    time.Time // the clock, for an operation that is timed
	minted typeID    // the last one
	mints  int       // how many were minted in this group
	writes int       // how many records were put or deleted
	// deletes is how many of the writes free pages in the end.
	deletes int
	// moves is how many of the writes changed nothing but where a leaf is.
	moves   int
	last    []func() error
	need    need
	largest int  // bytes of the largest record ever stored
	grew    bool // largest is to be kept
}

// begin starts the group in tx.
func (g *group) begin(tx *bbolt.Tx) (err error) {
	if g.tree, err = index.Open(tx, g.store.file.Proven, g.store.snapshots.last.Load()); err != nil {
		return err
	}
	minted := g.tree.Committed().Minted()
	g.minted = typeID{}
	if minted != nil {
		var ok bool
		if g.minted, ok = typeIDOfBytes(minted); !ok {
			return corruptf("last minted ID is %x", minted)
		}
	}
	g.largest, g.grew = g.tree.Committed().Largest(), false
	g.need.reset(tx.DB().Info().PageSize)
	g.batch.Reset()
	g.mints, g.writes, g.deletes, g.moves, g.last = 0, 0, 0, 0, nil
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
	if err := g.tree.Finish(); err != nil {
		return err
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
	value := g.tree.Record([]byte(id.suffix()))
	g.touch(false)
	return value
}

// A storedJob is a job in the store, as the index knows it, and its record.
type storedJob struct {
	entry  *index.Entry
	record []byte
}

// find returns the job with this ID, or nil when there is none.
func (g *group) find(id ID) (*storedJob, error) {
	value := g.stored(id)
	if value == nil {
		return nil, nil
	}
	var job Job
	if err := job.decode([]byte(id.suffix()), value, false); err != nil {
		return nil, err
	}
	return &storedJob{g.store.entryOf(&job), value}, nil
}

// put writes the record of a job in place of old, which is nil for a new job.
func (g *group) put(next *index.Entry, value []byte, old *storedJob) error {
	g.writes++
	g.need.put(len(value))
	if len(value) > g.largest {
		g.largest, g.grew = len(value), true
	}
	if old == nil {
		g.batch.Change(nil, next)
		return g.tree.PutRecord([]byte(next.ID), value, nil)
	}
	g.batch.Change(old.entry, next)
	return g.tree.PutRecord([]byte(next.ID), value, old.record)
}

// delete removes a job.
func (g *group) delete(old *storedJob) error {
	g.writes++
	g.deletes++
	g.batch.Change(old.entry, nil)
	err := g.tree.DeleteRecord([]byte(old.entry.ID), old.record)
	g.touch(true)
	return err
}
