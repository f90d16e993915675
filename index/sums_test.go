package index_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// openPaged is openTree with pages of this size.
func openPaged(t *testing.T, pageSize int) *bbolt.DB {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "index.db"), 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, PageSize: pageSize})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Update(index.Create))
	return db
}

// change makes one transaction's changes, and marks the pages that it has written.
func change(t require.TestingT, db *bbolt.DB, proven *page.Proven, fn func(tree *index.Tree)) {
	var tree *index.Tree
	require.NoError(t, db.Update(func(tx *bbolt.Tx) (err error) {
		tree, err = index.Open(tx, proven, nil)
		require.NoError(t, err)
		fn(tree)
		return tree.Finish()
	}))
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		tree.Mark(tx, proven)
		view, err := tree.Read(tx, proven)
		require.NoError(t, err)
		require.Empty(t, view.CheckSums())
		requireHeights(t, tx, proven)
		return nil
	}))
}

// requireHeights compares what is proven with what a scan proves.
func requireHeights(t require.TestingT, tx *bbolt.Tx, proven *page.Proven) {
	fresh := scanned(t, tx)
	for id := range uint64(tx.Size()) / uint64(tx.DB().Info().PageSize) {
		if want := fresh.Height(id); want != 0 {
			require.Equal(t, want, proven.Height(id), "page %d", id)
		}
	}
}

// A job is what the histories below know of one.
type job struct {
	entry  index.Entry
	record []byte
}

func drawJob(rt *rapid.T, id string) job {
	e := drawEntry(rt)
	e.ID, e.Hash = id, index.HashInput("a")
	r, err := record.Encode(id, &record.Job{
		Kind: e.Pair.Kind, Status: e.Pair.Status, Input: "a",
		Options: bytes.Repeat([]byte(" "), rapid.SampledFrom([]int{10, 10, 300, 9000}).Draw(rt, "size")), Metadata: []byte("{}"),
	})
	require.NoError(rt, err)
	return job{e, r}
}

// After any history of records, indexes, counters, idempotency keys and rebuilds, each
// bucket has the entries and the sum that meta says, and each page that was written is
// proven, with pages of any size.
func TestSums(t *testing.T) {
	for _, pageSize := range []int{1024, 4096} {
		t.Run(fmt.Sprint(pageSize), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				db := openPaged(t, pageSize)
				proven := &page.Proven{}
				require.NoError(rt, db.View(func(tx *bbolt.Tx) error { proven = scanned(rt, tx); return nil }))
				jobs, onces := map[string]job{}, map[string]index.Once{}
				for range rapid.IntRange(1, 10).Draw(rt, "commits") {
					change(rt, db, proven, func(tree *index.Tree) {
						switch rapid.SampledFrom([]string{"jobs", "jobs", "jobs", "once", "expire", "rebuild"}).Draw(rt, "change") {
						case "jobs":
							changeJobs(rt, tree, jobs)
						case "once":
							changeOnce(rt, tree, onces)
						case "expire":
							expire(rt, tree, onces)
						case "rebuild":
							rebuild(rt, tree)
						}
					})
				}
				recount(rt, db, jobs, onces)
			})
		})
	}
}

func changeJobs(rt *rapid.T, tree *index.Tree, jobs map[string]job) {
	var batch index.Batch
	removes := rapid.IntRange(0, 3).Draw(rt, "removes")
	for range rapid.IntRange(1, 120).Draw(rt, "jobs") {
		id := fmt.Sprintf("%03d", rapid.IntRange(0, 300).Draw(rt, "id"))
		old, known := jobs[id]
		require.Equal(rt, known, tree.Record([]byte(id)) != nil)
		if known && rapid.IntRange(0, 3).Draw(rt, "remove") < removes {
			batch.Change(&old.entry, nil)
			require.NoError(rt, tree.DeleteRecord([]byte(id), old.record))
			delete(jobs, id)
			continue
		}
		next := drawJob(rt, id)
		if known {
			batch.Change(&old.entry, &next.entry)
		} else {
			batch.Change(nil, &next.entry)
		}
		require.NoError(rt, tree.PutRecord([]byte(id), next.record, old.record))
		jobs[id] = next
	}
	require.NoError(rt, batch.Apply(tree))
	require.NoError(rt, batch.ApplyRebuild(tree))
}

func changeOnce(rt *rapid.T, tree *index.Tree, onces map[string]index.Once) {
	for range rapid.IntRange(1, 40).Draw(rt, "keys") {
		key := fmt.Sprintf("key-%d", rapid.IntRange(0, 80).Draw(rt, "key"))
		var old *index.Once
		if kept, ok, err := tree.Once(key); ok {
			require.Equal(rt, onces[key], kept)
			old = &kept
		} else {
			require.NoError(rt, err)
			require.NotContains(rt, onces, key)
		}
		next := index.Once{Expires: int64(rapid.IntRange(-5, 50).Draw(rt, "expires")), ID: "id"}
		require.NoError(rt, tree.PutOnce(key, next, old))
		onces[key] = next
	}
}

func expire(rt *rapid.T, tree *index.Tree, onces map[string]index.Once) {
	now := int64(rapid.IntRange(-5, 50).Draw(rt, "now"))
	require.NoError(rt, tree.ExpireOnce(now, 1000))
	for key, o := range onces {
		if o.Expires <= now {
			delete(onces, key)
		}
	}
}

// rebuild makes a step of a rebuild, or gives it up.
func rebuild(rt *rapid.T, tree *index.Tree) {
	position, ok := tree.Rebuild()
	switch {
	case !ok:
		_, err := tree.StartRebuild()
		require.NoError(rt, err)
	case position == index.RebuildEnd:
		require.NoError(rt, tree.FinishRebuild(rapid.IntRange(0, 3).Draw(rt, "detach") == 0))
	case rapid.IntRange(0, 9).Draw(rt, "abandon") == 0:
		_, err := tree.AbandonRebuild()
		require.NoError(rt, err)
	default:
		records, more, err := tree.Records(position, rapid.IntRange(1, 200).Draw(rt, "records"))
		require.NoError(rt, err)
		var batch index.Batch
		var seals []uint32
		for _, r := range records {
			var j record.Job
			_, err := record.Decode(&j, &record.Memory{}, []byte(r.ID), r.Value, false)
			require.NoError(rt, err)
			batch.Change(nil, &index.Entry{ID: r.ID, Pair: index.Pair{Status: j.Status, Kind: j.Kind}, Hash: index.HashInput("a")})
			seals = append(seals, r.Seal())
			position = r.ID
		}
		if !more {
			position = index.RebuildEnd
		}
		require.NoError(rt, tree.Advance(position, &batch, seals, 0))
	}
}

// recount counts the entries of all buckets with bbolt, and sums up their seals.
func recount(rt *rapid.T, db *bbolt.DB, jobs map[string]job, onces map[string]index.Once) {
	require.NoError(rt, db.View(func(tx *bbolt.Tx) error {
		view, err := index.Read(tx, scanned(rt, tx), nil)
		require.NoError(rt, err)
		for i, name := range []string{"jobs", "kind", "status", "input", "counts", "once", "expiry"} {
			var sum page.Sum
			if b := tx.Bucket([]byte("jobstore")).Bucket([]byte(name)); b != nil {
				require.NoError(rt, b.ForEach(func(k, v []byte) error {
					if name == "jobs" {
						sum.Add(record.Seal(v))
					} else {
						sum.Add(uint32(v[len(v)-4]) | uint32(v[len(v)-3])<<8 | uint32(v[len(v)-2])<<16 | uint32(v[len(v)-1])<<24)
					}
					return nil
				}))
			}
			require.Equal(rt, sum, view.Sums()[i], name)
			want := map[string]int{"jobs": len(jobs), "kind": len(jobs), "status": len(jobs), "input": len(jobs), "once": len(onces), "expiry": len(onces)}
			if n, ok := want[name]; ok {
				require.Equal(rt, uint64(n), sum.Count, name)
			}
		}
		return nil
	}))
}

// What a newer version keeps in meta, in counts and behind the sums stays as it is,
// whatever is written, and flags that are not known say what may be done with a file.
func TestNewerVersion(t *testing.T) {
	seal := func(bucket string, key, value []byte) []byte {
		table := crc32.MakeTable(crc32.Castagnoli)
		b := append([]byte(bucket), make([]byte, 8)...)
		b = append(append(b, byte(len(key)), byte(len(key)>>8)), key...)
		sum := crc32.Checksum(append(b, value...), table)
		return append(bytes.Clone(value), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
	}
	for _, size := range []int{10, 3000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			db := openPaged(t, 4096)
			var sums []byte
			unknown := seal("meta", []byte("newer"), make([]byte, size))
			flags := make([]byte, 32)
			flags[0] = 4 // compatible
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
				meta := tx.Bucket([]byte("jobstore")).Bucket([]byte("meta"))
				require.NoError(t, meta.Put([]byte("newer"), unknown))
				require.NoError(t, meta.Put([]byte("flags"), seal("meta", []byte("flags"), flags)))
				sums = meta.Get([]byte("sums"))
				sums = append(bytes.Clone(sums[:len(sums)-4]), "behind"...)
				return meta.Put([]byte("sums"), seal("meta", []byte("sums"), sums))
			}))
			proven := &page.Proven{}
			require.NoError(t, db.View(func(tx *bbolt.Tx) error { proven = scanned(t, tx); return nil }))
			for i := range 5 {
				change(t, db, proven, func(tree *index.Tree) {
					require.NoError(t, tree.SetMinted([]byte{byte(i)}))
					var batch index.Batch
					batch.Change(nil, &index.Entry{ID: fmt.Sprint(i), Pair: index.Pair{Status: 1, Kind: 1}})
					require.NoError(t, batch.Apply(tree))
				})
			}
			require.NoError(t, db.View(func(tx *bbolt.Tx) error {
				meta := tx.Bucket([]byte("jobstore")).Bucket([]byte("meta"))
				require.Equal(t, unknown, meta.Get([]byte("newer")))
				require.Equal(t, seal("meta", []byte("flags"), flags), meta.Get([]byte("flags")))
				got := meta.Get([]byte("sums"))
				require.Equal(t, "behind", string(got[len(got)-10:len(got)-4]))
				return nil
			}))
			for at, want := range map[int]error{8: nil, 16: index.ErrFormat} {
				require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
					f := make([]byte, 32)
					f[at] = 1
					return tx.Bucket([]byte("jobstore")).Bucket([]byte("meta")).Put([]byte("flags"), seal("meta", []byte("flags"), f))
				}))
				require.NoError(t, db.View(func(tx *bbolt.Tx) error {
					view, err := index.Read(tx, scanned(t, tx), nil)
					require.ErrorIs(t, err, want)
					if want == nil {
						require.True(t, view.Snapshot().ReadOnly())
					}
					return nil
				}))
			}
		})
	}
}
