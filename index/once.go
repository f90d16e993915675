package index

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/jobstore/jobstore/internal/page"
)

// The buckets of idempotency keys. The first key makes them.
var (
	onceName   = []byte("once")
	expiryName = []byte("expiry")
)

// A Sum stands for what was asked for with an idempotency key.
type Sum [16]byte

// An Once is what is kept of an idempotency key: which job was made with it,
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
func (t Tree) Once(key string) (o Once, ok bool, err error) {
	b := t.root.Bucket(onceName)
	if b == nil {
		return Once{}, false, nil
	}
	value := b.Get([]byte(key))
	if value == nil {
		return Once{}, false, nil
	}
	o, err = ParseOnce([]byte(key), value)
	return o, err == nil, err
}

// PutOnce keeps o for key, in place of old if that is not nil.
func (t Tree) PutOnce(key string, o Once, old *Once) error {
	once, expiry, err := t.onceBuckets()
	if err != nil {
		return err
	}
	if old != nil {
		if err := expiry.Delete(ExpiryKey(old.Expires, []byte(key))); err != nil {
			return err
		}
	}
	value := appendMilli(make([]byte, 0, onceHead+len(o.ID)), o.Expires)
	value = append(append(value, o.Sum[:]...), o.ID...)
	if err := once.Put([]byte(key), seal([]byte(key), value)); err != nil {
		return err
	}
	return expiry.Put(ExpiryKey(o.Expires, []byte(key)), nil)
}

// ExpireOnce forgets the keys that have expired at now, the oldest first, but no
// more than most.
func (t Tree) ExpireOnce(now int64, most int) error {
	once, expiry, err := t.onceBuckets()
	if err != nil {
		return err
	}
	// Keys are gathered before they are deleted: a deletion moves the cursor.
	var expired [][]byte
	cur := expiry.Cursor()
	for k, _ := cur.First(); k != nil && len(expired) < most; k, _ = cur.Next() {
		at, _, ok := ParseExpiryKey(k)
		if !ok {
			return fmt.Errorf("%w: expiry %x", ErrDamaged, k)
		}
		if at > now {
			break
		}
		expired = append(expired, k)
	}
	for _, k := range expired {
		_, key, _ := ParseExpiryKey(k)
		if err := once.Delete(key); err != nil {
			return err
		}
		if err := expiry.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (t Tree) onceBuckets() (once, expiry *bbolt.Bucket, err error) {
	if once, err = t.root.CreateBucketIfNotExists(onceName); err != nil {
		return nil, nil, err
	}
	expiry, err = t.root.CreateBucketIfNotExists(expiryName)
	return once, expiry, err
}

// Onces returns the bucket of idempotency keys and that of their expiries, and
// false when the file has none yet.
func (v View) Onces() (once, expiry page.Bucket, ok bool, err error) {
	root, ok := v.root.Bucket(rootName)
	if !ok {
		return once, expiry, false, noBucket(rootName)
	}
	once, hasOnce := root.Bucket(onceName)
	expiry, hasExpiry := root.Bucket(expiryName)
	if hasOnce != hasExpiry {
		return once, expiry, false, fmt.Errorf("%w: one of the buckets %q and %q is missing", ErrDamaged, onceName, expiryName)
	}
	return once, expiry, hasOnce, nil
}

// ParseOnce reads the value of an idempotency key.
func ParseOnce(key, sealed []byte) (Once, error) {
	value, err := unseal(key, sealed)
	if err != nil {
		return Once{}, err
	}
	if len(value) <= onceHead {
		return Once{}, fmt.Errorf("%w: idempotency key with %d bytes", ErrDamaged, len(value))
	}
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
