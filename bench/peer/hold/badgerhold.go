package hold

import (
	"context"
	"iter"
	"path/filepath"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/timshannon/badgerhold/v4"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// NewBadgerhold returns badgerhold as a peer.
func NewBadgerhold() peer.Peer { return badgerholdPeer{} }

type badgerholdPeer struct{}

func (badgerholdPeer) Name() string  { return "badgerhold" }
func (badgerholdPeer) Files() string { return "badgerhold" }
func (badgerholdPeer) MaxSize() int  { return maxSize }

func (badgerholdPeer) About() string {
	return "badgerhold with indexes on kind, status and input, rows in the library's records"
}

func (badgerholdPeer) Open(dir string, mode peer.Mode) (peer.Store, error) {
	options := badgerhold.DefaultOptions
	options.Encoder, options.Decoder = encode, decode
	options.Options = badger.DefaultOptions(filepath.Join(dir, "badger")).
		WithLogger(nil).WithSyncWrites(mode == peer.Durable)
	store, err := badgerhold.Open(options)
	if err != nil {
		return nil, err
	}
	return &badgerholdStore{Store: store}, nil
}

type badgerholdStore struct {
	*badgerhold.Store
	mu sync.Mutex // of inserts, which would conflict on the lists of keys and try again
}

func (s *badgerholdStore) Import(_ context.Context, jobs []*jobstore.Job) error {
	// A transaction holds what fits into a memtable, and every insert writes the
	// lists of three indexes.
	const batch = 10
	for jobs := range slices.Chunk(jobs, batch) {
		err := s.Badger().Update(func(tx *badger.Txn) error {
			for _, j := range jobs {
				if err := s.TxInsert(tx, string(j.ID), rowOf(j)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *badgerholdStore) Create(_ context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Insert(string(job.ID), rowOf(job))
}

func (s *badgerholdStore) Reader() (peer.Reader, error) { return badgerholdReader{s.Store}, nil }

type badgerholdReader struct{ store *badgerhold.Store }

func (badgerholdReader) Close() error { return nil }

func (r badgerholdReader) Get(_ context.Context, id jobstore.ID) (jobstore.Job, error) {
	var found row
	err := r.store.Get(string(id), &found)
	return found.Job, err
}

func (r badgerholdReader) Count(_ context.Context, q jobstore.Query) (int64, error) {
	q.After, q.Before = "", ""
	n, err := r.store.Count(&row{}, badgerholdQuery(pageOf(q)))
	return int64(n), err
}

func (r badgerholdReader) List(_ context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	p := pageOf(q)
	query := badgerholdQuery(p).Limit(p.limit)
	if p.sorted {
		query = query.SortBy("ID")
	}
	if p.reverse {
		query = query.Reverse()
	}
	var rows []row
	if err := r.store.Find(&rows, query); err != nil {
		return nil, err
	}
	if p.backward {
		slices.Reverse(rows)
	}
	return jobsOf(rows), nil
}

// Walk finds all rows at once.
func (r badgerholdReader) Walk(context.Context) iter.Seq2[jobstore.Job, error] {
	var rows []row
	err := r.store.Find(&rows, (&badgerhold.Query{}).SortBy("ID").Reverse())
	return each(rows, err)
}

func badgerholdQuery(p page) *badgerhold.Query {
	query := &badgerhold.Query{}
	and := func(field string) *badgerhold.Criterion {
		if query.IsEmpty() {
			return badgerhold.Where(field)
		}
		return query.And(field)
	}
	if p.input != "" {
		query = and("Input").Eq(p.input)
	}
	if p.statuses != nil {
		query = and("Status").In(p.statuses...)
	}
	if p.kinds != nil {
		query = and("Kind").In(p.kinds...)
	}
	if p.low != "" {
		query = and(badgerhold.Key).Gt(p.low)
	}
	if p.high != "" {
		query = and(badgerhold.Key).Lt(p.high)
	}
	if p.index != "" {
		query = query.Index(p.index)
	}
	return query
}
