// Package rawbolt writes the library's file with bbolt alone: the same keys and
// bytes into the same buckets, with nothing checked before and nothing kept in
// order after. It is what the library's writes are held against. It does not
// read.
package rawbolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/index"
)

// A Form is a way to use bbolt.
type Form struct {
	Name, About string

	Freelist       bbolt.FreelistType // empty is bbolt's default
	NoFreelistSync bool
	PageSize       int // of a new file, in bytes; 0 is the system's
	// Ordered has the keys of a bucket put in their order, with the library's fill
	// percents, instead of a job's keys one after the other.
	Ordered bool
}

// The forms that the library is held against.
var (
	Plain = Form{
		Name:  "bbolt-plain",
		About: "bbolt with default options, the library's keys and bytes put job by job, one Update a write",
	}
	Tuned = Form{
		Name:     "bbolt-tuned",
		About:    "bbolt with the library's options, fill percents and order of keys, one Update a write",
		Freelist: bbolt.FreelistArrayType, NoFreelistSync: true, Ordered: true,
	}
)

// The buckets and keys that package index keeps to itself.
var (
	rootName   = []byte("jobstore")
	metaName   = []byte("meta")
	countsName = []byte("counts")
	mintedKey  = []byte("minted")
)

// New returns bbolt in the given form.
func New(form Form) peer.Peer { return raw{form} }

type raw struct{ form Form }

func (r raw) Name() string  { return r.form.Name }
func (r raw) About() string { return r.form.About }

// Files are those of the library.
func (raw) Files() string { return embedded.New().Files() }

func (raw) MaxSize() int { return 0 }

func (r raw) Open(dir string, mode peer.Mode) (peer.Store, error) {
	db, err := bbolt.Open(filepath.Join(dir, embedded.FileName), 0o600, &bbolt.Options{
		NoSync: mode == peer.Loading, ReadOnly: mode == peer.Reading,
		FreelistType: r.form.Freelist, NoFreelistSync: r.form.NoFreelistSync, PageSize: r.form.PageSize,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, form: r.form}
	if mode == peer.Reading {
		return s, nil
	}
	return s, db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(rootName) != nil {
			return nil
		}
		return index.Create(tx)
	})
}

// A Store is a file of the library, written by hand.
type Store struct {
	db   *bbolt.DB
	form Form
}

// A Write holds the keys and values of some jobs, ready to be put.
type Write struct {
	keys   [len(index.Names)][][]byte
	values [][]byte // of the first bucket, the records
	pairs  []index.Pair
}

// Prepare makes the keys and values of jobs, which are sorted by ID.
func (s *Store) Prepare(jobs []*jobstore.Job) (*Write, error) {
	w := &Write{}
	for _, j := range jobs {
		entry := index.Entry{
			ID:   peer.Suffix(j.ID),
			Pair: index.Pair{Status: peer.StatusCode(j.Status), Kind: peer.KindCode(j.Kind)},
			Hash: index.HashInput(j.Input),
		}
		for i, name := range index.Names {
			w.keys[i] = append(w.keys[i], entry.AppendKey(nil, name))
		}
		value, err := peer.Encode(j)
		if err != nil {
			return nil, err
		}
		w.values = append(w.values, value)
		w.pairs = append(w.pairs, entry.Pair)
	}
	if s.form.Ordered {
		for i := 1; i < len(w.keys); i++ {
			slices.SortFunc(w.keys[i], bytes.Compare)
		}
	}
	return w, nil
}

// Put writes w in one transaction.
func (s *Store) Put(w *Write) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return s.put(tx, w) })
}

func (s *Store) put(tx *bbolt.Tx, w *Write) error {
	root := tx.Bucket(rootName)
	var buckets [len(index.Names)]*bbolt.Bucket
	for i, name := range index.Names {
		buckets[i] = root.Bucket([]byte(name))
		if s.form.Ordered && name != index.Input {
			buckets[i].FillPercent = 0.9
		}
	}
	if !s.form.Ordered {
		for n := range w.values {
			for i := range buckets {
				if err := buckets[i].Put(w.keys[i][n], w.value(i, n)); err != nil {
					return err
				}
			}
		}
	} else {
		for i := range buckets {
			for n := range w.values {
				if err := buckets[i].Put(w.keys[i][n], w.value(i, n)); err != nil {
					return err
				}
			}
		}
	}
	return count(root.Bucket(countsName), w)
}

// RecordBytes returns the length of the records together.
func (w *Write) RecordBytes() (n int64) {
	for _, value := range w.values {
		n += int64(len(value))
	}
	return n
}

func (w *Write) value(bucket, n int) []byte {
	if index.Names[bucket] == index.Jobs {
		return w.values[n]
	}
	return nil
}

// count brings the counters up to date.
func count(counters *bbolt.Bucket, w *Write) error {
	added := map[index.Pair]uint64{}
	for _, p := range w.pairs {
		added[p]++
	}
	for p, n := range added {
		key := []byte{p.Status, p.Kind}
		if old := counters.Get(key); old != nil {
			n += binary.BigEndian.Uint64(old)
		}
		if err := counters.Put(key, binary.BigEndian.AppendUint64(nil, n)); err != nil {
			return err
		}
	}
	return nil
}

// Import adds jobs in one transaction.
func (s *Store) Import(_ context.Context, jobs []*jobstore.Job) error {
	w, err := s.Prepare(jobs)
	if err != nil {
		return err
	}
	return s.Put(w)
}

// Create adds a job in one transaction of its own.
func (s *Store) Create(_ context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	w, err := s.Prepare([]*jobstore.Job{job})
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		// As many bytes as the library keeps of the ID that it minted last.
		minted := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(tx.ID()))
		if err := tx.Bucket(rootName).Bucket(metaName).Put(mintedKey, minted); err != nil {
			return err
		}
		return s.put(tx, w)
	})
}

// Reader returns ErrUnsupported.
func (*Store) Reader() (peer.Reader, error) { return nil, peer.ErrUnsupported }

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }
