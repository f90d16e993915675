package record

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/vmihailenco/msgpack/v5"
)

// Encode returns the record of job j for the key suffix, in new memory.
func Encode(suffix string, j *Job) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, headerLen, headerLen+sizeHint(j)))
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(buf)
	if err := encodeArray(enc, j); err != nil {
		return nil, err
	}
	end := buf.Len()
	buf.Write(j.Tasks)

	value := buf.Bytes()
	value[0] = format
	binary.LittleEndian.PutUint32(value[sumFrom:], uint32(end-headerLen))
	binary.LittleEndian.PutUint32(value[1:], sum([]byte(suffix), value[sumFrom:end]))
	return value, nil
}

// sizeHint returns about how long the array and the tasks of j will be, a
// little too much rather than too little.
func sizeHint(j *Job) int {
	const numbersAndHeads = 80
	rest := 0
	if j.Rest != nil {
		rest = len(j.Rest.Raw)
	}
	return rest + len(j.Input) + len(j.Output) + len(j.Options) + len(j.Metadata) +
		len(j.Error) + len(j.Tasks) + numbersAndHeads
}

func encodeArray(enc *msgpack.Encoder, j *Job) error {
	w := writer{enc: enc}
	n := fields
	if j.Rest != nil {
		n += j.Rest.N
	}
	w.do(enc.EncodeArrayLen(n))
	w.do(enc.EncodeUint(uint64(j.Kind)))
	w.do(enc.EncodeUint(uint64(j.Status)))
	w.do(enc.EncodeString(j.Input))
	w.do(enc.EncodeString(j.Output))
	w.do(enc.EncodeString(text(j.Options)))
	w.do(enc.EncodeString(text(j.Metadata)))
	if j.Error == nil {
		w.do(enc.EncodeNil())
	} else {
		w.do(enc.EncodeString(text(j.Error)))
	}
	w.time(j.Created)
	w.time(j.Started)
	w.time(j.Finished)
	w.time(j.Updated)
	if len(j.Tasks) == 0 {
		w.do(enc.EncodeNil())
	} else {
		w.do(enc.EncodeUint(uint64(crc32.Checksum(j.Tasks, castagnoli))))
	}
	if j.Rest != nil && w.err == nil {
		_, w.err = enc.Writer().Write(j.Rest.Raw)
	}
	return w.err
}

// A writer keeps the first error of a run of encoder calls.
type writer struct {
	enc *msgpack.Encoder
	err error
}

func (w *writer) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) time(milli int64) {
	if milli == NoTime {
		w.do(w.enc.EncodeNil())
		return
	}
	w.do(w.enc.EncodeInt(milli))
}
