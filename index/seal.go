package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A seal is the CRC32C of the name of a bucket, the length of a key in two bytes,
// the key, and the value ahead of the seal, little-endian. It stands at the end of
// the value of every entry but a record, which has a checksum of its own. With the
// name goes the generation of the bucket, so that an entry of an index that Reindex
// is building cannot be taken for one of the index in use.
const sealLen = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A sealer makes and proves the seals of one bucket. It is the checksum of the name
// and the generation, with which that of every entry begins.
type sealer uint32

func newSealer(name string, generation uint64) sealer {
	sum := ^uint32(0)
	for i := range len(name) {
		sum = castagnoli[byte(sum)^name[i]] ^ sum>>8
	}
	for range 8 {
		sum = castagnoli[byte(sum)^byte(generation)] ^ sum>>8
		generation >>= 8
	}
	return sealer(^sum)
}

// lengths returns the checksum of the name and of the two bytes of a length. Like
// newSealer, it does what crc32.Update does, which would need memory for the bytes.
func (s sealer) lengths(n int) uint32 {
	sum := ^uint32(s)
	sum = castagnoli[byte(sum)^byte(n)] ^ sum>>8
	sum = castagnoli[byte(sum)^byte(n>>8)] ^ sum>>8
	return ^sum
}

// sum returns the seal of an entry.
func (s sealer) sum(key, value []byte) uint32 {
	sum := crc32.Update(s.lengths(len(key)), castagnoli, key)
	if len(value) > 0 {
		sum = crc32.Update(sum, castagnoli, value)
	}
	return sum
}

// seal returns value, in new memory, with its seal under key.
func (s sealer) seal(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(value[:len(value):len(value)], s.sum(key, value))
}

// unseal returns what was sealed under key. It fails with ErrDamaged.
func (s sealer) unseal(key, sealed []byte) (value []byte, err error) {
	if _, err := s.prove(key, sealed); err != nil {
		return nil, err
	}
	n := len(sealed) - sealLen
	return sealed[:n:n], nil
}

// prove returns the seal of an entry. It fails with ErrDamaged when the entry does
// not have the one that it should have.
func (s sealer) prove(key, sealed []byte) (uint32, error) {
	n := len(sealed) - sealLen
	if n < 0 {
		return 0, fmt.Errorf("%w: %x has no seal", ErrDamaged, key)
	}
	sum := s.sum(key, sealed[:n])
	if sum != binary.LittleEndian.Uint32(sealed[n:]) {
		return 0, fmt.Errorf("%w: the seal of %x does not fit", ErrDamaged, key)
	}
	return sum, nil
}

// sealOf returns the seal at the end of the value of an entry that was proven.
func sealOf(sealed []byte) uint32 {
	return binary.LittleEndian.Uint32(sealed[len(sealed)-sealLen:])
}
