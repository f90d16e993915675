package index

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
	"github.com/jobstore/jobstore/internal/record"
)

// Keys of the bucket meta. Every value is sealed. Keys that are not known are of a
// newer version, and are left alone.
var (
	formatKey  = []byte("format")
	flagsKey   = []byte("flags")
	mintedKey  = []byte("minted")
	sumsKey    = []byte("sums")
	rebuildKey = []byte("rebuild")
	// largestKey has the size of the largest record that was ever stored.
	largestKey = []byte("largest")
)

// Format is the version of the layout that this package writes, and the only one
// that it reads.
const Format = 2

// Flags are the features of a file that a version may not know. A file with an
// unknown flag in Incompatible is not read. One with an unknown flag in ReadOnly is
// read and not written to. One with an unknown flag in Compatible is read and
// written; buckets and keys that are not known are left alone.
type Flags struct{ Compatible, ReadOnly, Incompatible uint64 }

// The flags that this package knows. There are none yet.
const (
	knownReadOnly     = 0
	knownIncompatible = 0
)

// The buckets whose entries are counted and summed up, in the order in which meta
// keeps their sums.
const (
	jobsAt = iota
	kindAt
	statusAt
	inputAt
	countsAt
	onceAt
	expiryAt
	buckets
)

var bucketNames = [buckets]string{
	string(Jobs), string(Kind), string(Status), string(Input), string(countsName), string(onceName), string(expiryName),
}

// Sums are the sums of all buckets.
type Sums [buckets]page.Sum

// settings are what the bucket meta keeps of the file as a whole.
type settings struct {
	flags Flags
	// txid is the number of the transaction that wrote the sums, which is the
	// last one that has changed anything.
	txid uint64
	// generation is how often the indexes were built anew.
	generation uint64
	sums       Sums
	newer      []byte // what a newer version keeps behind the sums
}

// appendSums appends the value of sumsKey.
func (s *settings) appendSums(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.txid)
	dst = binary.LittleEndian.AppendUint64(dst, s.generation)
	dst = appendSums(dst, s.sums[:])
	return append(dst, s.newer...)
}

func appendSums(dst []byte, sums []page.Sum) []byte {
	for _, sum := range sums {
		dst = binary.LittleEndian.AppendUint64(dst, sum.Count)
		dst = binary.LittleEndian.AppendUint64(dst, sum.Seals)
	}
	return dst
}

func parseSums(b []byte, sums []page.Sum) {
	for i := range sums {
		sums[i].Count = binary.LittleEndian.Uint64(b[16*i:])
		sums[i].Seals = binary.LittleEndian.Uint64(b[16*i+8:])
	}
}

// parseSettings reads the settings out of meta, of which get returns a value. It
// fails with ErrFormat for a file that this package does not read, and with
// ErrDamaged.
func parseSettings(get func(key []byte) []byte) (s settings, err error) {
	meta := newSealer(string(metaName), 0)
	format := get(formatKey)
	if len(format) == 8 { // as format 1 had it, without a seal
		return s, fmt.Errorf("%w: file has format %d, this version reads %d: export it with the version that wrote it, and import it into a new store",
			ErrFormat, binary.BigEndian.Uint64(format), Format)
	}
	value, err := meta.unseal(formatKey, format)
	if err != nil {
		return s, err
	}
	if len(value) != 8 || binary.BigEndian.Uint64(value) != Format {
		return s, fmt.Errorf("%w: file has format %x, this version reads %d", ErrFormat, value, Format)
	}
	if value, err = meta.unseal(flagsKey, get(flagsKey)); err != nil {
		return s, err
	}
	if len(value) < 24 {
		return s, fmt.Errorf("%w: feature flags of %d bytes", ErrDamaged, len(value))
	}
	s.flags = Flags{
		Compatible:   binary.LittleEndian.Uint64(value),
		ReadOnly:     binary.LittleEndian.Uint64(value[8:]),
		Incompatible: binary.LittleEndian.Uint64(value[16:]),
	}
	if unknown := s.flags.Incompatible &^ knownIncompatible; unknown != 0 {
		return s, fmt.Errorf("%w: file needs features %#x, which this version does not have", ErrFormat, unknown)
	}
	if value, err = meta.unseal(sumsKey, get(sumsKey)); err != nil {
		return s, err
	}
	const head = 16
	if len(value) < head+16*buckets {
		return s, fmt.Errorf("%w: sums of %d bytes", ErrDamaged, len(value))
	}
	s.txid, s.generation = binary.LittleEndian.Uint64(value), binary.LittleEndian.Uint64(value[8:])
	parseSums(value[head:], s.sums[:])
	s.newer = append(s.newer, value[head+16*buckets:]...)
	return s, nil
}

// content returns what a bucket right under jobstore holds, and false for a name that
// is not known.
func content(name string, generation uint64) (page.Content, bool) {
	switch name {
	case string(rebuildName):
		return page.Content{Buckets: true}, true
	case string(Jobs):
		// Records prove themselves when they are read, so that a damaged one
		// spoils no other.
		return page.Content{Entries: true, Late: true, Prove: proveRecord}, true
	case string(Kind), string(Status), string(Input), string(countsName):
	case string(onceName), string(expiryName), string(metaName):
		generation = 0
	default:
		return page.Anything, false
	}
	return page.Content{Entries: true, Prove: newSealer(name, generation).prove}, true
}

func proveRecord(key, value []byte) (seal uint32, err error) {
	return record.Seal(value), record.Prove(key, value)
}

// Stamp makes the transaction tx, which has copied the buckets of another file, the
// one that wrote the sums.
func Stamp(tx *bbolt.Tx) error {
	meta := tx.Bucket(rootName).Bucket(metaName)
	s, err := parseSettings(meta.Get)
	if err != nil {
		return err
	}
	s.txid = uint64(tx.ID())
	return meta.Put(sumsKey, newSealer(string(metaName), 0).seal(sumsKey, s.appendSums(nil)))
}
