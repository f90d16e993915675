package index

import (
	"encoding/binary"
	"errors"

	bbolterrors "go.etcd.io/bbolt/errors"
)

// reserveName is the name of the bucket that keeps pages for deletions: its values
// mean nothing, but the file has room where they are.
var reserveName = []byte("reserve")

// KeepReserve takes about so many pages for the reserve, if there is none.
func (t *Tree) KeepReserve(pages int) error {
	if t.root.Bucket(reserveName) != nil {
		return nil
	}
	w, err := t.writer(nil, reserveName, -1, 0)
	if err != nil {
		return err
	}
	// bbolt puts no fewer than two keys in a page. Two that fit keep it from making
	// runs of pages, for which there might be no room where there is for single ones.
	w.bolt.FillPercent = 1
	w.old.key = make([]byte, 2)
	value := make([]byte, t.tx.DB().Info().PageSize/2-64)
	for i := range 2 * pages {
		if err := w.bolt.Put(binary.BigEndian.AppendUint16(nil, uint16(i)), value); err != nil {
			return err
		}
	}
	return nil
}

// DropReserve gives the pages of the reserve up, and returns whether there was one.
func (t *Tree) DropReserve() (bool, error) {
	if b, ok := t.committed([][]byte{rootName, reserveName}, 0); ok {
		b.ProveAll()
	}
	err := t.root.DeleteBucket(reserveName)
	delete(t.writers, string(reserveName))
	if errors.Is(err, bbolterrors.ErrBucketNotFound) {
		return false, nil
	}
	return err == nil, err
}
