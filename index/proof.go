package index

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/jobstore/jobstore/internal/page"
)

// A Proof proves a whole file that was not closed. It says what each bucket has to
// hold, and compares what was found with the sums in meta.
type Proof struct {
	settings settings
	rebuild  *rebuildState

	// damaged are the buckets that differ from their sums, or have entries that cannot
	// be proven. The others can be read nevertheless.
	damaged [buckets]bool
	// rebuildDamaged says the same of the rebuild.
	rebuildDamaged bool

	mu      sync.Mutex
	unknown []byte // the name of a bucket under jobstore that is not known
}

// Begin reads the settings out of a file of which nothing is proven yet. They prove
// themselves.
func (p *Proof) Begin(r io.ReaderAt, l page.Layout) error {
	values := map[string][]byte{}
	page.Elements(r, l, [][]byte{rootName, metaName}, func(e page.Element) {
		const most = 4 << 10 // no value of meta is longer
		value := make([]byte, min(e.Size, most))
		if _, err := r.ReadAt(value, e.Offset); err == nil {
			values[string(e.Key)] = value
		}
	})
	if len(values) == 0 {
		return fmt.Errorf("%w: no bucket %q", ErrFormat, rootName)
	}
	var err error
	p.settings, err = parseSettings(func(key []byte) []byte { return values[string(key)] })
	if value := values[string(rebuildKey)]; err == nil && value != nil {
		p.rebuild, err = parseRebuild(value)
	}
	return err
}

// Content says what the bucket at path has to hold.
func (p *Proof) Content(path [][]byte) page.Content {
	switch {
	case !bytes.Equal(path[0], rootName):
		return page.Anything // somebody else's
	case len(path) == 1:
		return page.Content{Buckets: true}
	case len(path) == 3 && bytes.Equal(path[1], rebuildName) && !bytes.Equal(path[2], leafName):
		of, _ := content(string(path[2]), p.settings.generation+1)
		return of
	case len(path) > 2:
		return page.Anything
	}
	of, known := content(string(path[1]), p.settings.generation)
	if !known {
		p.mu.Lock()
		p.unknown = path[1]
		p.mu.Unlock()
	}
	return of
}

// Check compares what a scan has found with the sums in meta. Txid is the number of
// the transaction that the meta page is of. A file that lists its free pages may have
// been written to by somebody else meanwhile, in buckets of their own: the tree is of
// an earlier transaction then.
func (p *Proof) Check(found map[string]page.Found, txid uint64, listed bool) error {
	if p.unknown != nil && p.settings.flags == (Flags{}) {
		return fmt.Errorf("%w: unknown bucket %q", ErrDamaged, p.unknown)
	}
	if s := p.settings.txid; s > txid || s < txid && !listed {
		return fmt.Errorf("%w: the tree is of transaction %d, the meta page of %d", ErrDamaged, s, txid)
	}
	for i, name := range bucketNames {
		is := found[string(rootName)+"/"+name]
		want := p.settings.sums[i]
		fits := is.Sum == want && is.Damaged == 0
		if i == jobsAt {
			// A damaged record is found when it is read, and spoils no other.
			fits = is.Sum == want || is.Count == want.Count && is.Damaged > 0
			if !fits {
				return fmt.Errorf("%w: bucket %q has %d entries with the sum %x, not %d with %x", ErrDamaged, name, is.Count, is.Seals, want.Count, want.Seals)
			}
		}
		p.damaged[i] = !fits
	}
	if p.rebuild != nil {
		for at := kindAt; at <= inputAt; at++ {
			is := found[string(rootName)+"/"+string(rebuildName)+"/"+bucketNames[at]]
			p.rebuildDamaged = p.rebuildDamaged || is.Sum != p.rebuild.sums[at] || is.Damaged > 0
		}
	}
	return nil
}

// Distrust has s refuse to read what was found damaged.
func (p *Proof) Distrust(s *Snapshot) {
	s.damaged, s.rebuildDamaged = p.damaged, p.rebuildDamaged
}
