package index

import (
	"fmt"

	"github.com/jobstore/jobstore/internal/record"
)

// Record returns the record of the job with this ID, or nil. It is valid until the
// next change.
func (t *Tree) Record(id []byte) []byte {
	had := t.jobs.prove(id)
	value := t.jobs.bolt.Get(id)
	if value == nil && !had && t.jobs.look != nil {
		t.jobs.look.ProveBeside(id)
	}
	return value
}

// PutRecord puts the record of a job in the place of old, which is nil for none.
func (t *Tree) PutRecord(id, value, old []byte) error {
	t.jobs.change(id, false)
	if old != nil {
		t.jobs.sum.Remove(record.Seal(old))
	}
	t.jobs.sum.Add(record.Seal(value))
	t.rebuildRecord(id, value, old)
	return t.jobs.bolt.Put(id, value)
}

// DeleteRecord deletes the record old of a job.
func (t *Tree) DeleteRecord(id, old []byte) error {
	t.jobs.change(id, true)
	t.jobs.sum.Remove(record.Seal(old))
	t.rebuildRecord(id, nil, old)
	return t.jobs.bolt.Delete(id)
}

// A Record is a job's key, its ID without "job_", and its value.
type Record struct {
	ID    string
	Value []byte // valid until the end of the transaction
}

// Seal returns the checksum of the record.
func (r Record) Seal() uint32 { return record.Seal(r.Value) }

// Records returns up to n records behind an ID, as the transaction has left them, and
// whether there are more.
func (t *Tree) Records(after string, n int) (records []Record, more bool, err error) {
	cur := t.jobs.bolt.Cursor()
	from := []byte(after)
	if after != "" {
		from = append(from, 0) // the key behind it, as no ID holds a zero byte
	}
	for {
		t.proveOn(from)
		key, value := cur.Seek(from)
		switch {
		case key == nil:
			return records, false, nil
		case len(records) == n:
			return records, true, nil
		case len(records) > 0 && string(key) <= records[len(records)-1].ID:
			return nil, false, fmt.Errorf("%w: records are out of order behind %q", ErrDamaged, key)
		}
		records = append(records, Record{string(key), value})
		from = append(append(from[:0], key...), 0)
	}
}

// proveOn proves the pages from a key on to that of the next record which the
// transaction has not deleted: bbolt's cursor passes over pages that it has emptied.
func (t *Tree) proveOn(from []byte) {
	look := t.jobs.look
	if look == nil {
		return
	}
	for k, _ := look.Seek(from); k != nil && t.jobs.bolt.Get(k) == nil; k, _ = look.Next() {
	}
}
