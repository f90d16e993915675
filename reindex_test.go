package jobstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
)

// openDamaged opens a store that will not pass Check.
func openDamaged(t *testing.T, path string) *jobstore.Store {
	t.Helper()
	s, err := jobstore.Open(path, &jobstore.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func everySecond(t *testing.T, b *bbolt.Bucket, edit func(key []byte)) {
	t.Helper()
	var keys [][]byte
	n := 0
	require.NoError(t, b.ForEach(func(k, _ []byte) error {
		if n++; n%2 == 0 {
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	}))
	for _, k := range keys {
		edit(k)
	}
}

// What is wrong with the indexes and counters is mended, whatever it is.
func TestReindexMends(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, root *bbolt.Bucket){
		"nothing": func(*testing.T, *bbolt.Bucket) {},
		"entries missing": func(t *testing.T, root *bbolt.Bucket) {
			for _, name := range []string{"kind", "status", "input"} {
				b := root.Bucket([]byte(name))
				everySecond(t, b, func(key []byte) { require.NoError(t, b.Delete(key)) })
			}
		},
		"entries without a record": func(t *testing.T, root *bbolt.Bucket) {
			for _, name := range []string{"kind", "status", "input"} {
				b := root.Bucket([]byte(name))
				everySecond(t, b, func(key []byte) { require.NoError(t, b.Put(append(key, "ghost"...), nil)) })
			}
		},
		"entries of another status": func(t *testing.T, root *bbolt.Bucket) {
			b := root.Bucket([]byte("status"))
			everySecond(t, b, func(key []byte) {
				require.NoError(t, b.Delete(key))
				key[0] = key[0]%5 + 1
				require.NoError(t, b.Put(key, nil))
			})
		},
		"keys that are no entries": func(t *testing.T, root *bbolt.Bucket) {
			require.NoError(t, root.Bucket([]byte("kind")).Put([]byte{9}, []byte("value")))
			require.NoError(t, root.Bucket([]byte("input")).Put([]byte{0xff, 0xff}, nil))
		},
		"a bucket missing": func(t *testing.T, root *bbolt.Bucket) {
			require.NoError(t, root.DeleteBucket([]byte("input")))
		},
		"counters off": func(t *testing.T, root *bbolt.Bucket) {
			counts := root.Bucket([]byte("counts"))
			require.NoError(t, counts.Put([]byte{1, 1}, sealed([]byte{1, 1}, binary.BigEndian.AppendUint64(nil, 1))))
			require.NoError(t, counts.Put([]byte{2, 2}, sealed([]byte{2, 2}, binary.BigEndian.AppendUint64(nil, 1e6))))
			require.NoError(t, counts.Delete([]byte{3, 3}))
		},
		"a counter that is none": func(t *testing.T, root *bbolt.Bucket) {
			require.NoError(t, root.Bucket([]byte("counts")).Put([]byte{1, 1}, []byte("many")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := storePath(t)
			s := openStore(t, path, nil)
			fill(t, s, 1300)
			_, err := s.CreateOnce(t.Context(), "key", queuedVideo("once"))
			require.NoError(t, err)
			want := everything(t, s)
			closeStore(t, s)
			editFile(t, path, func(root *bbolt.Bucket) { edit(t, root) })

			s = openDamaged(t, path)
			require.Equal(t, name == "nothing", len(problems(t, s)) == 0)
			var steps []int64
			report, err := s.Reindex(t.Context(), jobstore.ReindexOptions{Progress: func(stage string, done, total int64) {
				require.Equal(t, "reindex", stage)
				require.LessOrEqual(t, done, total)
				steps = append(steps, done)
			}})
			require.NoError(t, err)
			require.Equal(t, jobstore.ReindexReport{Jobs: 1301}, report)
			require.Equal(t, []int64{500, 1000, 1301}, steps)
			require.Empty(t, problems(t, s))
			require.Equal(t, want, everything(t, s))
			created, err := s.CreateOnce(t.Context(), "key", queuedVideo("once"))
			require.NoError(t, err)
			require.False(t, created)
			// It can be written to again.
			_, err = s.Delete(t.Context(), want[0].ID)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			requireSound(t, path)
			s = openStore(t, path, nil)
			require.Equal(t, want[1:], everything(t, s))
		})
	}
}

// Goroutines create, move and delete jobs while the indexes are built anew again
// and again, at first from counters that are off.
func TestReindexBesideWriters(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 1500)
	closeStore(t, s)
	editFile(t, path, func(root *bbolt.Bucket) {
		kind := root.Bucket([]byte("kind"))
		for range 3 {
			k, _ := kind.Cursor().First()
			require.NoError(t, kind.Delete(k))
		}
	})
	s = openDamaged(t, path)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	owned := make([]map[jobstore.ID]jobstore.Job, 8)
	for w := range owned {
		owned[w] = map[jobstore.ID]jobstore.Job{}
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			var ids []jobstore.ID
			for i := 0; ctx.Err() == nil; i++ {
				var err error
				switch {
				case len(ids) < 50 || rng.IntN(3) == 0:
					j := mixedJob(rng.IntN(1000))
					if rng.IntN(2) == 0 {
						j.ID = jobstore.ID(fmt.Sprintf("job_%016x%d", rng.Uint64(), w)) // anywhere
					}
					if err = s.Create(t.Context(), j); err == nil {
						ids = append(ids, j.ID)
						owned[w][j.ID], err = s.Get(t.Context(), j.ID)
					}
				case rng.IntN(2) == 0:
					id := ids[rng.IntN(len(ids))]
					next := mixedJob(rng.IntN(1000))
					owned[w][id], err = s.Update(t.Context(), id, func(j *jobstore.Job) error {
						j.Kind, j.Status, j.Input = next.Kind, next.Status, next.Input
						return nil
					})
				default:
					at := rng.IntN(len(ids))
					_, err = s.Delete(t.Context(), ids[at])
					delete(owned[w], ids[at])
					ids = append(ids[:at], ids[at+1:]...)
				}
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	before := len(everything(t, s))
	for range 8 {
		_, err := s.Reindex(t.Context(), jobstore.ReindexOptions{})
		require.NoError(t, err)
		require.Empty(t, problems(t, s))
	}
	stop()
	writers.Wait()
	require.Empty(t, problems(t, s))
	require.Greater(t, len(everything(t, s)), before, "nobody wrote beside it")
	for _, jobs := range owned {
		for id, want := range jobs {
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// A Reindex that is cut short in any of its steps is gone on with, by the same
// store, after it was closed, or after a crash, whatever was written meanwhile.
func TestReindexResumes(t *testing.T) {
	const jobs = 1700 // four steps
	for steps := 1; steps <= 4; steps++ {
		for _, how := range []string{"same store", "closed", "crashed"} {
			t.Run(fmt.Sprintf("after %d, %s", steps, how), func(t *testing.T) {
				path := storePath(t)
				s := openStore(t, path, nil)
				made := fill(t, s, jobs)
				closeStore(t, s)
				editFile(t, path, func(root *bbolt.Bucket) {
					kind := root.Bucket([]byte("kind"))
					everySecond(t, kind, func(key []byte) { require.NoError(t, kind.Delete(key)) })
				})
				s = openDamaged(t, path)
				ctx, cancel := context.WithCancel(t.Context())
				done := 0
				_, err := s.Reindex(ctx, jobstore.ReindexOptions{Progress: func(string, int64, int64) {
					if done++; done == steps {
						cancel()
					}
				}})
				require.ErrorIs(t, err, context.Canceled)
				require.NotEmpty(t, problems(t, s), "the old index is still there")

				// On either side of where it stopped: deleted, moved, new.
				change := func(s *jobstore.Store) {
					t.Helper()
					for _, i := range []int{1, 499, 501, 998, 1300, jobs - 1} {
						_, err := s.Delete(t.Context(), made[i].ID)
						require.NoError(t, err)
						_, err = s.Update(t.Context(), made[i-1].ID, func(j *jobstore.Job) error {
							j.Status, j.Kind, j.Input = statusNo(i), kindNo(i+1), "moved"
							return nil
						})
						require.NoError(t, err)
					}
					require.NoError(t, s.Create(t.Context(), queuedVideo("new"), &jobstore.Job{
						ID: "job_00early", Kind: jobstore.KindAudio, Input: "early",
					}))
				}
				change(s)
				switch how {
				case "closed":
					require.NoError(t, s.Close())
					requireSound(t, path)
					s = openDamaged(t, path)
				case "crashed":
					image := filepath.Join(t.TempDir(), "image.db")
					f, err := os.Create(image)
					require.NoError(t, err)
					_, err = s.Backup(t.Context(), f)
					require.NoError(t, errors.Join(err, f.Close()))
					s = openDamaged(t, image)
				}
				first := int64(-1)
				report, err := s.Reindex(t.Context(), jobstore.ReindexOptions{Progress: func(_ string, done, _ int64) {
					if first < 0 {
						first = done
					}
				}})
				require.NoError(t, err)
				require.EqualValues(t, jobs-6+2, report.Jobs)
				require.Greater(t, first, int64(steps-1)*500, "it has started over")
				require.Empty(t, problems(t, s))
			})
		}
	}
}

// Two at once do the work of one.
func TestReindexTwice(t *testing.T) {
	s := openStore(t, storePath(t), nil)
	fill(t, s, 1200)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := s.Reindex(context.Background(), jobstore.ReindexOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
}

// damageRecord flips a bit in the record of a job.
func damageRecord(t *testing.T, path string, id jobstore.ID) {
	t.Helper()
	editFile(t, path, func(root *bbolt.Bucket) {
		jobs, key := root.Bucket([]byte("jobs")), []byte(id[len("job_"):])
		value := bytes.Clone(jobs.Get(key))
		require.NotNil(t, value)
		value[20] ^= 1
		require.NoError(t, jobs.Put(key, value))
	})
}

func TestReindexOfDamagedRecords(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	jobs := fill(t, s, 1100)
	want := everything(t, s)
	closeStore(t, s)
	lost := []jobstore.ID{jobs[3].ID, jobs[700].ID}
	for _, id := range lost {
		damageRecord(t, path, id)
	}

	s = openDamaged(t, path)
	report, err := s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.NoError(t, err)
	require.Equal(t, jobstore.ReindexReport{Jobs: 1098, Damaged: 2, DamagedIDs: lost}, report)
	require.Len(t, problems(t, s), 2, "the records are still there, and are all that is wrong")
	for _, id := range lost {
		_, err := s.Get(t.Context(), id)
		require.ErrorIs(t, err, jobstore.ErrCorrupt)
	}

	report, err = s.Reindex(t.Context(), jobstore.ReindexOptions{Discard: true})
	require.NoError(t, err)
	require.Equal(t, jobstore.ReindexReport{Jobs: 1098, Damaged: 2, DamagedIDs: lost}, report)
	require.Empty(t, problems(t, s))
	require.NoError(t, s.Put(t.Context(), &want[3], &want[700]), "and can be put back")
	require.Equal(t, want, everything(t, s))
}

// leafPage returns a leaf page from the middle of a bucket of more than one page,
// and the file's page size.
func leafPage(t *testing.T, path, bucket string) (page uint64, pageSize int64) {
	t.Helper()
	viewBolt(t, path, func(tx *bbolt.Tx) error {
		pageSize = int64(tx.DB().Info().PageSize)
		page = uint64(tx.Bucket([]byte("jobstore")).Bucket([]byte(bucket)).Root())
		return nil
	})
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	for {
		b := file[int64(page)*pageSize:]
		if flags := binary.NativeEndian.Uint16(b[8:]); flags == 0x02 {
			return page, pageSize
		}
		middle := binary.NativeEndian.Uint16(b[10:]) / 2
		page = binary.NativeEndian.Uint64(b[16+16*middle+8:])
	}
}

// overwrite damages the file.
func overwrite(t *testing.T, path string, offset int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(with, offset)
	require.NoError(t, errors.Join(err, f.Close()))
}

// Indexes with pages that cannot be read, so that they cannot even be deleted,
// are replaced. The pages come back when the file is opened again.
func TestReindexOfDamagedPages(t *testing.T) {
	rootPage := func(t *testing.T, path, bucket string) (page uint64, pageSize int64) {
		viewBolt(t, path, func(tx *bbolt.Tx) error {
			page = uint64(tx.Bucket([]byte("jobstore")).Bucket([]byte(bucket)).Root())
			pageSize = int64(tx.DB().Info().PageSize)
			return nil
		})
		return page, pageSize
	}
	random := make([]byte, 1<<12)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	// Its first child is the page itself.
	cycle := func(page uint64) []byte {
		b := binary.NativeEndian.AppendUint64(nil, page)
		b = binary.NativeEndian.AppendUint16(b, 1) // a branch
		b = binary.NativeEndian.AppendUint16(b, 2) // of two children
		b = binary.NativeEndian.AppendUint32(b, 0)
		for range 2 {
			b = binary.NativeEndian.AppendUint64(b, 40|1<<32) // a key of one byte
			b = binary.NativeEndian.AppendUint64(b, page)
		}
		return append(b, make([]byte, 100)...)
	}
	for name, with := range map[string][]byte{
		"a cycle":               nil,
		"zeroed":                make([]byte, 1<<12),
		"random":                random,
		"another page's number": {0xaa, 0x55, 0xaa, 0x55},
	} {
		for _, bucket := range []string{"kind", "status", "input"} {
			for which, find := range map[string]func(*testing.T, string, string) (uint64, int64){
				"leaf": leafPage, "root": rootPage,
			} {
				t.Run(fmt.Sprintf("%s of %s %s", which, bucket, name), func(t *testing.T) {
					path := storePath(t)
					s := openStore(t, path, nil)
					fill(t, s, 1500)
					want := everything(t, s)
					closeStore(t, s)
					page, pageSize := find(t, path, bucket)

					// The disk goes bad under an open store: Open would notice some.
					s = openDamaged(t, path)
					with := with
					if with == nil {
						with = cycle(page)
					}
					overwrite(t, path, int64(page)*pageSize, with[:min(len(with), int(pageSize))])
					require.NotEmpty(t, problems(t, s))
					report, err := s.Reindex(t.Context(), jobstore.ReindexOptions{})
					require.NoError(t, err)
					require.Equal(t, jobstore.ReindexReport{Jobs: 1500, Detached: true}, report)
					require.Empty(t, problems(t, s))
					require.NoError(t, s.Create(t.Context(), queuedVideo("new")))
					require.NoError(t, s.Close())

					requireSound(t, path)
					s = openStore(t, path, nil)
					require.Equal(t, want, everything(t, s)[:1500])
					fill(t, s, 500)
				})
			}
		}
	}
}

// Where the records cannot be walked, nothing is replaced, and nothing is left of
// the attempt.
func TestReindexGivesUp(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 1500)
	closeStore(t, s)
	page, pageSize := leafPage(t, path, "jobs")
	overwrite(t, path, int64(page)*pageSize, make([]byte, pageSize))
	s = openDamaged(t, path)
	_, err := s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.ErrorIs(t, err, jobstore.ErrCorrupt)
	require.NoError(t, s.Close())
	requireNoRebuild(t, path)
}

func requireNoRebuild(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			require.Equal(t, "jobstore", string(name))
			return nil
		})
	}))
	require.NoError(t, db.Close())
}

func TestReindexWithoutRoom(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 1500)
	closeStore(t, s)
	_, _, err := jobstore.CompactInPlace(t.Context(), path, nil)
	require.NoError(t, err)

	s = openStore(t, path, &jobstore.Options{NoSync: true, MaxSize: fileSize(t, path) + 100<<10})
	_, err = s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.ErrorIs(t, err, jobstore.ErrFull)
	closeStore(t, s)
	requireNoRebuild(t, path)
}

func TestReindexRefuses(t *testing.T) {
	path := storePath(t)
	s := openStore(t, path, nil)
	fill(t, s, 600)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Reindex(ctx, jobstore.ReindexOptions{})
	require.ErrorIs(t, err, context.Canceled)
	closeStore(t, s)
	_, err = s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.ErrorIs(t, err, jobstore.ErrClosed)
	s = openStore(t, path, &jobstore.Options{ReadOnly: true})
	_, err = s.Reindex(t.Context(), jobstore.ReindexOptions{})
	require.ErrorIs(t, err, jobstore.ErrReadOnly)
}

// sealed returns value with the checksum that index puts behind it.
func sealed(key, value []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	return binary.LittleEndian.AppendUint32(value, crc32.Update(crc32.Checksum(key, table), table, value))
}
