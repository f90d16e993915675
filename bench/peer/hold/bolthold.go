package hold

import (
	"context"
	"iter"
	"path/filepath"
	"slices"

	"github.com/timshannon/bolthold"
	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// NewBolthold returns bolthold as a peer.
func NewBolthold() peer.Peer { return boltholdPeer{} }

type boltholdPeer struct{}

func (boltholdPeer) Name() string  { return "bolthold" }
func (boltholdPeer) Files() string { return "bolthold" }
func (boltholdPeer) MaxSize() int  { return maxSize }

func (boltholdPeer) About() string {
	return "bolthold with indexes on kind, status and input, rows in the library's records"
}

func (boltholdPeer) Open(dir string, mode peer.Mode) (peer.Store, error) {
	store, err := bolthold.Open(filepath.Join(dir, "bolthold.db"), 0o600, &bolthold.Options{
		Encoder: encode,
		Decoder: decode,
		Options: &bbolt.Options{NoSync: mode == peer.Loading, ReadOnly: mode == peer.Reading},
	})
	if err != nil {
		return nil, err
	}
	return &boltholdStore{store}, nil
}

type boltholdStore struct{ *bolthold.Store }

func (s *boltholdStore) Import(_ context.Context, jobs []*jobstore.Job) error {
	return s.Bolt().Update(func(tx *bbolt.Tx) error {
		for _, j := range jobs {
			if err := s.TxInsert(tx, string(j.ID), rowOf(j)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltholdStore) Create(_ context.Context, job *jobstore.Job) error {
	job.ID = peer.NewID()
	return s.Insert(string(job.ID), rowOf(job))
}

func (s *boltholdStore) Reader() (peer.Reader, error) { return boltholdReader{s.Store}, nil }

type boltholdReader struct{ store *bolthold.Store }

func (boltholdReader) Close() error { return nil }

func (r boltholdReader) Get(_ context.Context, id jobstore.ID) (jobstore.Job, error) {
	var found row
	err := r.store.Get(string(id), &found)
	return found.Job, err
}

func (r boltholdReader) Count(_ context.Context, q jobstore.Query) (int64, error) {
	q.After, q.Before = "", ""
	n, err := r.store.Count(&row{}, boltholdQuery(pageOf(q)))
	return int64(n), err
}

func (r boltholdReader) List(_ context.Context, q jobstore.Query) ([]jobstore.Job, error) {
	p := pageOf(q)
	query := boltholdQuery(p).Limit(p.limit)
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
func (r boltholdReader) Walk(context.Context) iter.Seq2[jobstore.Job, error] {
	var rows []row
	err := r.store.Find(&rows, (&bolthold.Query{}).SortBy("ID").Reverse())
	return each(rows, err)
}

func boltholdQuery(p page) *bolthold.Query {
	query := &bolthold.Query{}
	and := func(field string) *bolthold.Criterion {
		if query.IsEmpty() {
			return bolthold.Where(field)
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
		query = and(bolthold.Key).Gt(p.low)
	}
	if p.high != "" {
		query = and(bolthold.Key).Lt(p.high)
	}
	if p.index != "" {
		query = query.Index(p.index)
	}
	return query
}
