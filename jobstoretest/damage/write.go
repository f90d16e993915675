package damage

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// ExamineWrites opens the file at path, changes some jobs in every way, closes
// it, and then examines it as Examine does, against the jobs as they should be
// by now. A write that was refused must have changed nothing.
func (e *Examiner) ExamineWrites(path string, o jobstore.Options, rng *rand.Rand) Verdict {
	store, err := jobstore.Open(path, &o)
	if err != nil {
		return e.Examine(path, o, rng)
	}
	w := &writes{store: store, rng: rng, jobs: slices.Clone(e.truth)}
	w.run()
	err = store.Close()
	switch {
	case w.wrong != "":
		return Verdict{Wrong, w.wrong}
	case err != nil && !errors.Is(err, jobstore.ErrCorrupt):
		return Verdict{Wrong, "close: " + err.Error()}
	}
	after := NewExaminer(w.jobs, rng)
	after.inputs = e.inputs
	v := after.Examine(path, o, rng)
	if v.Detail != "" && w.refused != "" {
		v.Detail += "; write: " + w.refused
	}
	if v.Outcome == Right && w.refused != "" {
		v = Verdict{Corrupt, w.refused}
	}
	return v
}

type writes struct {
	store          *jobstore.Store
	rng            *rand.Rand
	jobs           []jobstore.Job // as they should be, sorted by ID
	wrong, refused string
}

func (w *writes) run() {
	ctx := context.Background()
	for i := range 12 {
		at := w.rng.IntN(len(w.jobs))
		old := w.jobs[at]
		switch i % 4 {
		case 0:
			status := one(w.rng, jobstore.Status.Statuses(^jobstore.Status(0)))
			job, err := w.store.Update(ctx, old.ID, func(j *jobstore.Job) error {
				j.Status = status
				return nil
			})
			if w.done(err, "update %s", old.ID) {
				w.jobs[at] = job
			}
		case 1:
			n, err := w.store.Delete(ctx, old.ID)
			if w.done(err, "delete %s", old.ID) && n == 1 {
				w.jobs = slices.Delete(w.jobs, at, at+1)
			}
		case 2:
			job := jobstore.Job{Kind: old.Kind, Input: old.Input, Metadata: old.Metadata}
			if w.done(w.store.Create(ctx, &job), "create") {
				job.Options = []byte("{}")
				w.insert(job)
			}
		case 3:
			job := old
			job.Output = "s3://bucket/written-anew"
			job.Status = one(w.rng, jobstore.Status.Statuses(^jobstore.Status(0)))
			if w.done(w.store.Put(ctx, &job), "put %s", old.ID) {
				w.jobs[at] = job
			}
		}
	}
}

func (w *writes) insert(job jobstore.Job) {
	at, _ := slices.BinarySearchFunc(w.jobs, job.ID, func(j jobstore.Job, id jobstore.ID) int {
		return strings.Compare(string(j.ID), string(id))
	})
	w.jobs = slices.Insert(w.jobs, at, job)
}

func (w *writes) done(err error, what string, args ...any) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, jobstore.ErrCorrupt), errors.Is(err, jobstore.ErrNotFound):
		note(&w.refused, what+": %v", append(args, err)...)
	default:
		note(&w.wrong, what+": %v", append(args, err)...)
	}
	return false
}
