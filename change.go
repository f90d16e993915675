package jobstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jobstore/jobstore/index"
)

// Create adds jobs in one transaction, all or none. A job without an ID gets a
// minted one, greater than every ID minted before, so that jobs are listed in
// the order in which they were committed. A job without a status is queued.
// UpdatedAt is set to the clock. So is CreatedAt if it is zero, and StartedAt and
// FinishedAt if they are zero and the status says that the job has started or
// ended. What was set is filled into jobs once they are committed; until then, and
// after an error, they are untouched.
//
// A migration gives CreatedAt, and an ID that [NewID] makes of it, so that its jobs
// stand among the others by their age. With [Options.MintedOnly] no ID can be given.
//
// A call costs two syncs of the disk, which calls at the same time share. Its
// transaction is in memory as a whole: give a load of many jobs in calls of about
// 1,000.
//
// It fails with [ErrExists] when an ID is taken, a [FieldError] for a job that cannot
// be stored, [ErrFull], [ErrReadOnly], [ErrClosed], [ErrCorrupt], [ErrCommitUnknown],
// or the error of ctx.
func (s *Store) Create(ctx context.Context, jobs ...*Job) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	made := make([]Job, len(jobs))
	op := &operation{jobs: len(jobs), timed: true}
	for i, j := range jobs {
		var err error
		if made[i], err = j.Draft(s.options.MintedOnly); err != nil {
			return inJob(jobs, i, err)
		}
		op.bytes += made[i].size()
	}
	if len(jobs) == 0 {
		return nil
	}
	var created []Job
	op.apply = func(g *group) error {
		created = slices.Clone(made)
		return g.create(created)
	}
	if err := s.submit(ctx, op); err != nil {
		return err
	}
	for i, j := range jobs {
		c := &created[i]
		j.ID, j.Status = c.ID, c.Status
		j.CreatedAt, j.UpdatedAt, j.StartedAt, j.FinishedAt = c.CreatedAt, c.UpdatedAt, c.StartedAt, c.FinishedAt
	}
	return nil
}

func (g *group) create(jobs []Job) error {
	if err := ValidateClock(g.now); err != nil {
		return err
	}
	var given map[ID]bool
	for i := range jobs {
		id := jobs[i].ID
		if id == "" {
			continue
		}
		if given[id] || g.stored(id) != nil {
			return fmt.Errorf("%w: %s", ErrExists, id)
		}
		if given == nil {
			given = map[ID]bool{}
		}
		given[id] = true
	}
	values := make([][]byte, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		if j.ID == "" {
			j.ID = g.mint()
		}
		j.StampCreated(g.now)
		var err error
		if values[i], err = j.encode(); err != nil {
			return err
		}
	}
	for i := range jobs {
		if err := g.put(g.store.entryOf(&jobs[i]), values[i], nil); err != nil {
			return err
		}
	}
	return nil
}

// Put inserts jobs exactly as they are given, or puts them in the place of those that
// have their IDs, in one transaction, all or none: it is for imports and mirrors. Of
// several jobs with one ID the last one counts. Nothing is stamped, and the jobs
// themselves are not touched. With [Options.MintedOnly], Put only replaces jobs.
//
// It costs what [Store.Create] costs.
//
// It fails with a [FieldError] for a job that cannot be stored, [ErrFull],
// [ErrReadOnly], [ErrClosed], [ErrCorrupt], [ErrCommitUnknown], or the error of ctx.
func (s *Store) Put(ctx context.Context, jobs ...*Job) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	puts := make([]put, 0, len(jobs))
	op := &operation{jobs: len(jobs)}
	for i, j := range jobs {
		p, err := s.preparePut(j)
		if err != nil {
			return inJob(jobs, i, err)
		}
		puts = append(puts, p)
		op.bytes += len(p.value)
	}
	if len(jobs) == 0 {
		return nil
	}
	// In the order of the keys, as pages are then filled one after the other.
	slices.SortStableFunc(puts, func(a, b put) int { return cmp.Compare(a.entry.ID, b.entry.ID) })
	last := puts[:0]
	for i, p := range puts {
		if i+1 == len(puts) || puts[i+1].entry.ID != p.entry.ID {
			last = append(last, p)
		}
	}
	op.apply = func(g *group) error { return g.replace(last) }
	return s.submit(ctx, op)
}

// A put is a job on its way into the store, made ready by its caller so that the
// writer has less to do.
type put struct {
	id    ID
	entry index.Entry
	value []byte
	old   *storedJob // what it replaces, looked up by the writer
}

func (s *Store) preparePut(j *Job) (put, error) {
	if j == nil {
		return put{}, fieldError("job", "", "is nil")
	}
	if err := j.Validate(); err != nil {
		return put{}, err
	}
	value, err := j.encode()
	return put{id: j.ID, entry: *s.entryOf(j), value: value}, err
}

func (g *group) replace(puts []put) error {
	for i := range puts {
		var err error
		if puts[i].old, err = g.find(puts[i].id); err != nil {
			return err
		}
		if puts[i].old == nil && g.store.options.MintedOnly {
			return errGivenID(puts[i].id)
		}
	}
	for i := range puts {
		if err := g.put(&puts[i].entry, puts[i].value, puts[i].old); err != nil {
			return err
		}
	}
	return nil
}

// Update changes the job with the given ID by fn and returns what was stored.
// It sets UpdatedAt to the clock, StartedAt when the job is processing and
// FinishedAt when its status is final, where these are still zero. ID and
// CreatedAt cannot change.
//
// fn gets the whole job, its tasks included. It runs on the caller's goroutine
// while no lock is held and no transaction is open. When somebody else changed
// the job meanwhile, fn is called again with the job as it then is, so it should
// do nothing but change the job it is given. An error of fn ends Update, so that fn
// can demand a state of the job before it changes anything.
//
// It costs what [Store.Create] costs, and a read of the job for every call of fn.
//
// Update fails with the error of fn, with [ErrNotFound], a [FieldError] for a job that
// cannot be stored, [ErrFull], [ErrReadOnly], [ErrClosed], [ErrCorrupt],
// [ErrCommitUnknown], or the error of ctx. After an error nothing has changed.
func (s *Store) Update(ctx context.Context, id ID, fn func(*Job) error) (Job, error) {
	if err := s.ready(ctx); err != nil {
		return Job{}, err
	}
	if fn == nil {
		return Job{}, fieldError("fn", "", "is nil")
	}
	for {
		job, err := s.tryUpdate(ctx, id, fn)
		if !errors.Is(err, errChanged) {
			return job, err
		}
	}
}

// errChanged is the outcome of an update whose job somebody else has changed.
var errChanged = errors.New("job was changed meanwhile")

func (s *Store) tryUpdate(ctx context.Context, id ID, fn func(*Job) error) (Job, error) {
	before, stored, err := s.get(ctx, id)
	if err != nil {
		return Job{}, err
	}
	oldEntry := s.entryOf(&before)
	job := before
	if err := fn(&job); err != nil {
		return Job{}, err
	}
	job.rest = before.rest // even if fn has put another job in its place
	switch {
	case job.ID != before.ID:
		return Job{}, fieldError("id", string(job.ID), "cannot be changed")
	case !job.CreatedAt.Equal(before.CreatedAt):
		return Job{}, fieldError("created_at", job.CreatedAt.String(), "cannot be changed")
	}
	if err := job.validate(); err != nil {
		return Job{}, err
	}
	next := s.entryOf(&job)
	var updated Job
	op := &operation{jobs: 1, bytes: job.size(), timed: true}
	op.apply = func(g *group) error {
		now := g.stored(id)
		if now == nil {
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		if !bytes.Equal(now, stored) {
			return errChanged
		}
		if err := ValidateClock(g.now); err != nil {
			return err
		}
		updated = job
		updated.StampUpdated(g.now)
		value, err := updated.encode()
		if err != nil {
			return err
		}
		return g.put(next, value, &storedJob{oldEntry, now})
	}
	if err := s.submit(ctx, op); err != nil {
		return Job{}, err
	}
	return updated, nil
}

// Delete removes the jobs with the given IDs in one transaction and returns how
// many there were; IDs that no job has are passed over. In a file that has no room
// for that transaction it takes several: it then returns how many jobs they deleted
// even after an error. Memory and syncs are as those of [Store.Create].
//
// It fails with a [FieldError] for a malformed ID, [ErrFull], [ErrReadOnly],
// [ErrClosed], [ErrCorrupt], [ErrCommitUnknown], or the error of ctx.
func (s *Store) Delete(ctx context.Context, ids ...ID) (deleted int, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := id.validate("id"); err != nil {
			return 0, err
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for chunk := len(ids); len(ids) > 0; chunk = min(chunk, len(ids)) {
		var n int
		op := &operation{jobs: chunk}
		op.apply = func(g *group) (err error) {
			n, err = g.remove(ids[:chunk])
			return err
		}
		submit := s.submit
		if chunk == 1 {
			submit = s.submitDeletion
		}
		err := submit(ctx, op)
		if errors.Is(err, ErrFull) && chunk > 1 {
			chunk = 1 // and then more, as pages become free
			continue
		}
		if err != nil {
			return deleted, err
		}
		deleted += n
		ids, chunk = ids[chunk:], 2*chunk
	}
	return deleted, nil
}

func (g *group) remove(ids []ID) (int, error) {
	var found []*storedJob
	for _, id := range ids {
		job, err := g.find(id)
		if err != nil {
			return 0, err
		}
		if job != nil {
			found = append(found, job)
		}
	}
	for _, job := range found {
		if err := g.delete(job); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// entryOf returns what the index knows j by.
func (s *Store) entryOf(j *Job) *index.Entry {
	return &index.Entry{
		ID:   j.ID.suffix(),
		Pair: index.Pair{Status: j.Status.code(), Kind: j.Kind.code()},
		Hash: s.hashInput(j.Input),
	}
}

// inJob says which of several jobs an error is about.
func inJob(jobs []*Job, i int, err error) error {
	if len(jobs) == 1 {
		return err
	}
	return fmt.Errorf("job %d of %d: %w", i+1, len(jobs), err)
}
