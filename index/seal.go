package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Values that no record proves, which are counters, the last minted ID and what is
// kept of idempotency keys, end with a seal: the CRC32C of the key and of what
// stands before it, little-endian.
const sealLen = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal returns value, in new memory, with the seal that belongs to it under key.
func seal(key, value []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return binary.LittleEndian.AppendUint32(value[:len(value):len(value)], sum)
}

// unseal returns what was sealed under key. It fails with ErrDamaged.
func unseal(key, sealed []byte) (value []byte, err error) {
	n := len(sealed) - sealLen
	if n < 0 || crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, sealed[:n]) != binary.LittleEndian.Uint32(sealed[n:]) {
		return nil, fmt.Errorf("%w: the checksum of %x does not fit", ErrDamaged, key)
	}
	return sealed[:n:n], nil
}
