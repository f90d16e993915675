package damage

import (
	"bytes"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// A truth is what a store should hold, and answer.
type truth struct {
	jobs []jobstore.Job // sorted by ID
	keys []Key
	// maybe holds jobs that a call may have deleted before it came upon damage.
	maybe map[jobstore.ID]bool
	// lossy is set when a Reindex has said that it left out damaged records.
	lossy bool

	listed []jobstore.Job // the same without tasks
	walks  []walk
	inputs []string // some, and one that no job has
}

// A walk is a filter and the jobs that match it, by their places in the truth.
type walk struct {
	query jobstore.Query
	want  []int // in ascending order whatever the query's
}

func newTruth(jobs []jobstore.Job, keys []Key) *truth {
	t := &truth{jobs: slices.Clone(jobs), keys: slices.Clone(keys), maybe: map[jobstore.ID]bool{}}
	t.settle()
	return t
}

// settle works out the answers of the jobs that there are.
func (t *truth) settle() {
	t.listed, t.walks = nil, nil
	byInput := map[string][]int{"https://nobody.example.com/absent.mp4": nil}
	for i, j := range t.jobs {
		byInput[j.Input] = append(byInput[j.Input], i)
		j.Tasks = nil
		t.listed = append(t.listed, j)
	}
	for _, kind := range append(jobstore.Kind.Kinds(^jobstore.Kind(0)), 0) {
		for _, status := range append(jobstore.Status.Statuses(^jobstore.Status(0)), 0) {
			t.walks = append(t.walks, t.walk(jobstore.Query{Kind: kind, Status: status}))
		}
	}
	t.inputs = t.inputs[:0]
	for input := range byInput {
		t.inputs = append(t.inputs, input)
	}
	slices.Sort(t.inputs)
	for _, input := range t.inputs {
		t.walks = append(t.walks, walk{jobstore.Query{Input: input}, byInput[input]})
	}
}

func (t *truth) walk(q jobstore.Query) walk {
	w := walk{query: q}
	for i := range t.jobs {
		if matches(q, &t.jobs[i]) {
			w.want = append(w.want, i)
		}
	}
	return w
}

func matches(q jobstore.Query, j *jobstore.Job) bool {
	return (q.Kind == 0 || q.Kind&j.Kind != 0) && (q.Status == 0 || q.Status&j.Status != 0) &&
		(q.Input == "" || q.Input == j.Input)
}

func (t *truth) find(id jobstore.ID) (at int, found bool) {
	return slices.BinarySearchFunc(t.jobs, id, func(j jobstore.Job, id jobstore.ID) int {
		return strings.Compare(string(j.ID), string(id))
	})
}

// put adds a job, or takes the place of the one with its ID.
func (t *truth) put(job jobstore.Job) {
	if at, found := t.find(job.ID); found {
		t.jobs[at] = job
	} else {
		t.jobs = slices.Insert(t.jobs, at, job)
	}
}

func (t *truth) remove(id jobstore.ID) {
	if at, found := t.find(id); found {
		t.jobs = slices.Delete(t.jobs, at, at+1)
	}
}

// optional reports how many jobs of a list may be missing from an answer.
func (t *truth) optional(places []int) (n int64) {
	if t.lossy {
		return int64(len(places))
	}
	for _, i := range places {
		if t.maybe[t.jobs[i].ID] {
			n++
		}
	}
	return n
}

func equal(a, b *jobstore.Job) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Status == b.Status && a.Input == b.Input && a.Output == b.Output &&
		bytes.Equal(a.Options, b.Options) && bytes.Equal(a.Metadata, b.Metadata) &&
		bytes.Equal(a.Error, b.Error) && bytes.Equal(a.Tasks, b.Tasks) &&
		a.CreatedAt.Equal(b.CreatedAt) && a.StartedAt.Equal(b.StartedAt) &&
		a.FinishedAt.Equal(b.FinishedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
}
