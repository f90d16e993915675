package index

import (
	"encoding/binary"
	"fmt"

	"github.com/jobstore/jobstore/internal/page"
)

// The buckets of idempotency keys. The first key makes them.
var (
	onceName   = []byte("once")
	expiryName = []byte("expiry")
)

// A Sum stands for what was asked for with an idempotency key.
type Sum [16]byte

// A Once is what is kept of an idempotency key: which job was made with it,
// what was asked for, and until when that counts.
type Once struct {
	Expires int64 // Unix milliseconds
	Sum     Sum
	ID      string // without "job_"
}

// onceHead is the length of the value of an Once ahead of the ID.
const onceHead = 8 + len(Sum{})

// Once returns what is kept of key, which may have expired, and whether anything
// is.
func (t *Tree) Once(key string) (o Once, ok bool, err error) {
	once, _, err := t.onceWriters()
	if err != nil {
		return Once{}, false, err
	}
	value := once.get([]byte(key))
	if value == nil {
		return Once{}, false, nil
	}
	o, err = ParseOnce([]byte(key), value)
	return o, err == nil, err
}

// PutOnce keeps o for key, in place of old if that is not nil.
func (t *Tree) PutOnce(key string, o Once, old *Once) error {
	once, expiry, err := t.onceWriters()
	if err != nil {
		return err
	}
	if old != nil {
		if err := expiry.setKey(ExpiryKey(old.Expires, []byte(key)), false); err != nil {
			return err
		}
	}
	value := appendMilli(make([]byte, 0, onceHead+len(o.ID)+sealLen), o.Expires)
	value = append(append(value, o.Sum[:]...), o.ID...)
	if err := once.put([]byte(key), value, once.get([]byte(key))); err != nil {
		return err
	}
	return expiry.setKey(ExpiryKey(o.Expires, []byte(key)), true)
}

// ExpireOnce forgets the keys that have expired at now, the oldest first, but no
// more than most. It looks at those that were there before the transaction.
func (t *Tree) ExpireOnce(now int64, most int) error {
	once, expiry, err := t.onceWriters()
	if err != nil || expiry.look == nil {
		return err
	}
	var expired [][]byte
	cur := *expiry.look
	for k, _ := cur.First(); k != nil && len(expired) < most; k, _ = cur.Next() {
		at, key, ok := ParseExpiryKey(k)
		if !ok {
			return fmt.Errorf("%w: expiry %x", ErrDamaged, k)
		}
		if at > now {
			break
		}
		if kept := once.get(key); kept != nil {
			o, err := ParseOnce(key, kept)
			if err != nil {
				return err
			}
			if o.Expires != at {
				continue // another call of this transaction has used the key again
			}
			expired = append(expired, k)
		}
	}
	for _, k := range expired {
		_, key, _ := ParseExpiryKey(k)
		if err := once.delete(key, once.get(key)); err != nil {
			return err
		}
		if err := expiry.setKey(k, false); err != nil {
			return err
		}
	}
	return nil
}

// onceWriters returns what changes the buckets of idempotency keys and of their
// expiries.
func (t *Tree) onceWriters() (once, expiry *bucketWriter, err error) {
	if once, err = t.main(onceAt); err != nil {
		return nil, nil, err
	}
	if expiry, err = t.main(expiryAt); err == nil {
		expiry.changed = true // one transaction may use a key twice
	}
	return once, expiry, err
}

// Onces returns the bucket of idempotency keys and that of their expiries, and
// false when the file has none yet.
func (v View) Onces() (once, expiry page.Bucket, ok bool, err error) {
	for _, at := range []int{onceAt, expiryAt} {
		if err := v.snapshot.trust(at); err != nil {
			return once, expiry, false, err
		}
	}
	sums := v.Sums()
	if sums[onceAt].Count != sums[expiryAt].Count {
		return once, expiry, false, fmt.Errorf("%w: there are %d idempotency keys and %d expiries", ErrDamaged, sums[onceAt].Count, sums[expiryAt].Count)
	}
	if sums[onceAt].Count == 0 {
		return once, expiry, false, nil
	}
	if once, err = v.bucketAt(onceAt); err == nil {
		expiry, err = v.bucketAt(expiryAt)
	}
	return once, expiry, err == nil, err
}

// ParseOnce reads the value of an idempotency key, whose seal was proven.
func ParseOnce(key, sealed []byte) (Once, error) {
	if len(sealed) <= onceHead+sealLen {
		return Once{}, fmt.Errorf("%w: idempotency key %q with %d bytes", ErrDamaged, key, len(sealed))
	}
	value := sealed[:len(sealed)-sealLen]
	return Once{Expires: parseMilli(value), Sum: Sum(value[8:onceHead]), ID: string(value[onceHead:])}, nil
}

// ExpiryKey returns the key under which it stands when key expires.
func ExpiryKey(expires int64, key []byte) []byte {
	return append(appendMilli(make([]byte, 0, 8+len(key)), expires), key...)
}

// ParseExpiryKey reads what ExpiryKey gives.
func ParseExpiryKey(k []byte) (expires int64, key []byte, ok bool) {
	if len(k) <= 8 {
		return 0, nil, false
	}
	return parseMilli(k), k[8:], true
}

// appendMilli appends a time so that times sort as their bytes do, those before
// 1970 too.
func appendMilli(dst []byte, milli int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(milli)^(1<<63))
}

func parseMilli(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b) ^ (1 << 63))
}
