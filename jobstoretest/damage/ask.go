package damage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/jobstore/jobstore"
)

// An exam is one store under examination.
type exam struct {
	*truth
	store *jobstore.Store
	rng   *rand.Rand

	outcome, worst  Outcome
	refused         string // why it was not opened
	detail          string // of the worst
	corrupt, checks string // the first of each since ask began
	stage           string
}

// bad notes an answer that must not be given. The first of them counts.
func (x *exam) bad(o Outcome, format string, args ...any) {
	if x.worst == "" {
		x.worst, x.detail = o, x.stage+": "+fmt.Sprintf(format, args...)
	}
}

// failed notes an error. Only damage is one that a call may report.
func (x *exam) failed(err error, what string, args ...any) bool {
	switch {
	case err == nil:
		return false
	case !errors.Is(err, jobstore.ErrCorrupt):
		x.bad(Wrong, what+": %v", append(args, err)...)
	case x.corrupt == "":
		x.corrupt = x.stage + ": " + fmt.Sprintf(what+": %v", append(args, err)...)
	}
	return true
}

// ask asks for everything that is in the store: every filter of single values
// in both orders to its end, every input, pages of sets of values, which rng
// picks, every job by its ID, All, Count, Stats, and Check. With keys, it also asks
// for the idempotency keys, which takes a store that can be written to; without, it
// leaves out half of the walks.
//
// It asks in an order that rng picks: a page that one question has come by is no
// longer one that is read for the first time.
func (x *exam) ask(keys bool) {
	before := x.corrupt
	x.corrupt = ""
	questions := []func(){
		func() { x.filters(keys) }, x.sets, x.everything, x.gets, x.stats, func() { x.check() },
	}
	if keys {
		questions = append(questions, x.onces)
	}
	x.rng.Shuffle(len(questions), func(i, j int) { questions[i], questions[j] = questions[j], questions[i] })
	for _, q := range questions {
		q()
	}
	if x.corrupt != "" && !x.check() {
		x.bad(Blind, "Check found nothing, but %s", x.corrupt)
	}
	if before != "" {
		x.corrupt = before
	}
}

func (x *exam) filters(bothWays bool) {
	for _, w := range x.walks {
		x.count(w)
		for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
			if bothWays || x.rng.IntN(2) == 0 {
				w.query.Order = order
				x.list(w)
			}
		}
	}
}

func (x *exam) sets() {
	for range 24 {
		w := x.set()
		if w.query.After == "" && w.query.Before == "" {
			x.count(w)
		}
		x.list(w)
	}
}

func (x *exam) everything() {
	for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
		w := walk{query: jobstore.Query{Order: order}, want: places(len(x.jobs))}
		a := x.compare(w, "all")
		for job, err := range x.store.All(ctx, w.query) {
			if !a.next(&job, err) {
				break
			}
		}
		a.end()
	}
}

func (x *exam) gets() {
	for i := range x.jobs {
		x.get(&x.jobs[i])
	}
	x.absent()
}

func (x *exam) onces() {
	for i := range x.keys {
		if !x.keys[i].Old {
			x.once(&x.keys[i])
		}
	}
}

// check runs Check, and reports whether it found something.
func (x *exam) check() (found bool) {
	for problem, err := range x.store.Check(ctx) {
		if err != nil {
			if found = true; !errors.Is(err, jobstore.ErrCorrupt) {
				x.bad(Wrong, "check: %v", err)
			}
			break
		}
		if found = true; x.checks == "" {
			x.checks = x.stage + ": " + problem.String()
		}
	}
	return found
}

// set returns a page of a filter on sets of kinds and statuses, from anywhere.
func (x *exam) set() walk {
	q := jobstore.Query{
		Kind:   jobstore.Kind(x.rng.IntN(32)),
		Status: jobstore.Status(x.rng.IntN(32)),
		Order:  jobstore.Order(x.rng.IntN(2)),
		Limit:  1 + x.rng.IntN(40),
	}
	if x.rng.IntN(4) == 0 {
		q.Input = one(x.rng, x.inputs)
	}
	w := x.walk(q)
	if len(x.jobs) == 0 {
		return w
	}
	cursor := one(x.rng, x.jobs).ID
	switch x.rng.IntN(3) {
	case 0:
		w.query.After = cursor
		w.want = slices.DeleteFunc(w.want, func(i int) bool {
			return x.jobs[i].ID == cursor || x.jobs[i].ID > cursor == (q.Order == jobstore.Desc)
		})
	case 1:
		w.query.Before = cursor
		w.want = slices.DeleteFunc(w.want, func(i int) bool {
			return x.jobs[i].ID == cursor || x.jobs[i].ID < cursor == (q.Order == jobstore.Desc)
		})
		if more := len(w.want) - q.Limit; more > 0 && x.optional(w.want) == 0 { // those closest to the cursor
			if q.Order == jobstore.Desc {
				w.want = w.want[:q.Limit]
			} else {
				w.want = w.want[more:]
			}
		}
	}
	return w
}

// list compares the pages of a filter: all of them, or with a limit the first.
func (x *exam) list(w walk) {
	q := w.query
	if q.Limit == 0 {
		q.Limit = jobstore.MaxLimit
	}
	a := x.compare(w, "list")
	a.anywhere = w.query.Before != "" && w.query.Limit != 0 && x.optional(w.want) > 0
	for {
		page, err := x.store.List(ctx, q)
		if err != nil {
			a.next(nil, err)
			return
		}
		for i := range page.Jobs {
			if !a.next(&page.Jobs[i], nil) {
				return
			}
		}
		if w.query.Limit != 0 {
			if w.query.Before == "" {
				a.endPage(page, q.Limit)
			} else if x.optional(w.want) == 0 {
				a.end()
			} else if least := min(q.Limit, len(w.want)-int(x.optional(w.want))); len(page.Jobs) < least {
				x.bad(Short, "list %s: %d jobs, not %d", w, len(page.Jobs), least)
			}
			return
		}
		next, more := page.Next(q)
		if !more {
			a.end()
			return
		}
		q = next
	}
}

func (x *exam) count(w walk) {
	n, err := x.store.Count(ctx, w.query)
	if x.failed(err, "count %s", w) {
		return
	}
	want := int64(len(w.want))
	if least := want - x.optional(w.want); n < least || n > want {
		o := Wrong
		if n < least {
			o = Short
		}
		x.bad(o, "count %s: %d, not %d", w, n, want)
	}
}

func (x *exam) get(want *jobstore.Job) {
	job, err := x.store.Get(ctx, want.ID)
	switch {
	case errors.Is(err, jobstore.ErrNotFound):
		if !x.maybe[want.ID] {
			x.bad(Lost, "get %s: not found", want.ID)
		}
	case x.failed(err, "get %s", want.ID):
	case !equal(&job, want):
		x.bad(Wrong, "get %s: %v", want.ID, job)
	}
}

// absent asks for a job that is not there.
func (x *exam) absent() {
	id := jobstore.ID("job_absent")
	_, err := x.store.Get(ctx, id)
	if !errors.Is(err, jobstore.ErrNotFound) && !x.failed(err, "get %s", id) {
		x.bad(Wrong, "get %s: found", id)
	}
}

func (x *exam) stats() {
	stats, err := x.store.Stats(ctx)
	if x.failed(err, "stats") || x.lossy || len(x.maybe) > 0 {
		return
	}
	byKind, byStatus := map[jobstore.Kind]int64{}, map[jobstore.Status]int64{}
	for i := range x.jobs {
		byKind[x.jobs[i].Kind]++
		byStatus[x.jobs[i].Status]++
	}
	if stats.Jobs != int64(len(x.jobs)) || fmt.Sprint(stats.ByKind, stats.ByStatus) != fmt.Sprint(byKind, byStatus) {
		x.bad(Wrong, "stats: %+v", stats)
	}
}

// once repeats a request that was made, which must give the job that it made.
func (x *exam) once(key *Key) {
	job := key.Draft
	created, err := x.store.CreateOnce(ctx, key.Key, &job)
	at, there := x.find(key.ID)
	switch {
	case errors.Is(err, jobstore.ErrNotFound):
		if there && !x.maybe[key.ID] {
			x.bad(Lost, "key %.20s of %s: %v", key.Key, key.ID, err)
		}
	case x.failed(err, "key %.20s of %s", key.Key, key.ID):
	case created:
		x.bad(Doubled, "key %.20s of %s: made %s", key.Key, key.ID, job.ID)
		x.put(job)
		x.settle()
	case !there:
		x.bad(Wrong, "key %.20s: gave %s, which was deleted", key.Key, job.ID)
	case !equal(&job, &x.jobs[at]):
		x.bad(Wrong, "key %.20s of %s: %v", key.Key, key.ID, job)
	}
}
