package index_test

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
)

func openTree(t *testing.T) *bbolt.DB {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "index.db"), 0o600, &bbolt.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Update(index.Create))
	return db
}

// scanned returns what a scan of the file of tx proves.
func scanned(t require.TestingT, tx *bbolt.Tx) *page.Proven {
	info := tx.DB().Info()
	start := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	l := page.Layout{
		PageSize: info.PageSize,
		Pages:    uint64(tx.Size()) / uint64(info.PageSize),
		Root:     uint64(tx.Cursor().Bucket().Root()),
		Freelist: page.NoFreelist,
	}
	proven := &page.Proven{}
	_, err := page.Scan(unsafe.Slice((*byte)(start), tx.Size()), l, proven, func([][]byte) page.Content { return page.Anything })
	require.NoError(t, err)
	return proven
}

func drawEntry(rt *rapid.T) index.Entry {
	return index.Entry{
		ID: rapid.StringMatching(`[0-9A-Za-z_-]{1,3}`).Draw(rt, "id"),
		Pair: index.Pair{
			Status: byte(rapid.IntRange(1, index.MaxCode).Draw(rt, "status")),
			Kind:   byte(rapid.IntRange(1, index.MaxCode).Draw(rt, "kind")),
		},
		Hash: index.HashInput(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "input")),
	}
}

// Within a prefix, keys sort by ID, and give back what they were made of.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := drawEntry(rt), drawEntry(rt)
		for _, name := range index.Names {
			key := a.AppendKey(nil, name)
			require.Equal(rt, a.ID, string(key[index.PrefixLen(name):]))
			back, ok := index.ParseKey(name, key)
			require.True(rt, ok)
			require.Equal(rt, key, back.AppendKey(nil, name))

			twin := b
			twin.Pair, twin.Hash = a.Pair, a.Hash
			require.Equal(rt, cmp.Compare(a.ID, twin.ID), bytes.Compare(key, twin.AppendKey(nil, name)))
		}
	})
}

func TestParseKeyRefuses(t *testing.T) {
	for name, key := range map[index.Name][]byte{
		index.Jobs:   {},
		index.Kind:   {1},
		index.Status: {1, 9, 'a'},
		index.Input:  make([]byte, 18),
	} {
		_, ok := index.ParseKey(name, key)
		require.False(t, ok, "%s %x", name, key)
	}
}

// However changes follow one another within a batch, and batches on batches, the
// buckets end up with the entries of the jobs that are left, and the counters with
// their number.
func TestBatch(t *testing.T) {
	db := openTree(t)
	entries := map[string]index.Entry{}
	rapid.Check(t, func(rt *rapid.T) {
		var batch index.Batch
		for range rapid.IntRange(0, 40).Draw(rt, "changes") {
			next := drawEntry(rt)
			old, known := entries[next.ID]
			switch {
			case known && rapid.Bool().Draw(rt, "delete"):
				batch.Change(&old, nil)
				delete(entries, next.ID)
			case known:
				batch.Change(&old, &next)
				entries[next.ID] = next
			default:
				batch.Change(nil, &next)
				entries[next.ID] = next
			}
		}
		require.NoError(rt, db.Update(func(tx *bbolt.Tx) error {
			tree, err := index.Open(tx, scanned(rt, tx), nil)
			require.NoError(rt, err)
			require.NoError(rt, batch.Apply(tree))
			return tree.Finish()
		}))
		require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
			view, err := index.Read(tx, scanned(rt, tx), nil)
			require.NoError(rt, err)
			requireEntries(rt, view, entries)
			return nil
		}))
	})
}

func requireEntries(rt *rapid.T, view index.View, entries map[string]index.Entry) {
	var counts index.Counts
	for _, e := range entries {
		counts.Add(e.Pair, 1)
	}
	got, err := view.Counts()
	require.NoError(rt, err)
	require.Equal(rt, counts, *got)
	for _, name := range index.Names[1:] {
		var want, have []string
		for _, e := range entries {
			want = append(want, string(e.AppendKey(nil, name)))
		}
		slices.Sort(want)
		bucket, err := view.Bucket(name)
		require.NoError(rt, err)
		c := bucket.Cursor()
		for key, value := c.First(); key != nil; key, value = c.Next() {
			require.Len(rt, value, 4, "a seal")
			have = append(have, string(key))
		}
		require.Equal(rt, want, have, "%s", name)
	}
}

// A scan gives the entries of its prefixes between its bounds, in order, and
// examines no more keys than the bound allows.
func TestScan(t *testing.T) {
	db := openTree(t)
	rapid.Check(t, func(rt *rapid.T) {
		entries := map[string]index.Entry{}
		require.NoError(rt, db.Update(func(tx *bbolt.Tx) error {
			require.NoError(rt, tx.DeleteBucket([]byte("jobstore")))
			return index.Create(tx)
		}))
		require.NoError(rt, db.Update(func(tx *bbolt.Tx) error {
			var batch index.Batch
			for _, e := range rapid.SliceOfN(rapid.Custom(drawEntry), 0, 150).Draw(rt, "entries") {
				if _, ok := entries[e.ID]; !ok {
					entries[e.ID] = e
					batch.Change(nil, &e)
				}
			}
			tree, err := index.Open(tx, scanned(rt, tx), nil)
			require.NoError(rt, err)
			require.NoError(rt, batch.Apply(tree))
			return tree.Finish()
		}))
		hash := index.HashInput(rapid.SampledFrom([]string{"a", "b", "none"}).Draw(rt, "input"))
		bounds := index.Bounds{Reverse: rapid.Bool().Draw(rt, "reverse")}
		if rapid.Bool().Draw(rt, "low") {
			bounds.Low = rapid.StringMatching(`[0-9A-Za-z_-]{1,3}`).Draw(rt, "low")
		}
		if rapid.Bool().Draw(rt, "high") {
			bounds.High = rapid.StringMatching(`[0-9A-Za-z_-]{1,3}`).Draw(rt, "high")
		}
		var pairs []index.Pair
		for status := range byte(index.MaxCode) {
			for kind := range byte(index.MaxCode) {
				if rapid.Bool().Draw(rt, "asked") {
					pairs = append(pairs, index.Pair{Status: status + 1, Kind: kind + 1})
				}
			}
		}
		var want []string
		for id, e := range entries {
			if e.Hash == hash && slices.Contains(pairs, e.Pair) && (bounds.Low == "" || id > bounds.Low) && (bounds.High == "" || id < bounds.High) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if bounds.Reverse {
			slices.Reverse(want)
		}
		require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
			view, err := index.Read(tx, scanned(rt, tx), nil)
			require.NoError(rt, err)
			bucket, err := view.Bucket(index.Input)
			require.NoError(rt, err)

			var scan index.Scan
			scan.Reset(bucket, bounds)
			scan.AddInput(hash, pairs)
			var have []string
			limit := rapid.IntRange(0, 10).Draw(rt, "limit")
			for len(have) < limit {
				hit, ok := scan.Next()
				if !ok {
					break
				}
				have = append(have, string(hit.ID))
			}
			require.True(rt, slices.Equal(want[:min(limit, len(want))], have), "want %q, have %q", want, have)
			if limit > 0 {
				require.Equal(rt, len(want) > limit, len(have) == limit && scan.More())
			}
			require.LessOrEqual(rt, scan.Examined, len(have)+1+2*scan.Branches)
			require.LessOrEqual(rt, scan.Branches, len(pairs))

			var all index.Scan
			all.Reset(bucket, bounds)
			for _, p := range pairs {
				all.Add(append(bytes.Clone(hash[:]), p.Status, p.Kind)...)
			}
			n := 0
			for _, ok := all.Next(); ok; _, ok = all.Next() {
				n++
			}
			require.Equal(rt, len(want), n)
			return nil
		}))
	})
}
