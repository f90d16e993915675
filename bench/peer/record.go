package peer

import (
	"math/bits"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/internal/record"
)

// Suffix returns the part of an ID that stands in keys.
func Suffix(id jobstore.ID) string { return string(id[len(record.IDPrefix):]) }

// KindCode returns the byte that stands for a single kind on disk.
func KindCode(k jobstore.Kind) byte { return byte(bits.TrailingZeros16(uint16(k))) + 1 }

// StatusCode returns the byte that stands for a single status on disk.
func StatusCode(s jobstore.Status) byte { return byte(bits.TrailingZeros16(uint16(s))) + 1 }

// KindOf and StatusOf are the inverse of KindCode and StatusCode.
func KindOf(code byte) jobstore.Kind { return 1 << (code - 1) }

// StatusOf returns the status that StatusCode gave code for.
func StatusOf(code byte) jobstore.Status { return 1 << (code - 1) }

var emptyObject = []byte("{}")

// Encode returns the very record that the library keeps for j, for the peers
// that keep bytes.
func Encode(j *jobstore.Job) ([]byte, error) {
	r := record.Job{
		Kind: KindCode(j.Kind), Status: StatusCode(j.Status), Input: j.Input, Output: j.Output,
		Options: emptyObject, Metadata: emptyObject, Error: j.Error, Tasks: j.Tasks,
		Created: milli(j.CreatedAt), Started: milli(j.StartedAt),
		Finished: milli(j.FinishedAt), Updated: milli(j.UpdatedAt),
	}
	if j.Options != nil {
		r.Options = j.Options
	}
	if j.Metadata != nil {
		r.Metadata = j.Metadata
	}
	return record.Encode(Suffix(j.ID), &r)
}

// Decode sets j to the job of a record, tasks left out, by the library's own
// decoder and with the same conversion.
func Decode(j *jobstore.Job, suffix, value []byte) error { return decode(j, nil, suffix, value, false) }

// A Memory is what the library decodes the jobs of a page into.
type Memory struct{ pieces record.Memory }

// Expect says that a record will be decoded.
func (m *Memory) Expect(suffix, value []byte) { m.pieces.Expect(suffix, value) }

// Decode is the function Decode, into m.
func (m *Memory) Decode(j *jobstore.Job, suffix, value []byte) error {
	return decode(j, &m.pieces, suffix, value, false)
}

// DecodeWhole is Decode with the tasks.
func DecodeWhole(j *jobstore.Job, suffix, value []byte) error {
	return decode(j, nil, suffix, value, true)
}

func decode(j *jobstore.Job, m *record.Memory, suffix, value []byte, withTasks bool) error {
	var r record.Job
	id, err := record.Decode(&r, m, suffix, value, withTasks)
	if err != nil {
		return err
	}
	*j = jobstore.Job{
		ID:         jobstore.ID(id),
		Kind:       KindOf(r.Kind),
		Input:      r.Input,
		Output:     r.Output,
		Options:    r.Options,
		Metadata:   r.Metadata,
		Status:     StatusOf(r.Status),
		Error:      r.Error,
		Tasks:      r.Tasks,
		CreatedAt:  TimeOf(r.Created),
		StartedAt:  TimeOf(r.Started),
		FinishedAt: TimeOf(r.Finished),
		UpdatedAt:  TimeOf(r.Updated),
	}
	return nil
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return record.NoTime
	}
	return t.UnixMilli()
}

// TimeOf returns the time of a record's timestamp.
func TimeOf(milli int64) time.Time {
	if milli == record.NoTime {
		return time.Time{}
	}
	return time.UnixMilli(milli).UTC()
}
