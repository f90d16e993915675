package page

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// layoutOf returns what the meta pages of a closed file say.
func layoutOfFile(t *testing.T, db *bbolt.DB, free uint64) (l Layout) {
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		l = Layout{
			PageSize: db.Info().PageSize,
			Pages:    uint64(tx.Size()) / uint64(db.Info().PageSize),
			Root:     uint64(tx.Cursor().Bucket().Root()),
			Freelist: free,
		}
		return nil
	}))
	return l
}

// scanFile scans a file, and checks its list of free pages if it has one. Whatever it
// finds is a Damage.
func scanFile(file []byte, l Layout) error {
	scanned, err := Scan(file, l, &Proven{}, func([][]byte) Content { return Anything })
	if err == nil && l.Freelist != NoFreelist {
		err = scanned.CheckList(file, l)
	}
	if err != nil && !errors.As(err, &Damage{}) {
		panic(err)
	}
	return err
}

// scannedFile makes a file by a random history, and returns it as a crash leaves
// it and as a clean close does.
func scannedFile(t *testing.T, seed uint64, keys int) (file []byte, unlisted, listed Layout) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
			top, err := tx.CreateBucketIfNotExists([]byte("deep"))
			if err != nil {
				return err
			}
			for _, name := range []string{"many", "long", "few"} {
				b, err := top.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				n := map[string]int{"many": keys, "long": keys / 10, "few": 1}[name]
				for range n {
					key := fmt.Appendf(nil, "%08d", rng.IntN(n*20))
					if rng.IntN(3) == 0 {
						err = b.Delete(key)
					} else {
						err = b.Put(key, make([]byte, map[string]int{"many": 100, "long": 9000, "few": 8}[name]))
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	unlisted = layoutOfFile(t, db, NoFreelist)
	crash, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, scanFile(crash, unlisted))

	db.NoFreelistSync = false
	require.NoError(t, db.Update(func(*bbolt.Tx) error { return nil }))
	listed = layoutOfFile(t, db, 0)
	require.NoError(t, db.Close())
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	for id := uint64(2); id < listed.Pages; id++ {
		if head := file[id*uint64(listed.PageSize):]; head[8] == freelistFlag && uint64(head[0])|uint64(head[1])<<8|uint64(head[2])<<16 == id {
			listed.Freelist = id // the last one that was written is not told from older ones; tried below
			if scanFile(file, listed) == nil {
				return file, unlisted, listed
			}
		}
	}
	t.Fatal("no list of free pages is sound")
	return nil, unlisted, listed
}

// What bbolt writes is sound, whatever was put and deleted.
func TestScanSound(t *testing.T) {
	for seed := range uint64(4) {
		file, _, listed := scannedFile(t, seed, 50+int(seed)*40)
		require.NoError(t, scanFile(file, listed))
	}
}

// Damage never makes Scan panic, and a page number that was changed is noticed.
func TestScanDamage(t *testing.T) {
	file, _, listed := scannedFile(t, 1, 400)
	rng := rand.New(rand.NewPCG(1, 1))
	noticed := 0
	const trials = 1000
	for range trials {
		b := bytes.Clone(file)
		at := 2*listed.PageSize + rng.IntN(int(listed.Pages-2)*listed.PageSize)
		at -= at % listed.PageSize
		at += rng.IntN(256)
		b[at] ^= 1 << rng.IntN(8)
		for _, l := range []Layout{listed, {listed.PageSize, listed.Pages, listed.Root, NoFreelist}} {
			if scanFile(b, l) != nil {
				noticed++
			}
		}
	}
	t.Logf("%d of %d noticed", noticed, 2*trials)
	require.NotZero(t, noticed)
}

// A branch that leads to a page which another one leads to is refused when it is first
// read, whichever of the two was read before, and so is one that leads to a page twice.
func TestSharedChildrenAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		require.NoError(t, err)
		for i := range 12000 {
			require.NoError(t, b.Put(fmt.Appendf(nil, "%060d", i), make([]byte, 50)))
		}
		return nil
	}))
	l := layoutOfFile(t, db, NoFreelist)
	require.NoError(t, db.Close())
	sound, err := os.ReadFile(path)
	require.NoError(t, err)

	walk := func(file []byte, back bool) (keys []string, err error) {
		known, proven := &Proven{}, &Proven{}
		_, err = Scan(sound, l, known, func([][]byte) Content { return Anything })
		require.NoError(t, err)
		root := Bucket{file: file, pageSize: l.PageSize, root: l.Root, content: Anything, proven: proven}
		err = catch(func() {
			root.ProveRoot(known.Height(l.Root))
			number, _ := root.BucketRoot([]byte("b"))
			b := root.Numbered(number, Anything)
			b.ProveRoot(known.Height(number))
			require.Equal(t, uint8(3), b.height)
			c := b.Cursor()
			step, k := c.Next, []byte(nil)
			if k, _ = c.First(); back {
				step = c.Prev
				k, _ = c.Last()
			}
			for ; k != nil; k, _ = step() {
				keys = append(keys, string(k))
			}
		})
		return keys, err
	}
	for _, back := range []bool{false, true} {
		keys, err := walk(sound, back)
		require.NoError(t, err)
		require.Len(t, keys, 12000)
	}

	var branches []uint64 // above the leaves
	known := &Proven{}
	_, err = Scan(sound, l, known, func([][]byte) Content { return Anything })
	require.NoError(t, err)
	for id := range l.Pages {
		if known.Height(id) == 2 {
			branches = append(branches, id)
		}
	}
	require.Greater(t, len(branches), 2)
	rng := rand.New(rand.NewPCG(1, 1))
	child := func(file []byte, branch uint64, i int) []byte {
		return file[int(branch)*l.PageSize+headerLen+i*elementLen+8:][:8]
	}
	for range 100 {
		file := bytes.Clone(sound)
		from, to := branches[rng.IntN(len(branches))], branches[rng.IntN(len(branches))]
		i, j := rng.IntN(20), rng.IntN(20)
		if bytes.Equal(child(file, from, i), child(file, to, j)) {
			continue
		}
		copy(child(file, to, j), child(file, from, i))
		for _, back := range []bool{false, true} {
			_, err := walk(file, back)
			require.ErrorAs(t, err, &Damage{})
		}
	}
}
