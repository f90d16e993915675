package damage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
)

// An aim is what stands in the page that was damaged, and in the leaf behind or
// ahead of it: chance alone would seldom have a write come by.
type aim struct {
	ids, beside []jobstore.ID
	keys        []string
}

func (s *Sample) aim(f *File, page int) (a aim) {
	if page < 0 {
		return a
	}
	p := &f.Pages[page]
	a.ids = s.idsIn(p.bytes(f.Data))
	for _, k := range s.Keys {
		if bytes.Contains(p.bytes(f.Data), []byte(k.Key)) {
			a.keys = append(a.keys, k.Key)
		}
	}
	beside := p.next
	if beside < 0 || len(a.ids)%2 == 1 && p.prev >= 0 {
		beside = p.prev
	}
	if beside >= 0 {
		a.beside = s.idsIn(f.Pages[beside].bytes(f.Data))
	}
	return a
}

func (s *Sample) idsIn(b []byte) (ids []jobstore.ID) {
	for i := range s.Jobs {
		if id := s.Jobs[i].ID; bytes.Contains(b, []byte(strings.TrimPrefix(string(id), "job_"))) {
			ids = append(ids, id)
		}
	}
	return ids
}

// target picks a job that is there, half of the time one that the aim names.
func (x *exam) target(a *aim) jobstore.Job {
	if len(a.ids) > 0 && x.rng.IntN(2) == 0 {
		if at, found := x.find(one(x.rng, a.ids)); found {
			return x.jobs[at]
		}
	}
	return one(x.rng, x.jobs)
}

func (x *exam) key(a *aim) *Key {
	if len(a.keys) > 0 && x.rng.IntN(2) == 0 {
		name := one(x.rng, a.keys)
		return &x.keys[slices.IndexFunc(x.keys, func(k Key) bool { return k.Key == name })]
	}
	return &x.keys[x.rng.IntN(len(x.keys))]
}

// done reports whether a write was carried out. One that says ErrCorrupt must
// have changed nothing, which the questions that follow find out.
func (x *exam) done(err error, what string, args ...any) bool {
	return !x.failed(err, what, args...)
}

// write changes the store in every way, in an order that rng picks, and keeps
// the truth up with it.
func (x *exam) write(a aim, reindex bool) {
	ops := []func(){
		func() { x.update(x.target(&a)) },
		func() { x.update(x.target(&a)) },
		func() { x.replace(x.target(&a)) },
		func() { x.replace(x.target(&a)) },
		func() { x.putBehind(x.target(&a)) },
		func() { x.delete(x.target(&a).ID) },
		func() { x.delete(x.run(&a)...) },
		func() { x.delete(x.run(&a)...) },
		func() { x.create(1, x.target(&a)) },
		func() { x.create(6, x.target(&a)) },
		func() { x.newKey("") },
		func() { x.newKey(x.key(&a).Key[:5]) },
		func() { x.newKey(x.key(&a).Key + "+") },
		func() { x.again(x.key(&a)) },
		func() { x.prune() },
		func() { x.backup() },
	}
	x.rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	if reindex {
		ops = append(ops, x.reindex)
	}
	for _, op := range ops {
		if len(x.jobs) > 0 {
			op()
		}
	}
	x.settle()
}

func (x *exam) update(old jobstore.Job) {
	status := one(x.rng, jobstore.Status.Statuses(^jobstore.Status(0)))
	job, err := x.store.Update(ctx, old.ID, func(j *jobstore.Job) error {
		if x.worst == "" && !x.maybe[old.ID] && !equal(j, &old) {
			x.bad(Wrong, "update %s: was given %v", old.ID, j)
		}
		j.Status = status
		return nil
	})
	if x.maybe[old.ID] && errors.Is(err, jobstore.ErrNotFound) {
		return
	}
	if x.done(err, "update %s", old.ID) {
		x.put(job)
	}
}

// replace puts a job in place of one, half of the time one that is much larger.
func (x *exam) replace(job jobstore.Job) {
	job.Output = "s3://bucket/written-anew"
	job.Status = one(x.rng, jobstore.Status.Statuses(^jobstore.Status(0)))
	job.Input = one(x.rng, x.inputs)
	if x.rng.IntN(2) == 0 {
		job.Tasks = fmt.Appendf(nil, `["%s"]`, strings.Repeat("written ", 100+x.rng.IntN(1200)))
	}
	if x.done(x.store.Put(ctx, &job), "put %s", job.ID) {
		delete(x.maybe, job.ID)
		x.put(job)
	}
}

// putBehind puts a new job right behind one that is there.
func (x *exam) putBehind(job jobstore.Job) {
	if len(job.ID) > 60 {
		return
	}
	job.ID += "0"
	if _, found := x.find(job.ID); found {
		return
	}
	if x.done(x.store.Put(ctx, &job), "put the new %s", job.ID) {
		x.put(job)
	}
}

// run returns the jobs of the page beside the damage but for one, so that bbolt
// merges the two, or some jobs in a row.
func (x *exam) run(a *aim) (ids []jobstore.ID) {
	if len(a.beside) > 1 && x.rng.IntN(2) == 0 {
		ids = slices.Clone(a.beside[1:])
	} else {
		at, _ := x.find(x.target(a).ID)
		for i := max(0, at-4); i < min(len(x.jobs), at+6); i++ {
			ids = append(ids, x.jobs[i].ID)
		}
	}
	return slices.DeleteFunc(ids, func(id jobstore.ID) bool {
		_, found := x.find(id)
		return !found || x.maybe[id]
	})
}

func (x *exam) delete(ids ...jobstore.ID) {
	if len(ids) == 0 || x.maybe[ids[0]] {
		return
	}
	n, err := x.store.Delete(ctx, ids...)
	if !x.done(err, "delete %d jobs from %s on", len(ids), ids[0]) {
		return
	}
	if n != len(ids) {
		x.bad(Lost, "delete %d jobs from %s on: deleted %d", len(ids), ids[0], n)
	}
	for _, id := range ids {
		x.remove(id)
	}
}

func (x *exam) create(n int, like jobstore.Job) {
	var jobs []*jobstore.Job
	for range n {
		job := &jobstore.Job{Kind: like.Kind, Input: like.Input, Options: like.Options, Metadata: like.Metadata}
		if n > 1 && x.rng.IntN(2) == 0 {
			job.Input = fmt.Sprintf("https://example.com/%x.mp4", x.rng.Uint64())
		}
		jobs = append(jobs, job)
	}
	if x.done(x.store.Create(ctx, jobs...), "create %d", n) {
		for _, job := range jobs {
			if _, found := x.find(job.ID); found {
				x.bad(Wrong, "create: %s is there already", job.ID)
			}
			x.put(*job)
		}
	}
}

// newKey makes a job with a key that was not used before.
func (x *exam) newKey(prefix string) {
	key := Key{Key: fmt.Sprintf("%.200s%x", prefix, x.rng.Uint64())}
	key.Draft = jobstore.Job{Kind: jobstore.KindAudio, Input: one(x.rng, x.inputs), Options: []byte(`{}`), Metadata: []byte(`{}`)}
	job := key.Draft
	created, err := x.store.CreateOnce(ctx, key.Key, &job)
	if !x.done(err, "new key %.20s", key.Key) {
		return
	}
	if !created {
		x.bad(Wrong, "new key %.20s: gave %s", key.Key, job.ID)
		return
	}
	key.ID = job.ID
	x.put(job)
	x.keys = append(x.keys, key)
}

// again repeats a request. If the key has expired, this makes a job.
func (x *exam) again(key *Key) {
	if !key.Old {
		x.once(key)
		return
	}
	job := key.Draft
	created, err := x.store.CreateOnce(ctx, key.Key, &job)
	if !x.done(err, "expired key %.20s", key.Key) {
		return
	}
	if !created {
		x.bad(Wrong, "expired key %.20s: gave %s", key.Key, job.ID)
		return
	}
	key.ID, key.Old = job.ID, false
	x.put(job)
}

// prune deletes some of the oldest jobs. Cut short by damage, it may have deleted
// any of them, and says how many.
func (x *exam) prune() {
	before := x.jobs[min(len(x.jobs)-1, 4+x.rng.IntN(20))].CreatedAt
	if before.IsZero() {
		return
	}
	var old []jobstore.ID
	sure := 0
	for i := range x.jobs {
		j := &x.jobs[i]
		if j.Status.Final() && !j.CreatedAt.IsZero() && j.CreatedAt.UnixMilli() < before.UnixMilli() {
			if old = append(old, j.ID); !x.maybe[j.ID] {
				sure++
			}
		}
	}
	n, err := x.store.Prune(ctx, jobstore.PruneOptions{Before: before})
	if x.done(err, "prune %d", len(old)) {
		if n < int64(sure) && !x.lossy || n > int64(len(old)) {
			x.bad(Wrong, "prune %d: deleted %d", len(old), n)
		}
		for _, id := range old {
			if x.lossy {
				x.maybe[id] = true
			} else {
				x.remove(id)
			}
		}
		return
	}
	gone := int64(0)
	for _, id := range old {
		switch _, err := x.store.Get(ctx, id); {
		case errors.Is(err, jobstore.ErrNotFound):
			gone++
			x.remove(id)
		case err != nil:
			x.maybe[id] = true
		}
	}
	if gone > n && !x.lossy && len(x.maybe) == 0 {
		x.bad(Lost, "prune %d: says that it deleted %d, but %d are gone", len(old), n, gone)
	}
}

func (x *exam) backup() {
	_, err := x.store.Backup(ctx, io.Discard)
	x.failed(err, "backup")
}

func (x *exam) reindex() {
	report, err := x.store.Reindex(ctx, jobstore.ReindexOptions{})
	if x.failed(err, "reindex") {
		return
	}
	if report.Damaged > 0 {
		x.lossy = true
		x.corrupt += fmt.Sprintf("; reindex: %d damaged", report.Damaged)
		return
	}
	want := int64(len(x.jobs))
	if report.Jobs > want || report.Jobs < want-int64(len(x.maybe)) {
		x.bad(Wrong, "reindex: %d jobs, not %d", report.Jobs, want)
	}
}
