package damage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// An Outcome is what became of one damaged file, from good to bad.
type Outcome string

// The outcomes. A file is counted under the last that holds.
const (
	Right   Outcome = "right"       // every answer was right, and Check found nothing
	Found   Outcome = "check only"  // every answer was right, but Check found damage
	Corrupt Outcome = "ErrCorrupt"  // some answers were ErrCorrupt, the others right
	Refused Outcome = "not opened"  // Open said ErrCorrupt or ErrFormat
	Hidden  Outcome = "hidden"      // some answers lacked jobs, and Check said so
	Silent  Outcome = "silent loss" // some answers lacked jobs, and Check said nothing
	Wrong   Outcome = "wrong data"  // an answer was neither right, nor short, nor ErrCorrupt
	Crash   Outcome = "crash"       // the process died; set by those who watch it
	Hang    Outcome = "hang"        // the process did not come to an end; likewise
)

// Outcomes lists the outcomes.
var Outcomes = []Outcome{Right, Found, Corrupt, Refused, Hidden, Silent, Wrong, Crash, Hang}

// Bad reports whether an outcome must not happen.
func (o Outcome) Bad() bool { return o == Silent || o == Wrong || o == Crash || o == Hang }

// A Verdict is an Outcome with the first answer that led to it.
type Verdict struct {
	Outcome Outcome
	Detail  string
}

// An Examiner asks stores that should hold the same jobs. It may be used by one
// goroutine at a time.
type Examiner struct {
	truth  []jobstore.Job // sorted by ID
	listed []jobstore.Job // the same without tasks
	walks  []walk
	inputs []string
}

// A walk is a filter and the jobs that match it, by their places in the truth.
type walk struct {
	query jobstore.Query
	want  []int // in ascending order whatever the query's
}

// NewExaminer returns an examiner of stores that hold jobs, which are sorted by
// ID. rng picks the inputs that it asks for.
func NewExaminer(jobs []jobstore.Job, rng *rand.Rand) *Examiner {
	e := &Examiner{truth: jobs}
	for _, j := range jobs {
		j.Tasks = nil
		e.listed = append(e.listed, j)
	}
	for _, kind := range append(jobstore.Kind.Kinds(^jobstore.Kind(0)), 0) {
		for _, status := range append(jobstore.Status.Statuses(^jobstore.Status(0)), 0) {
			e.walks = append(e.walks, e.walk(jobstore.Query{Kind: kind, Status: status}))
		}
	}
	e.inputs = []string{"https://nobody.example.com/absent.mp4"}
	for range 4 {
		e.inputs = append(e.inputs, dataset.HotInput(rng.IntN(dataset.HotInputs)))
	}
	if len(jobs) > 0 {
		for range 6 {
			e.inputs = append(e.inputs, one(rng, jobs).Input)
		}
	}
	for _, input := range e.inputs {
		e.walks = append(e.walks, e.walk(jobstore.Query{Input: input}))
	}
	return e
}

func (e *Examiner) walk(q jobstore.Query) walk {
	w := walk{query: q}
	for i := range e.truth {
		if matches(q, &e.truth[i]) {
			w.want = append(w.want, i)
		}
	}
	return w
}

func matches(q jobstore.Query, j *jobstore.Job) bool {
	return (q.Kind == 0 || q.Kind&j.Kind != 0) && (q.Status == 0 || q.Status&j.Status != 0) &&
		(q.Input == "" || q.Input == j.Input)
}

// Examine opens the file at path and asks for everything that is in it: every
// filter of single values in both orders to its end, pages of sets of values,
// which rng picks, every job by its ID, All, Count, Stats, and Check.
func (e *Examiner) Examine(path string, o jobstore.Options, rng *rand.Rand) Verdict {
	store, err := jobstore.Open(path, &o)
	if err != nil {
		if errors.Is(err, jobstore.ErrCorrupt) || errors.Is(err, jobstore.ErrFormat) {
			return Verdict{Refused, err.Error()}
		}
		return Verdict{Wrong, "open: " + err.Error()}
	}
	x := &exam{Examiner: e, store: store, rng: rng}
	x.ask()
	v := x.verdict()
	if err := store.Close(); err != nil && !errors.Is(err, jobstore.ErrCorrupt) && v.Outcome != Wrong {
		v = Verdict{Wrong, "close: " + err.Error()}
	}
	return v
}

// An exam is one store under examination.
type exam struct {
	*Examiner
	store                         *jobstore.Store
	rng                           *rand.Rand
	wrong, short, corrupt, checks string // the first of each
}

func (x *exam) verdict() Verdict {
	switch {
	case x.wrong != "":
		return Verdict{Wrong, x.wrong + "; check: " + x.checks}
	case x.short != "" && x.checks == "":
		return Verdict{Silent, x.short}
	case x.short != "":
		return Verdict{Hidden, x.short + "; check: " + x.checks}
	case x.corrupt != "" && x.checks == "":
		return Verdict{Silent, "check found nothing, but " + x.corrupt}
	case x.corrupt != "":
		return Verdict{Corrupt, x.corrupt}
	case x.checks != "":
		return Verdict{Found, x.checks}
	}
	return Verdict{Outcome: Right}
}

func note(to *string, format string, args ...any) {
	if *to == "" {
		*to = fmt.Sprintf(format, args...)
	}
}

// failed notes an error, and reports whether there was one.
func (x *exam) failed(err error, what string, args ...any) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, jobstore.ErrCorrupt):
		note(&x.corrupt, what+": %v", append(args, err)...)
	default:
		note(&x.wrong, what+": %v", append(args, err)...)
	}
	return true
}

func (x *exam) ask() {
	ctx := context.Background()
	for _, w := range x.walks {
		x.count(w)
		for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
			w.query.Order = order
			x.list(w)
		}
	}
	for range 64 {
		x.list(x.set())
	}
	for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
		w := walk{query: jobstore.Query{Order: order}, want: places(len(x.truth))}
		a := x.compare(w, "all")
		for job, err := range x.store.All(ctx, w.query) {
			if !a.next(job, err) {
				break
			}
		}
		a.end()
	}
	for i := range x.truth {
		x.get(&x.truth[i])
	}
	x.absent()
	x.stats()
	for problem, err := range x.store.Check(ctx) {
		if err != nil {
			note(&x.wrong, "check: %v", err)
			break
		}
		note(&x.checks, "%s", problem)
	}
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
	if len(x.truth) > 0 && x.rng.IntN(2) == 0 {
		after := one(x.rng, x.truth).ID
		w.query.After = after
		w.want = slices.DeleteFunc(w.want, func(i int) bool {
			return x.truth[i].ID == after || x.truth[i].ID > after == (q.Order == jobstore.Desc)
		})
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
	for {
		page, err := x.store.List(context.Background(), q)
		if err != nil {
			a.next(jobstore.Job{}, err)
			return
		}
		for _, job := range page.Jobs {
			if !a.next(job, nil) {
				return
			}
		}
		if w.query.Limit != 0 {
			a.endPage(page, q.Limit)
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
	n, err := x.store.Count(context.Background(), w.query)
	if x.failed(err, "count %s", w) {
		return
	}
	switch want := int64(len(w.want)); {
	case n == want:
	case n < want && w.query.Input != "":
		note(&x.short, "count %s: %d of %d", w, n, want)
	default:
		note(&x.wrong, "count %s: %d, not %d", w, n, want)
	}
}

func (x *exam) get(want *jobstore.Job) {
	job, err := x.store.Get(context.Background(), want.ID)
	switch {
	case errors.Is(err, jobstore.ErrNotFound):
		note(&x.short, "get %s: not found", want.ID)
	case x.failed(err, "get %s", want.ID):
	case !equal(&job, want):
		note(&x.wrong, "get %s: %v", want.ID, job)
	}
}

// absent asks for a job that is not there.
func (x *exam) absent() {
	id := jobstore.ID("job_absent")
	_, err := x.store.Get(context.Background(), id)
	if !errors.Is(err, jobstore.ErrNotFound) && !x.failed(err, "get %s", id) {
		note(&x.wrong, "get %s: found", id)
	}
}

func (x *exam) stats() {
	stats, err := x.store.Stats(context.Background())
	if x.failed(err, "stats") {
		return
	}
	byKind, byStatus := map[jobstore.Kind]int64{}, map[jobstore.Status]int64{}
	for i := range x.truth {
		byKind[x.truth[i].Kind]++
		byStatus[x.truth[i].Status]++
	}
	if stats.Jobs != int64(len(x.truth)) || fmt.Sprint(stats.ByKind, stats.ByStatus) != fmt.Sprint(byKind, byStatus) {
		note(&x.wrong, "stats: %+v", stats)
	}
}

// An answer is a run of jobs that is held against those of a walk.
type answer struct {
	*exam
	walk
	verb string
	left []int // of want, in the order of the query
	over bool  // it ended with an error, or in something wrong
}

func (x *exam) compare(w walk, verb string) *answer {
	a := &answer{exam: x, walk: w, verb: verb, left: w.want}
	if w.query.Order == jobstore.Desc {
		a.left = slices.Clone(w.want)
		slices.Reverse(a.left)
	}
	return a
}

// next takes the next job, and returns false when there is nothing more to see.
func (a *answer) next(job jobstore.Job, err error) bool {
	a.over = !a.fits(job, err)
	return !a.over
}

func (a *answer) fits(job jobstore.Job, err error) bool {
	if a.failed(err, "%s %s", a.verb, a.walk) {
		return false
	}
	for i, place := range a.left {
		if want := &a.listed[place]; want.ID == job.ID {
			if !equal(&job, want) {
				note(&a.wrong, "%s %s: %v", a.verb, a.walk, job)
				return false
			}
			if i > 0 {
				note(&a.short, "%s %s: %d jobs ahead of %s are missing", a.verb, a.walk, i, job.ID)
			}
			a.left = a.left[i+1:]
			return true
		}
	}
	note(&a.wrong, "%s %s: %s is not to come", a.verb, a.walk, job.ID)
	return false
}

func (a *answer) end() {
	if len(a.left) > 0 && !a.over {
		note(&a.short, "%s %s: the last %d jobs are missing", a.verb, a.walk, len(a.left))
	}
}

// endPage looks at the end of a page that may have jobs behind it.
func (a *answer) endPage(page jobstore.Page, limit int) {
	switch more := len(a.left) > 0; {
	case len(page.Jobs) < limit:
		a.end()
	case page.HasMore && !more:
		note(&a.wrong, "%s %s: has more, but there is nothing", a.verb, a.walk)
	case !page.HasMore && more:
		note(&a.short, "%s %s: has no more", a.verb, a.walk)
	}
}

func (w walk) String() string {
	return strings.TrimSuffix("?"+w.query.Values().Encode(), "?")
}

func places(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func equal(a, b *jobstore.Job) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Status == b.Status && a.Input == b.Input && a.Output == b.Output &&
		bytes.Equal(a.Options, b.Options) && bytes.Equal(a.Metadata, b.Metadata) &&
		bytes.Equal(a.Error, b.Error) && bytes.Equal(a.Tasks, b.Tasks) &&
		a.CreatedAt.Equal(b.CreatedAt) && a.StartedAt.Equal(b.StartedAt) &&
		a.FinishedAt.Equal(b.FinishedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
}
