// Package hold keeps jobs in bolthold and in badgerhold, which index structs by
// their tags. Each index holds, in one value, the list of all keys that share a
// field: it is read and written anew at every insert, so that these peers are
// measured with few jobs. Neither walks backwards: a page of the newest jobs is
// sorted out of all that match.
package hold

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"iter"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/bench/peer"
)

// maxSize is how many jobs the peers of this package are measured with.
const maxSize = 5000

// A row is what both of them keep of a job. The fields beside Job are those that
// queries name.
type row struct {
	ID     string `boltholdKey:"ID" badgerholdKey:"ID"`
	Kind   byte   `boltholdIndex:"Kind" badgerholdIndex:"Kind"`
	Status byte   `boltholdIndex:"Status" badgerholdIndex:"Status"`
	Input  string `boltholdIndex:"Input" badgerholdIndex:"Input"`
	Job    jobstore.Job
}

func rowOf(j *jobstore.Job) *row {
	return &row{
		ID: string(j.ID), Kind: peer.KindCode(j.Kind), Status: peer.StatusCode(j.Status), Input: j.Input, Job: *j,
	}
}

// encode writes a row as its ID and the library's record, text and codes as they
// are, and their lists of keys by gob, which is their default for everything.
func encode(value any) ([]byte, error) {
	switch v := value.(type) {
	case *row:
		encoded, err := peer.Encode(&v.Job)
		return append(append([]byte{byte(len(v.ID))}, v.ID...), encoded...), err
	case string:
		return []byte(v), nil
	case byte:
		return []byte{v}, nil
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(value)
	return b.Bytes(), err
}

func decode(data []byte, value any) error {
	switch v := value.(type) {
	case *row:
		return v.decode(data)
	case *string:
		*v = string(data)
		return nil
	case *byte:
		if len(data) != 1 {
			return fmt.Errorf("code of %d bytes", len(data))
		}
		*v = data[0]
		return nil
	}
	return gob.NewDecoder(bytes.NewReader(data)).Decode(value)
}

func (r *row) decode(data []byte) error {
	if len(data) == 0 || len(data) < 1+int(data[0]) {
		return fmt.Errorf("row of %d bytes", len(data))
	}
	id, value := data[1:1+data[0]], data[1+data[0]:]
	if err := peer.Decode(&r.Job, []byte(peer.Suffix(jobstore.ID(id))), value); err != nil {
		return err
	}
	j := &r.Job
	r.ID, r.Kind, r.Status, r.Input = string(j.ID), peer.KindCode(j.Kind), peer.StatusCode(j.Status), j.Input
	return nil
}

func jobsOf(rows []row) []jobstore.Job {
	jobs := make([]jobstore.Job, len(rows))
	for i := range rows {
		jobs[i] = rows[i].Job
	}
	return jobs
}

// each yields the jobs of rows, or err.
func each(rows []row, err error) iter.Seq2[jobstore.Job, error] {
	return func(yield func(jobstore.Job, error) bool) {
		if err != nil {
			yield(jobstore.Job{}, err)
			return
		}
		for i := range rows {
			if !yield(rows[i].Job, nil) {
				return
			}
		}
	}
}

// A page is a query as both of them can put it.
type page struct {
	limit    int
	reverse  bool // newest first
	backward bool // the rows are to be turned round
	sorted   bool // the rows need sorting by ID
	index    string
	kinds    []any // to match any of; nil for any
	statuses []any
	input    string
	low      string // exclusive; empty for open
	high     string
}

func pageOf(q jobstore.Query) page {
	p := page{
		limit:    q.Limit,
		backward: q.Before != "" && q.After == "",
		kinds:    codes(q.Kind.Kinds(), peer.KindCode),
		statuses: codes(q.Status.Statuses(), peer.StatusCode),
		input:    q.Input,
		low:      string(q.Before),
		high:     string(q.After),
	}
	if p.limit == 0 {
		p.limit = jobstore.DefaultLimit
	}
	if q.Order == jobstore.Asc {
		p.low, p.high = p.high, p.low
	}
	p.reverse = (q.Order == jobstore.Desc) != p.backward
	p.sorted = p.reverse || len(p.kinds) > 1 || len(p.statuses) > 1
	switch { // the index that leaves the fewest rows
	case p.input != "":
		p.index = "Input"
	case p.statuses != nil:
		p.index = "Status"
	case p.kinds != nil:
		p.index = "Kind"
	}
	return p
}

func codes[S any](members []S, code func(S) byte) []any {
	var all []any
	for _, m := range members {
		all = append(all, code(m))
	}
	return all
}
