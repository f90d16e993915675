package record

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// decodeArray reads the msgpack array b into j, whose strings and JSON then
// share the memory of b. It reads the integers, strings and nils that the
// encoder writes in any of their msgpack lengths, in one pass without
// allocating: five times faster than going through a general decoder
// (BenchmarkDecode), which the fuzz tests hold it to.
func decodeArray(j *Job, b []byte) error {
	r := reader{b: b}
	n := r.arrayLen()
	if (n < fields || n > maxElements) && !r.bad {
		return damagedf("array of %d elements", n)
	}
	*j = Job{
		Kind:     r.code(),
		Status:   r.code(),
		Input:    text(r.str()),
		Output:   text(r.str()),
		Options:  r.str(),
		Metadata: r.str(),
		Error:    r.strOrNil(),
		Created:  r.time(),
		Started:  r.time(),
		Finished: r.time(),
		Updated:  r.time(),
	}
	j.tasksSum, j.tasksAreStored = r.sum()
	if n > fields {
		j.Rest = r.rest(n - fields)
	}
	if r.bad || len(r.b) > 0 {
		return damagedf("msgpack")
	}
	return nil
}

// The msgpack type bytes that can stand in a record.
const (
	mpNil     = 0xc0
	mpUint8   = 0xcc
	mpUint16  = 0xcd
	mpUint32  = 0xce
	mpUint64  = 0xcf
	mpInt8    = 0xd0
	mpInt16   = 0xd1
	mpInt32   = 0xd2
	mpInt64   = 0xd3
	mpStr8    = 0xd9
	mpStr16   = 0xda
	mpStr32   = 0xdb
	mpArray16 = 0xdc
	mpArray32 = 0xdd
	mpMap16   = 0xde
	mpMap32   = 0xdf

	// These stand in no field, and may stand behind the fields.
	mpInvalid  = 0xc1 // is no msgpack
	mpFalse    = 0xc2
	mpTrue     = 0xc3
	mpBin8     = 0xc4
	mpBin16    = 0xc5
	mpBin32    = 0xc6
	mpExt8     = 0xc7
	mpExt16    = 0xc8
	mpExt32    = 0xc9
	mpFloat32  = 0xca
	mpFloat64  = 0xcb
	mpFixExt1  = 0xd4
	mpFixExt2  = 0xd5
	mpFixExt4  = 0xd6
	mpFixExt8  = 0xd7
	mpFixExt16 = 0xd8

	mpFixMap   = 0x80 // to 0x8f, stands in no field
	mpFixArray = 0x90 // to 0x9f
	mpFixStr   = 0xa0 // to 0xbf
	mpNegative = 0xe0 // to 0xff; 0x00 to 0x7f are the positive integers
)

// A reader takes msgpack values off the front of b. After the first value that
// is cut short or of another type, bad is set and every result is a zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.b, r.bad = nil, true
}

// take removes n bytes from the front and returns them.
func (r *reader) take(n int) []byte {
	if uint(n) > uint(len(r.b)) {
		r.fail()
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// uint reads a big-endian unsigned integer of n bytes.
func (r *reader) uint(n int) uint64 {
	b := r.take(n)
	if b == nil {
		return 0
	}
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

func (r *reader) arrayLen() int {
	switch c := r.byte(); {
	case c&0xf0 == mpFixArray:
		return int(c & 0x0f)
	case c == mpArray16:
		return int(r.uint(2))
	case c == mpArray32:
		return int(r.uint(4))
	}
	r.fail()
	return 0
}

// str returns a string's bytes, never nil unless r is bad.
func (r *reader) str() []byte {
	switch c := r.byte(); {
	case c&0xe0 == mpFixStr:
		return r.take(int(c & 0x1f))
	case c == mpStr8:
		return r.take(int(r.uint(1)))
	case c == mpStr16:
		return r.take(int(r.uint(2)))
	case c == mpStr32:
		return r.take(int(r.uint(4)))
	}
	r.fail()
	return nil
}

func (r *reader) strOrNil() []byte {
	if r.nil() {
		return nil
	}
	return r.str()
}

// nil takes a nil off the front and reports whether there was one.
func (r *reader) nil() bool {
	if len(r.b) > 0 && r.b[0] == mpNil {
		r.b = r.b[1:]
		return true
	}
	return false
}

func (r *reader) int() int64 {
	c := r.byte()
	switch {
	case c < mpFixMap: // positive, in the byte itself
		return int64(c)
	case c >= mpNegative:
		return int64(int8(c))
	}
	switch c {
	case mpUint8:
		return int64(r.uint(1))
	case mpUint16:
		return int64(r.uint(2))
	case mpUint32:
		return int64(r.uint(4))
	case mpUint64:
		if u := r.uint(8); u <= math.MaxInt64 {
			return int64(u)
		}
	case mpInt8:
		return int64(int8(r.uint(1)))
	case mpInt16:
		return int64(int16(r.uint(2)))
	case mpInt32:
		return int64(int32(r.uint(4)))
	case mpInt64:
		return int64(r.uint(8))
	}
	r.fail()
	return 0
}

// code reads a kind or status, a small positive number.
func (r *reader) code() byte {
	n := r.int()
	if n < 1 || n > math.MaxUint8 {
		r.fail()
		return 0
	}
	return byte(n)
}

func (r *reader) time() int64 {
	if r.nil() {
		return NoTime
	}
	return r.int()
}

func (r *reader) sum() (sum uint32, ok bool) {
	if r.nil() {
		return 0, false
	}
	n := r.int()
	if n < 0 || n > math.MaxUint32 {
		r.fail()
		return 0, false
	}
	return uint32(n), true
}

// rest takes n elements of any kind off the front, which have to be all that there
// is.
func (r *reader) rest(n int) *Rest {
	raw := r.b
	r.skip(n)
	if r.bad || len(r.b) > 0 {
		r.fail()
		return nil
	}
	return &Rest{N: n, Raw: raw}
}

// skip takes n msgpack values off the front, with all that is in them. It counts the
// values that are still to come. So it needs no stack, however deep they are nested.
func (r *reader) skip(n int) {
	for left := uint64(n); left > 0 && !r.bad; {
		if left > uint64(len(r.b)) { // a value takes a byte or more
			r.fail()
			return
		}
		left--
		switch c := r.byte(); {
		case c < mpFixMap || c >= mpNegative:
		case c < mpFixArray:
			left += 2 * uint64(c&0x0f)
		case c < mpFixStr:
			left += uint64(c & 0x0f)
		case c < mpNil:
			r.take(int(c & 0x1f))
		case c == mpInvalid:
			r.fail()
		case c == mpArray16:
			left += r.uint(2)
		case c == mpArray32:
			left += r.uint(4)
		case c == mpMap16:
			left += 2 * r.uint(2)
		case c == mpMap32:
			left += 2 * r.uint(4)
		default:
			r.take(r.scalarLen(c))
		}
	}
}

// scalarLen returns how many bytes the value has that begins with c, which holds no
// other values, behind c and its length.
func (r *reader) scalarLen(c byte) int {
	switch c {
	case mpUint8, mpInt8:
		return 1
	case mpUint16, mpInt16, mpFixExt1:
		return 2
	case mpFixExt2:
		return 3
	case mpUint32, mpInt32, mpFloat32:
		return 4
	case mpFixExt4:
		return 5
	case mpUint64, mpInt64, mpFloat64:
		return 8
	case mpFixExt8:
		return 9
	case mpFixExt16:
		return 17
	case mpStr8, mpBin8:
		return int(r.uint(1))
	case mpStr16, mpBin16:
		return int(r.uint(2))
	case mpStr32, mpBin32:
		return int(r.uint(4))
	case mpExt8: // and the type
		return int(r.uint(1)) + 1
	case mpExt16:
		return int(r.uint(2)) + 1
	case mpExt32:
		n := r.uint(4)
		if n >= math.MaxInt32 {
			r.fail()
			return 0
		}
		return int(n) + 1
	}
	return 0 // nil, false, true
}

// text returns b as a string that shares its memory. Decode uses it on
// memory that it has just made and that nothing writes to again (the JSON
// slices that callers may write to are other parts of it), Encode on text that
// it only copies.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
