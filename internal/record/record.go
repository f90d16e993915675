// Package record turns a job into the bytes that are kept under its ID, and
// back. The layout of those bytes stands in docs/FORMAT.md: an envelope that
// proves them whole, around a msgpack array, with the tasks behind it so that
// a list never reads them.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// IDPrefix stands before the suffix that is kept in keys.
const IDPrefix = "job_"

// NoTime stands for a timestamp that has not happened.
const NoTime = math.MinInt64

// A Job holds the fields of a job as they are stored. The ID is not among
// them: it is the key.
type Job struct {
	Kind, Status  byte // codes, counted from 1
	Input, Output string
	Options       []byte // JSON object
	Metadata      []byte // JSON object
	Error         []byte // JSON; nil is null
	Tasks         []byte // JSON array; nil is none
	Created       int64  // this and the next three: Unix milliseconds or NoTime
	Started       int64
	Finished      int64
	Updated       int64
	// Rest is what a later version has put behind the fields. Nil is nothing.
	Rest           *Rest
	tasksSum       uint32 // CRC32C of Tasks
	tasksAreStored bool
}

// A Rest holds the elements of a record that this version does not know. They are
// kept as they came, so that a record that is changed does not lose them.
type Rest struct {
	N   int    // how many elements there are
	Raw []byte // their msgpack; never written to
}

// The envelope:
//
//	offset 0    1 byte   format, 1
//	offset 1    4 bytes  CRC32C of the ID's suffix and of bytes [5, 9+n), little-endian
//	offset 5    4 bytes  n, the length of the array, little-endian
//	offset 9    n bytes  msgpack array of 12 elements or more
//	offset 9+n  rest     tasks, JSON text; nothing when the job has none
//
// The array's element 11 is the CRC32C of the tasks, or nil without tasks, so that
// the tasks are proven whole when they are read and not before. The elements behind
// it are those of a later version: see Rest.
const (
	format    = 1
	headerLen = 9
	sumFrom   = 5
	fields    = 12

	// maxElements is how many elements an array can have.
	maxElements = 1<<16 - 1
)

// ErrDamaged is returned for bytes that Append did not write.
var ErrDamaged = errors.New("record is damaged")

func damagedf(reason string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(reason, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Decode reads the record of the job whose key is suffix into j, and returns
// the job's full ID. The ID, the strings and the JSON of j share one new piece
// of memory, each JSON cut off so that appending to it moves it: nothing of
// value is kept. Tasks stays nil unless withTasks is set.
//
// Decode fails with ErrDamaged when the checksum does not fit suffix and value.
//
// The memory comes out of m, where that is not nil.
func Decode(j *Job, m *Memory, suffix, value []byte, withTasks bool) (id string, err error) {
	body, tasks, err := open(suffix, value)
	if err != nil {
		return "", err
	}
	size := len(IDPrefix) + len(suffix) + len(body)
	if withTasks {
		size += len(tasks)
	}
	memory := m.take(size)
	memory = append(memory, IDPrefix...)
	memory = append(memory, suffix...)
	idLen := len(memory)
	memory = append(memory, body...)
	bodyEnd := len(memory)

	if err := decodeArray(j, memory[idLen:bodyEnd:bodyEnd]); err != nil {
		return "", err
	}
	if j.tasksAreStored != (len(tasks) > 0) {
		return "", damagedf("tasks of %d bytes, against what the array says", len(tasks))
	}
	if withTasks && j.tasksAreStored {
		memory = append(memory, tasks...)
		j.Tasks = memory[bodyEnd:len(memory):len(memory)]
		if crc32.Checksum(j.Tasks, castagnoli) != j.tasksSum {
			return "", damagedf("checksum of the tasks")
		}
	}
	return text(memory[:idLen]), nil
}

// Memory is what the jobs of a page are decoded into. It is asked for in pieces of
// several jobs, each of which keeps the memory of its whole piece. The zero value
// has none yet.
type Memory struct {
	free   []byte
	expect int // how much will be taken yet
}

// MemoryOf returns the Memory of b. Whoever makes another of the same b gives up
// the jobs that were decoded into the one before.
func MemoryOf(b []byte) Memory { return Memory{free: b} }

// pieceSize is the length in bytes of a piece of Memory, unless one record needs
// more: what a job can hold on to that is not its own. It is one that Go's allocator
// has, and of which it gets seven at a time; of 4 KiB it gets two, which costs 5% of
// an unfiltered page.
const pieceSize = 3456

// Expect says that the record in value will be decoded.
func (m *Memory) Expect(suffix, value []byte) {
	m.expect += len(IDPrefix) + len(suffix)
	if len(value) >= headerLen {
		m.expect += min(int(binary.LittleEndian.Uint32(value[sumFrom:])), len(value)-headerLen)
	}
}

// take returns an empty slice with room for n bytes.
func (m *Memory) take(n int) []byte {
	if m == nil {
		return make([]byte, 0, n)
	}
	if n > len(m.free) {
		m.free = make([]byte, max(n, min(m.expect, pieceSize)))
	}
	memory := m.free[:0:n]
	m.free = m.free[n:]
	m.expect -= n
	return memory
}

// Prove checks that value, but for its tasks, is the whole record of the job whose
// key is suffix. It fails with ErrDamaged.
func Prove(suffix, value []byte) error {
	_, _, err := open(suffix, value)
	return err
}

// Seal returns the checksum that stands in a record, whether it fits or not.
func Seal(value []byte) uint32 {
	if len(value) < sumFrom {
		return 0
	}
	return binary.LittleEndian.Uint32(value[1:])
}

// open checks the envelope and returns what is in it.
func open(suffix, value []byte) (body, tasks []byte, err error) {
	if len(value) < headerLen {
		return nil, nil, damagedf("%d bytes are less than an envelope", len(value))
	}
	if value[0] != format {
		return nil, nil, damagedf("format %d is not known", value[0])
	}
	n := binary.LittleEndian.Uint32(value[sumFrom:])
	if uint64(n) > uint64(len(value)-headerLen) {
		return nil, nil, damagedf("array of %d bytes in an envelope of %d", n, len(value))
	}
	end := headerLen + int(n)
	if sum(suffix, value[sumFrom:end]) != binary.LittleEndian.Uint32(value[1:]) {
		return nil, nil, damagedf("checksum")
	}
	return value[headerLen:end], value[end:], nil
}

func sum(suffix, covered []byte) uint32 {
	return crc32.Update(crc32.Checksum(suffix, castagnoli), castagnoli, covered)
}
