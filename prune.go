package jobstore

import (
	"context"
	"errors"
	"time"

	"github.com/jobstore/jobstore/index"
)

// PruneOptions say what [Store.Prune] deletes: jobs that meet all of them.
type PruneOptions struct {
	// Before is the time that the jobs were created before. The age of a job is
	// that of CreatedAt, and where that is missing, of a minted ID: a minted ID may
	// be of a later time, as it is greater than all before it even when the clock
	// was set back. It must be set.
	Before time.Time

	// Status is any of these statuses. Zero is every final one: jobs that are
	// queued or processing are deleted only if that is asked for.
	Status Status

	Kind Kind // any of these kinds; zero is any

	// DryRun counts the jobs and deletes none.
	DryRun bool

	// Progress is told of the one stage "prune", in index entries looked at. Nil
	// tells nobody.
	Progress Progress
}

// Bounds of a Prune: the jobs that one of its transactions deletes, and the index
// entries that it looks at in one snapshot.
const (
	pruneChunk = 200
	pruneScan  = 5000
)

// Prune deletes old jobs, the oldest first, and returns how many. A job that no
// longer meets o when its turn comes is left alone.
//
// It deletes up to 200 jobs in a transaction, between which other writers take
// their turns. What it has deleted stays deleted when it is cut short.
//
// It works in a store that has reached [Options.MaxSize], and on a full disk. A
// deletion needs free pages too, as pages are never changed in place: about 20 for a
// lone job. So a write that is no deletion fails with [ErrFull] when it would leave
// fewer than 64 free pages in a file of 1 MiB or more. With a MaxSize, the 64 pages are
// an eighth of it if that is less, and the 1 MiB is a quarter of it if that is less. In
// a store that ever had jobs of more than a quarter of a page, such a write also has to
// leave a run of free pages eight times as long as the largest of them, or twice as long
// as all that is stored, if that is less.
//
// When a transaction of many jobs does not fit, Prune goes on with one job at a time
// and then with more, as pages become free. A [Store.Backup] that is under way keeps
// pages from becoming free. The file does not shrink; [Compact] does that.
//
// It fails with a [FieldError] for bad options, ErrFull, [ErrReadOnly], [ErrClosed],
// [ErrCommitUnknown], the error of ctx, or [ErrCorrupt]; jobs that cannot be read are
// passed over, and told of in the error at the end.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (deleted int64, err error) {
	if s == nil || s.file == nil {
		return 0, ErrClosed
	}
	if o.Before.IsZero() {
		return 0, fieldError("before", "", "is missing")
	}
	if o.Status == 0 {
		o.Status = finalStatuses
	}
	p := pruner{store: s, ctx: ctx, options: o, chunk: pruneChunk}
	p.query = Query{Kind: o.Kind, Status: o.Status, Order: Asc}
	if err := p.query.Validate(); err != nil {
		return 0, err
	}
	if !o.DryRun && s.writer == nil {
		return 0, ErrReadOnly
	}
	err = p.run()
	return p.deleted, err
}

// A pruner is one run of Prune.
type pruner struct {
	store   *Store
	ctx     context.Context
	options PruneOptions
	query   Query // what it looks at; After is how far it has come
	chunk   int   // how many jobs to delete in the next transaction

	deleted, damaged int64
	done, total      int64
}

func (p *pruner) run() error {
	for more := true; more; {
		var found []ID
		var err error
		if found, more, err = p.find(); err != nil {
			return err
		}
		if p.options.DryRun {
			p.deleted += int64(len(found))
		} else if err := p.deleteAll(found); err != nil {
			return err
		}
		p.options.Progress.report("prune", p.done, p.total)
	}
	if p.damaged > 0 {
		return corruptf("%d jobs cannot be read and were not deleted", p.damaged)
	}
	return nil
}

// find returns the next jobs to delete, and whether there may be more.
func (p *pruner) find() (found []ID, more bool, err error) {
	damaged := p.damaged
	err = p.store.view(p.ctx, func(t index.View) error {
		counts, err := t.Counts()
		if err != nil {
			return err
		}
		var a access
		a.choose(counts, &p.query)
		if p.total = a.matches; a.name == "" {
			return nil
		}
		jobs, err := t.Bucket(index.Jobs)
		if err != nil {
			return err
		}
		var scan index.Scan
		if err := a.open(&scan, t, index.Hash{}, p.query.bounds()); err != nil {
			return err
		}
		for range pruneScan {
			hit, ok := scan.Next()
			if !ok {
				more = false
				return nil
			}
			more = true
			p.done++
			p.query.After = ID(idPrefix + string(hit.ID))
			var job Job
			if err := job.decode(hit.ID, jobs.Get(hit.ID), false); err != nil {
				damaged++
				continue
			}
			if p.isOld(&job) {
				found = append(found, p.query.After)
			}
		}
		return nil
	})
	p.damaged = damaged
	return found, more, err
}

// isOld compares what a store keeps of times, milliseconds.
func (p *pruner) isOld(job *Job) bool {
	created := job.CreatedAt
	if created.IsZero() {
		created, _ = job.ID.Time()
	}
	return !created.IsZero() && created.UnixMilli() < p.options.Before.UnixMilli()
}

// deleteAll deletes jobs, in as many transactions as it takes.
func (p *pruner) deleteAll(ids []ID) error {
	for len(ids) > 0 {
		chunk := ids[:min(p.chunk, len(ids))]
		var deleted, damaged int64
		op := &operation{jobs: len(chunk)}
		op.apply = func(g *group) (err error) {
			deleted, damaged, err = p.apply(g, chunk)
			return err
		}
		submit := p.store.submit
		if len(chunk) == 1 {
			submit = p.store.submitDeletion
		}
		err := submit(p.ctx, op)
		if errors.Is(err, ErrFull) && len(chunk) > 1 {
			p.chunk = 1
			continue
		}
		if err != nil {
			return err
		}
		p.deleted += deleted
		p.damaged += damaged
		p.chunk = min(2*p.chunk, pruneChunk)
		ids = ids[len(chunk):]
	}
	return nil
}

// apply deletes those jobs that still are what was looked for.
func (p *pruner) apply(g *group, ids []ID) (deleted, damaged int64, err error) {
	var old []*storedJob
	for _, id := range ids {
		value := g.stored(id)
		if value == nil {
			continue
		}
		var job Job
		if err := job.decode([]byte(id.suffix()), value, false); err != nil {
			damaged++
			continue
		}
		if p.query.admits(&job) && p.isOld(&job) {
			old = append(old, &storedJob{g.store.entryOf(&job), value})
		}
	}
	for _, job := range old {
		if err := g.delete(job); err != nil {
			return 0, 0, err
		}
	}
	return int64(len(old)), damaged, nil
}
