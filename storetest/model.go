package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// A model is a store that does what the documentation says in the simplest way: its
// jobs are a slice sorted by ID. It shares no code with the library.
type model struct {
	jobs []jobstore.Job // as Get returns them, sorted by ID
}

func newModel(jobs ...*jobstore.Job) *model {
	m := &model{}
	m.put(jobs...)
	return m
}

func (m *model) find(id jobstore.ID) (int, bool) {
	return slices.BinarySearchFunc(m.jobs, id, func(j jobstore.Job, id jobstore.ID) int {
		return strings.Compare(string(j.ID), string(id))
	})
}

func (m *model) get(id jobstore.ID) (jobstore.Job, bool) {
	i, ok := m.find(id)
	if !ok {
		return jobstore.Job{}, false
	}
	return m.jobs[i], true
}

func (m *model) put(jobs ...*jobstore.Job) {
	for _, j := range jobs {
		i, ok := m.find(j.ID)
		if !ok {
			m.jobs = slices.Insert(m.jobs, i, jobstore.Job{})
		}
		m.jobs[i] = asRead(*j)
	}
}

func (m *model) delete(id jobstore.ID) bool {
	i, ok := m.find(id)
	if ok {
		m.jobs = slices.Delete(m.jobs, i, i+1)
	}
	return ok
}

// matching returns the jobs that match the filter of q, in its order and as a
// list returns them: the S of the documented semantics.
func (m *model) matching(q jobstore.Query) []jobstore.Job {
	var s []jobstore.Job
	for _, j := range m.jobs {
		if (q.Kind == 0 || q.Kind&j.Kind != 0) &&
			(q.Status == 0 || q.Status&j.Status != 0) &&
			(q.Input == "" || q.Input == j.Input) &&
			(q.InputSHA256 == "" || strings.EqualFold(q.InputSHA256, sumOf(j.Input))) {
			j.Tasks = nil
			s = append(s, j)
		}
	}
	if q.Order == jobstore.Desc {
		slices.Reverse(s)
	}
	return s
}

// between returns those of matching that lie strictly between the cursors.
func (m *model) between(q jobstore.Query) []jobstore.Job {
	var s []jobstore.Job
	for _, j := range m.matching(q) {
		if (q.After == "" || comesFirst(q.Order, q.After, j.ID)) &&
			(q.Before == "" || comesFirst(q.Order, j.ID, q.Before)) {
			s = append(s, j)
		}
	}
	return s
}

// page returns what List answers.
func (m *model) page(q jobstore.Query) jobstore.Page {
	limit := q.Limit
	if limit == 0 {
		limit = 20
	}
	s := m.between(q)
	backward := q.Before != "" && q.After == ""
	if backward {
		slices.Reverse(s)
	}
	n, size := 0, 0
	for ; n < min(limit, len(s)); n++ {
		j := &s[n]
		size += len(j.ID) + len(j.Input) + len(j.Output) + len(j.Options) + len(j.Metadata) + len(j.Error)
		if n > 0 && size > 16<<20 {
			break
		}
	}
	p := jobstore.Page{Jobs: s[:n], HasMore: n < len(s)}
	if backward {
		slices.Reverse(p.Jobs)
	}
	return p
}

// comesFirst reports whether a stands strictly ahead of b in a list.
func comesFirst(o jobstore.Order, a, b jobstore.ID) bool {
	if o == jobstore.Asc {
		return string(a) < string(b)
	}
	return string(a) > string(b)
}

// asRead returns j as a store gives it back.
func asRead(j jobstore.Job) jobstore.Job {
	absent := func(raw []byte) bool {
		text := strings.TrimSpace(string(raw))
		return text == "" || text == "null"
	}
	if j.Options = bytes.Clone(j.Options); absent(j.Options) {
		j.Options = []byte("{}")
	}
	if j.Metadata = bytes.Clone(j.Metadata); absent(j.Metadata) {
		j.Metadata = []byte("{}")
	}
	if j.Error = bytes.Clone(j.Error); absent(j.Error) {
		j.Error = nil
	}
	if j.Tasks = bytes.Clone(j.Tasks); absent(j.Tasks) {
		j.Tasks = nil
	}
	for _, at := range []*time.Time{&j.CreatedAt, &j.StartedAt, &j.FinishedAt, &j.UpdatedAt} {
		if !at.IsZero() {
			*at = time.UnixMilli(at.UnixMilli()).UTC()
		}
	}
	return j
}

// stamped returns j as Create and Update leave it at now.
func stamped(j jobstore.Job, now time.Time) jobstore.Job {
	j.UpdatedAt = now
	if j.Status == jobstore.StatusProcessing && j.StartedAt.IsZero() {
		j.StartedAt = now
	}
	if final(j.Status) && j.FinishedAt.IsZero() {
		j.FinishedAt = now
	}
	return j
}

func final(s jobstore.Status) bool {
	return s == jobstore.StatusSucceeded || s == jobstore.StatusFailed || s == jobstore.StatusCancelled
}

// requireJobs fails t unless got is want, job by job and in this order.
func requireJobs(t tester, want, got []jobstore.Job, what string, args ...any) {
	t.Helper()
	what = fmt.Sprintf(what, args...)
	require.Equal(t, ids(want), ids(got), what)
	for i := range want {
		require.Equal(t, want[i], got[i], what)
	}
}

func ids(jobs []jobstore.Job) []jobstore.ID {
	list := make([]jobstore.ID, len(jobs))
	for i, j := range jobs {
		list[i] = j.ID
	}
	return list
}

// describe returns q as URL parameters.
func describe(q jobstore.Query) string { return "?" + q.Values().Encode() }
