// Package floor is the physical floor of a page from bbolt: a cursor, written by
// hand, over the one key that is ideal for the filter at hand. It keeps eight
// buckets, one for every combination of filters, which no store would: they
// would make each insert that much dearer. Nothing is planned, checked against
// another entry or guarded against damage.
package floor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/index"
)

// A Depth says how far a floor goes with the records that it finds.
type Depth int

const (
	// Bytes finds the records and leaves them where they are.
	Bytes Depth = iota
	// Decoded decodes them as the library does.
	Decoded
)

// New returns the floor of the given depth.
func New(depth Depth) peer.Peer { return floor{depth} }

type floor struct{ depth Depth }

func (f floor) Name() string {
	if f.depth == Bytes {
		return "floor-bytes"
	}
	return "floor"
}

func (f floor) About() string {
	about := "bbolt cursor written by hand over the ideal key of each filter, one reused cursor for the records, "
	if f.depth == Bytes {
		return about + "records found and not read"
	}
	return about + "records decoded as the library does"
}

func (f floor) BytesOnly() bool { return f.depth == Bytes }

func (floor) Files() string { return "floor" }
func (floor) MaxSize() int  { return 0 }

// mask says which filters a query has.
type mask int

const (
	byKind mask = 1 << iota
	byStatus
	byInput
	masks
)

var bucketNames = [masks][]byte{
	0:                           []byte("id"),
	byKind:                      []byte("kind,id"),
	byStatus:                    []byte("status,id"),
	byKind | byStatus:           []byte("status,kind,id"),
	byInput:                     []byte("input,id"),
	byInput | byKind:            []byte("input,kind,id"),
	byInput | byStatus:          []byte("input,status,id"),
	byInput | byKind | byStatus: []byte("input,status,kind,id"),
}

func maskOf(q jobstore.Query) (m mask, ok bool) {
	if q.Kind != 0 {
		m |= byKind
	}
	if q.Status != 0 {
		m |= byStatus
	}
	if q.Input != "" {
		m |= byInput
	}
	single := bits.OnesCount16(uint16(q.Kind)) <= 1 && bits.OnesCount16(uint16(q.Status)) <= 1
	return m, single
}

func (m mask) appendPrefix(dst []byte, kind jobstore.Kind, status jobstore.Status, hash index.Hash) []byte {
	if m&byInput != 0 {
		dst = append(dst, hash[:]...)
	}
	if m&byStatus != 0 {
		dst = append(dst, peer.StatusCode(status))
	}
	if m&byKind != 0 {
		dst = append(dst, peer.KindCode(kind))
	}
	return dst
}

func (f floor) Open(dir string, mode peer.Mode) (peer.Store, error) {
	db, err := bbolt.Open(filepath.Join(dir, "floor.db"), 0o600, &bbolt.Options{
		FreelistType:   bbolt.FreelistArrayType,
		NoFreelistSync: true,
		NoSync:         mode == peer.Loading,
		ReadOnly:       mode == peer.Reading,
	})
	if err != nil {
		return nil, err
	}
	if mode == peer.Reading {
		return &store{db: db, depth: f.depth}, nil
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	return &store{db: db, depth: f.depth}, err
}

type store struct {
	db    *bbolt.DB
	depth Depth
}

func (s *store) Import(_ context.Context, jobs []*jobstore.Job) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		records := tx.Bucket(bucketNames[0])
		records.FillPercent = 0.9
		hashes := make([]index.Hash, len(jobs))
		for i, j := range jobs {
			value, err := peer.Encode(j)
			if err != nil {
				return err
			}
			if err := records.Put([]byte(peer.Suffix(j.ID)), value); err != nil {
				return err
			}
			hashes[i] = index.HashInput(j.Input)
		}
		for m := mask(1); m < masks; m++ {
			keys := make([][]byte, len(jobs))
			for i, j := range jobs {
				keys[i] = append(m.appendPrefix(nil, j.Kind, j.Status, hashes[i]), peer.Suffix(j.ID)...)
			}
			slices.SortFunc(keys, bytes.Compare)
			b := tx.Bucket(bucketNames[m])
			if m&byInput == 0 {
				b.FillPercent = 0.9
			}
			for _, key := range keys {
				if err := b.Put(key, nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Create adds a job with all its keys in one transaction.
func (s *store) Create(ctx context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	return s.Import(ctx, []*jobstore.Job{job})
}

func (s *store) Close() error {
	if s.db.IsReadOnly() {
		return s.db.Close()
	}
	// With its list of free pages written, the file opens at once.
	s.db.NoFreelistSync = false
	return errors.Join(s.db.Update(func(*bbolt.Tx) error { return nil }), s.db.Sync(), s.db.Close())
}

func (s *store) Reader() (peer.Reader, error) { return &reader{store: s}, nil }

type reader struct {
	store *store
	touch byte
	found []found // reused from page to page
}

func (*reader) Close() error { return nil }

// Name is that of the peer.
func (r *reader) Name() string { return floor{r.store.depth}.Name() }

func (r *reader) Get(_ context.Context, id jobstore.ID) (job jobstore.Job, err error) {
	err = r.store.db.View(func(tx *bbolt.Tx) error {
		suffix := []byte(peer.Suffix(id))
		value := tx.Bucket(bucketNames[0]).Get(suffix)
		if r.store.depth == Bytes {
			r.touch ^= value[0]
			job.ID = id
			return nil
		}
		return peer.DecodeWhole(&job, suffix, value)
	})
	return job, err
}

// Walk reads all records in one transaction.
func (r *reader) Walk(context.Context) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		err := r.store.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketNames[0]).Cursor()
			for k, value := c.Last(); k != nil; k, value = c.Prev() {
				var job jobstore.Job
				if r.store.depth == Bytes {
					r.touch ^= value[0]
					job.ID = jobstore.ID(k)
				} else if err := peer.Decode(&job, k, value); err != nil {
					return err
				}
				if !yield(job, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(jobstore.Job{}, err)
		}
	}
}

func (r *reader) Examined(_ context.Context, q jobstore.Query) (int, error) {
	examined := 0
	err := r.walk(q, func(_, _ []byte) error { examined++; return nil }, nil)
	return examined, err
}

// Count walks the keys of the ideal index and reads no records.
func (r *reader) Count(_ context.Context, q jobstore.Query) (n int64, err error) {
	m, ok := maskOf(q)
	if !ok {
		return 0, peer.ErrUnsupported
	}
	prefix := m.appendPrefix(nil, q.Kind, q.Status, index.HashInput(q.Input))
	err = r.store.db.View(func(tx *bbolt.Tx) error {
		keys := tx.Bucket(bucketNames[m]).Cursor()
		for k, _ := keys.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = keys.Next() {
			n++
		}
		return nil
	})
	return n, err
}

func (r *reader) List(_ context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	if r.store.depth == Bytes {
		err := r.walk(q, func(_, value []byte) error {
			r.touch ^= value[0]
			return nil
		}, nil)
		return nil, err
	}
	r.found = r.found[:0]
	// Gathered first, so that no more room is made than the page needs.
	var jobs []jobstore.Job
	var memory peer.Memory
	err := r.walk(q, func(id, value []byte) error {
		r.found = append(r.found, found{id, value})
		memory.Expect(id, value)
		return nil
	}, func() error {
		jobs = make([]jobstore.Job, len(r.found))
		for i, f := range r.found {
			if err := memory.Decode(&jobs[i], f.id, f.value); err != nil {
				return err
			}
		}
		return nil
	})
	if q.After == "" && q.Before != "" {
		slices.Reverse(jobs)
	}
	return jobs, err
}

// found is a record in the mapped file, valid until the transaction ends.
type found struct{ id, value []byte }

func limitOf(q jobstore.Query) int {
	if q.Limit == 0 {
		return jobstore.DefaultLimit
	}
	return q.Limit
}

// walk calls visit with every record of the page, from its cursor outwards, and
// then end, if there is one, while the transaction is still open.
func (r *reader) walk(q jobstore.Query, visit func(id, value []byte) error, end func() error) error {
	m, ok := maskOf(q)
	if !ok || q.After != "" && q.Before != "" {
		return peer.ErrUnsupported
	}
	tx, err := r.store.db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var hash index.Hash
	if q.Input != "" {
		hash = index.HashInput(q.Input)
	}
	key := make([]byte, 0, 96)
	prefix := m.appendPrefix(key, q.Kind, q.Status, hash)
	keys := tx.Bucket(bucketNames[m]).Cursor()
	records := keys
	if m != 0 {
		records = tx.Bucket(bucketNames[0]).Cursor()
	}
	position, reverse := q.After, q.Order == jobstore.Desc
	if q.After == "" && q.Before != "" {
		position, reverse = q.Before, !reverse
	}
	k, value := place(keys, prefix, position, reverse)
	for n := limitOf(q); n > 0 && k != nil && bytes.HasPrefix(k, prefix); n-- {
		id := k[len(prefix):]
		if m != 0 {
			if k, value = records.Seek(id); !bytes.Equal(k, id) {
				return fmt.Errorf("no record of %q", id)
			}
		}
		if err := visit(id, value); err != nil {
			return err
		}
		if n == 1 {
			break
		}
		if reverse {
			k, value = keys.Prev()
		} else {
			k, value = keys.Next()
		}
	}
	if end == nil {
		return nil
	}
	return end()
}

// place moves c to the first key of prefix strictly past position.
func place(c *bbolt.Cursor, prefix []byte, position jobstore.ID, reverse bool) (key, value []byte) {
	switch {
	case position != "" && reverse:
		c.Seek(append(prefix, peer.Suffix(position)...))
		return c.Prev()
	case position != "":
		prefix = append(prefix, peer.Suffix(position)...)
		if key, value = c.Seek(prefix); bytes.Equal(key, prefix) {
			key, value = c.Next()
		}
		return key, value
	case reverse && len(prefix) == 0:
		return c.Last()
	case reverse:
		c.Seek(append(prefix, 0xff)) // past every ID, which are ASCII
		return c.Prev()
	}
	return c.Seek(prefix)
}
