package jobstore

import (
	"time"

	"github.com/jobstore/jobstore/index"
	"github.com/jobstore/jobstore/internal/record"
)

// recordRest is what a later version has put into a record.
type recordRest = record.Rest

var emptyObject = []byte("{}")

// encode returns the stored form of a valid job.
func (j *Job) encode() ([]byte, error) {
	r := record.Job{
		Kind:     j.Kind.code(),
		Status:   j.Status.code(),
		Input:    j.Input,
		Output:   j.Output,
		Options:  emptyObject,
		Metadata: emptyObject,
		Created:  milli(j.CreatedAt),
		Started:  milli(j.StartedAt),
		Finished: milli(j.FinishedAt),
		Updated:  milli(j.UpdatedAt),
		Rest:     j.rest,
	}
	if !isNull(j.Options) {
		r.Options = j.Options
	}
	if !isNull(j.Metadata) {
		r.Metadata = j.Metadata
	}
	if !isNull(j.Error) {
		r.Error = j.Error
	}
	if !isNull(j.Tasks) {
		r.Tasks = j.Tasks
	}
	return record.Encode(j.ID.suffix(), &r)
}

// decode sets j to the job that is stored under the key suffix. The job shares no
// memory with suffix and value.
func (j *Job) decode(suffix, value []byte, withTasks bool) error {
	return j.decodeInto(nil, suffix, value, withTasks)
}

// decodeInto is decode that takes its memory from m, unless that is nil.
func (j *Job) decodeInto(m *record.Memory, suffix, value []byte, withTasks bool) error {
	var r record.Job
	id, err := record.Decode(&r, m, suffix, value, withTasks)
	if err != nil {
		return corruptf("job %q: %v", suffix, err)
	}
	if r.Kind > index.MaxCode || r.Status > index.MaxCode {
		return corruptf("job %q: kind %d, status %d", suffix, r.Kind, r.Status)
	}
	*j = Job{
		ID:         ID(id),
		Kind:       kindOfCode(r.Kind),
		Input:      r.Input,
		Output:     r.Output,
		Options:    r.Options,
		Metadata:   r.Metadata,
		Status:     statusOfCode(r.Status),
		Error:      r.Error,
		Tasks:      r.Tasks,
		CreatedAt:  timeOf(r.Created),
		StartedAt:  timeOf(r.Started),
		FinishedAt: timeOf(r.Finished),
		UpdatedAt:  timeOf(r.Updated),
		rest:       r.Rest,
	}
	return nil
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return record.NoTime
	}
	return t.UnixMilli()
}

func timeOf(milli int64) time.Time {
	if milli == record.NoTime {
		return time.Time{}
	}
	return time.UnixMilli(milli).UTC()
}
