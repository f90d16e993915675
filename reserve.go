package jobstore

import (
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/boltfile"
)

// The reserve is the free pages that a write leaves to deletions. A write that is no
// deletion fails with ErrFull when it would leave fewer: reservePages, and in a store
// with large jobs two runs of free pages as long as the longest leaf. One of the runs
// is for a deletion, and one to make the next such run with.
//
// The reason is that pages are never changed in place. Even a deletion has to write
// some before those that it frees can be used: about 20 for a lone job, one of each
// tree from leaf to root. With large jobs it also writes the leaf that the job is in,
// which holds up to three others, and one beside it with up to four.
const (
	reservePages = 64
	// reserveFrom is the size from which on a file has a reserve.
	reserveFrom = 1 << 20

	leafJobs = 4 // how many jobs a leaf of more than one page holds at most
)

// A need is what a group is going to write, beside the nodes that bbolt has in memory.
type need struct {
	pageSize int
	small    int            // bytes of what is much smaller than a page
	runs     int            // pages of jobs that are not
	leaves   map[uint64]int // leaves of several pages that are written anew, and how many
}

func (n *need) reset(pageSize int) {
	n.pageSize, n.small, n.runs = pageSize, 0, 0
	clear(n.leaves)
}

// isLarge reports whether a record of this size may make its leaf one of several
// pages: bbolt does not split one with four keys.
func (n *need) isLarge(record int) bool { return record+elementRoom > n.pageSize/leafJobs }

// elementRoom is more than what stands in a leaf beside a record: its ID and two
// headers.
const elementRoom = 128

// entryRoom is more than what a job takes in the indexes. It is counted twice, as
// Reindex may be building them anew. onceRoom is more than what an idempotency key
// takes.
const (
	entryRoom = 2 * 3 * 128
	onceRoom  = 1 << 10
)

// put counts a record that is going to be put.
func (n *need) put(record int) {
	n.small += entryRoom
	if n.isLarge(record) {
		n.runs += n.pagesOf(record) + 1
	} else {
		n.small += record + elementRoom
	}
}

func (n *need) pagesOf(record int) int { return (record + elementRoom + n.pageSize - 1) / n.pageSize }

// leaf counts a leaf of jobs that is written anew. The nodes in memory tell of its
// first page.
func (n *need) leaf(number uint64, pages int) {
	if pages == 1 {
		return
	}
	if n.leaves == nil {
		n.leaves = map[uint64]int{}
	}
	n.leaves[number] = pages
}

// touch counts the leaf that the cursor of the group stands in, and with deletes
// those beside it.
func (g *group) touch(deletes bool) {
	if !g.need.isLarge(g.largest) {
		return // no leaf has more than one page
	}
	g.tree.Leaf(deletes, g.need.leaf)
}

// makeRoom sees to the room in the file for the group, which has put all that it has
// to put.
func (g *group) makeRoom(tx *bbolt.Tx) error {
	n, file := &g.need, g.store.file
	nodes := int(tx.Stats().NodeCount) + 4 // and those from the buckets to the root
	runs := n.runs
	for _, pages := range n.leaves {
		runs += pages + 1
	}
	smallest := n.pageSize * 2 / 5 // bytes in a page that comes of a split
	// A node that was a page makes at most three, and one more for what is added.
	// A node from which was deleted may be merged with one beside it.
	room := boltfile.Room{
		Pages: 4*nodes + n.small/smallest,
		Runs:  runs,
		About: nodes + n.small/n.pageSize + runs,
	}
	if g.deletes > 0 {
		room.Pages += 4 * nodes
	}
	job, used := 0, 0
	if n.isLarge(g.largest) {
		// There is no more to write anew than there is.
		stats := file.DB.Stats()
		used = int(g.tree.Committed().Size())/n.pageSize - stats.FreePageN - stats.PendingPageN + n.runs
		job = n.pagesOf(g.largest)
	}
	leaf := min(leafJobs*job, used)
	room.WishRun = 2 * leaf
	if g.deletes+g.moves == g.writes {
		if g.deletes > 1 {
			room.KeepRun = leaf // a single one can do with less
		}
		tight, err := file.MakeRoom(tx, room)
		g.store.tight.Store(tight)
		return err
	}
	limit, from := g.store.options.MaxSize, int64(reserveFrom)
	if limit > 0 {
		from = min(from, limit/4)
	}
	if size := g.tree.Committed().Size(); size >= from {
		room.Keep = reservePages
		if limit > 0 {
			room.Keep = min(room.Keep, int(limit/8)/n.pageSize)
		}
	}
	room.Keep += 2 * leaf
	room.KeepRun = 2 * leaf
	_, err := file.MakeRoom(tx, room)
	return err
}
