package jobstore

import (
	"errors"
	"fmt"
	"os"

	"github.com/jobstore/jobstore/internal/page"
)

// inspect checks what the engine is going to trust in the file f: its meta pages
// and the pages that hold it together. It takes the lock on the file first, for
// a file that somebody is writing to may look damaged.
func (s *Store) inspect(f *os.File) error {
	if err := lockFile(f, !s.options.ReadOnly, s.options.LockTimeout); err != nil {
		return err
	}
	m, err := checkMeta(f)
	if err != nil {
		return err
	}
	if err := checkOtherMeta(f, m); err != nil {
		return err
	}
	scanned := m.freelist == page.NoFreelist
	if s.options.ReadOnly && scanned && !s.freelistKept {
		return nil // the engine reads nothing but the meta pages
	}
	s.freelistKept = !scanned
	err = page.Verify(f, m.layout())
	if damage := (page.Damage{}); errors.As(err, &damage) {
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return err
}

// checkOtherMeta checks the meta page that m is not from. Should it be damaged,
// it may have been the newer of the two, and the last commit would be missing
// without a word. A commit that was cut off does not damage it, as the record is
// in one sector of the disk. And it is the one written before m: if it is much
// older, a newer one was lost.
func checkOtherMeta(f *os.File, m *meta) error {
	for _, offset := range []int64{0, int64(m.pageSize)} {
		other, err := readMeta(f, offset)
		if err != nil {
			return err
		}
		if other == nil {
			return corruptf("meta page %d is damaged: the last commit may be missing", offset/int64(m.pageSize))
		}
		// They differ by one, but by two after the first commit on a copy that
		// bbolt has made.
		if other.txid != m.txid && m.txid-other.txid > 2 {
			return corruptf("meta pages are of transactions %d and %d: a commit is missing", other.txid, m.txid)
		}
	}
	return nil
}
