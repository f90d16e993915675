package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// A state tells the tree of a file that was closed from any other tree. It has the
// number of the transaction that wrote the sums, a checksum of the buckets that hold
// buckets, and the heights of all trees. The checksum covers the numbers of the root
// pages. Close keeps the state beside the list of free pages, so that Open need not
// scan the file.
//
//	transaction u64 · CRC32C u32 · a height for each bucket with pages of its own
//
// The buckets stand in the order of the walk: the root, jobstore, what is in it, what
// is in rebuild. Numbers are little-endian.
const stateHead = 12

// State returns the state of the file that tx sees, which Prove will be given.
func (p *Proof) State(tx *bbolt.Tx, proven *page.Proven) ([]byte, error) {
	view, err := Read(tx, proven, nil)
	if err != nil {
		return nil, err
	}
	state := binary.LittleEndian.AppendUint64(nil, view.snapshot.settings.txid)
	state = append(state, 0, 0, 0, 0)
	sum := walkTops(view.root, func(b *page.Bucket) {
		state = append(state, b.Height())
	})
	binary.LittleEndian.PutUint32(state[8:], sum)
	return state, nil
}

// Prove proves the roots of all buckets that tx sees by the state that was kept
// when the file was closed. It fails with ErrDamaged.
func (p *Proof) Prove(tx *bbolt.Tx, proven *page.Proven, state []byte) error {
	if len(state) < stateHead {
		return fmt.Errorf("%w: state of %d bytes", ErrDamaged, len(state))
	}
	heights := state[stateHead:]
	sum := walkTops(page.Root(tx, proven), func(b *page.Bucket) {
		if len(heights) > 0 {
			b.ProveRoot(heights[0])
			heights = heights[1:]
		}
	})
	if sum != binary.LittleEndian.Uint32(state[8:]) || len(heights) > 0 {
		return fmt.Errorf("%w: the buckets are not those of the last commit", ErrDamaged)
	}
	view, err := Read(tx, proven, nil)
	if err != nil {
		return err
	}
	if txid := binary.LittleEndian.Uint64(state); view.snapshot.settings.txid != txid {
		return fmt.Errorf("%w: the tree is of transaction %d, not %d", ErrDamaged, view.snapshot.settings.txid, txid)
	}
	return nil
}

// walkTops calls each with the buckets that have pages of their own, before it reads
// them, and returns the checksum of what those that hold buckets hold.
func walkTops(root page.Bucket, each func(*page.Bucket)) (sum uint32) {
	var walk func(b page.Bucket, path int)
	walk = func(b page.Bucket, depth int) {
		if b.Number() != 0 {
			each(&b)
		}
		sum = crc32.Update(sum, castagnoli, b.AppendState(nil))
		b.Buckets(func(name []byte) {
			holds := depth == 0 && string(name) == string(rootName) || depth == 1 && string(name) == string(rebuildName)
			switch child, _ := b.Bucket(name, page.Anything); {
			case holds:
				child, _ = b.Bucket(name, page.Content{Buckets: true})
				walk(child, depth+1)
			case depth > 0 && child.Number() != 0:
				each(&child)
			}
		})
	}
	walk(root, 0)
	return sum
}
