package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/jobstore/jobstore"
)

// Defaults of the Options of NewOperator, where they are not those of New.
const (
	DefaultMaxImport         = 32 << 20 // bytes of a body
	DefaultMaxOperators      = 8        // requests
	DefaultMaxOperatorMemory = 64 << 20 // bytes
)

// An operated store is what NewOperator needs of a [jobstore.Store].
type operated interface {
	Stats(context.Context) (jobstore.Stats, error)
	Count(context.Context, jobstore.Query) (int64, error)
	Explain(context.Context, jobstore.Query) (jobstore.Plan, error)
	List(context.Context, jobstore.Query) (jobstore.Page, error)
	Get(context.Context, jobstore.ID) (jobstore.Job, error)
	CheckProgress(ctx context.Context, progress func(done, total int64)) iter.Seq2[jobstore.Problem, error]
	Put(context.Context, ...*jobstore.Job) error
	Prune(context.Context, jobstore.PruneOptions) (deleted int64, err error)
}

// NewOperator returns a handler for those who look after the store s, in general
// a [*jobstore.Store]: jobstore --url gets at it this way while a service has it
// open. It is no part of the documented API, and stands beside it under /store/:
//
//	GET  /store/stats     figures about the store
//	GET  /store/count     how many jobs match kind, status and input
//	GET  /store/explain   how a page is read, with the parameters of the list
//	GET  /store/jobs      all jobs that match, with their tasks, as a stream
//	PUT  /store/jobs      puts jobs just as they are, all or none
//	POST /store/check     reads the whole store, and tells what is wrong with it
//	POST /store/prune     deletes old jobs
//
// Of nil options, MaxBody is DefaultMaxImport, MaxConcurrent is
// DefaultMaxOperators and MaxMemory is DefaultMaxOperatorMemory. As checks and
// prunes take long, they have slots of their own, half as many, and so have exports.
// Whoever has the token can replace and delete every job.
func NewOperator(s operated, opts *Options) http.Handler {
	var options Options
	if opts != nil {
		options = *opts
	}
	if options.MaxBody <= 0 {
		options.MaxBody = DefaultMaxImport
	}
	if options.MaxConcurrent <= 0 {
		options.MaxConcurrent = DefaultMaxOperators
	}
	if options.MaxMemory <= 0 {
		options.MaxMemory = DefaultMaxOperatorMemory
	}
	a := newAPI(&options)
	a.memory = newMemory(options.MaxMemory, sharesOfOperators)
	a.onlyOwnOrigin = true // an export is a GET
	long := (options.MaxConcurrent + 1) / 2
	o := &operator{store: s, long: make(slots, long), exports: make(slots, long)}
	a.resource("/store/stats", a.guard, methods{http.MethodGet: o.stats})
	a.resource("/store/count", a.guard, methods{http.MethodGet: o.count})
	a.resource("/store/explain", a.guard, methods{http.MethodGet: o.explain})
	a.resource("/store/jobs", a.guard, methods{http.MethodGet: o.export, http.MethodPut: o.put})
	// A check is no GET, because HEAD would run it for nothing.
	a.resource("/store/check", a.guard, methods{http.MethodPost: o.check})
	a.resource("/store/prune", a.guard, methods{http.MethodPost: o.prune})
	return a
}

// An operator has the handlers of NewOperator.
type operator struct {
	store   operated
	long    slots // of checks and prunes
	exports slots
}

// Stats are [jobstore.Stats] as JSON has them.
type Stats struct {
	Jobs      int64                     `json:"jobs"`
	ByKind    map[jobstore.Kind]int64   `json:"by_kind"`
	ByStatus  map[jobstore.Status]int64 `json:"by_status"`
	FileBytes int64                     `json:"file_bytes"`
	FreeBytes int64                     `json:"free_bytes"`
	Format    int                       `json:"format"`
}

// StatsOf returns s with a number for every kind and status, those without jobs
// included.
func StatsOf(s jobstore.Stats) Stats {
	all := Stats(s)
	all.ByKind, all.ByStatus = map[jobstore.Kind]int64{}, map[jobstore.Status]int64{}
	for _, kind := range (^jobstore.Kind(0)).Kinds() {
		all.ByKind[kind] = s.ByKind[kind]
	}
	for _, status := range (^jobstore.Status(0)).Statuses() {
		all.ByStatus[status] = s.ByStatus[status]
	}
	return all
}

// stats answers GET /store/stats.
func (o *operator) stats(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	var stats jobstore.Stats
	err := w.atStore(w.api.slots, func(ctx context.Context) (err error) {
		stats, err = o.store.Stats(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return w.replyJSON(StatsOf(stats))
}

// count answers GET /store/count.
func (o *operator) count(w *response) error {
	q, err := w.query()
	if err != nil {
		return err
	}
	var n int64
	err = w.atStore(w.api.slots, func(ctx context.Context) (err error) {
		n, err = o.store.Count(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	return w.replyJSON(struct {
		Count int64 `json:"count"`
	}{n})
}

// explain answers GET /store/explain.
func (o *operator) explain(w *response) error {
	q, err := w.query()
	if err != nil {
		return err
	}
	var plan jobstore.Plan
	err = w.work(mostOfPage, func(ctx context.Context) (err error) { // a page is read for it
		plan, err = o.store.Explain(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	return w.replyJSON(struct {
		Index    string `json:"index"`
		Branches int    `json:"branches"`
		Matches  int64  `json:"matches"`
		Examined int    `json:"examined"`
		Fetched  int    `json:"fetched"`
		Returned int    `json:"returned"`
		Skipped  int    `json:"skipped"`
	}(plan))
}

// check answers POST /store/check.
func (o *operator) check(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	return w.atStore(o.long, func(ctx context.Context) error {
		s, ctx, done := w.stream(ctx)
		defer done()
		var problems int64
		for problem, err := range o.store.CheckProgress(ctx, s.progress) {
			if err != nil {
				return s.end(outcome{Problems: &problems}, err)
			}
			problems++
			s.problem(problem)
		}
		return s.end(outcome{Problems: &problems}, nil)
	})
}

// prune answers POST /store/prune.
func (o *operator) prune(w *response) error {
	if _, err := w.parameters(); err != nil {
		return err
	}
	fields, err := w.readObject("before", "kind", "status", "dry_run")
	if err != nil {
		return err
	}
	options, err := parsePrune(fields)
	if err != nil {
		return err
	}
	return w.atStore(o.long, func(ctx context.Context) error {
		s, ctx, done := w.stream(ctx)
		defer done()
		options.Progress = func(_ string, done, total int64) { s.progress(done, total) }
		deleted, err := o.store.Prune(ctx, options)
		return s.end(outcome{Deleted: &deleted}, err)
	})
}

// parsePrune makes options of what POST /store/prune was sent. That a set is
// empty or null is refused: a script's variable that was never set would
// delete more than was meant.
func parsePrune(fields map[string]json.RawMessage) (o jobstore.PruneOptions, err error) {
	var before int64
	var kinds []jobstore.Kind
	var statuses []jobstore.Status
	for _, f := range []struct {
		name string
		into any
		is   string
	}{
		{"before", &before, "a whole number of Unix milliseconds"},
		{"kind", &kinds, "an array of kinds"},
		{"status", &statuses, "an array of statuses"},
		{"dry_run", &o.DryRun, "true or false"},
	} {
		raw, given := fields[f.name]
		if !given {
			continue
		}
		if err := json.Unmarshal(raw, f.into); err != nil {
			if field, ok := errors.AsType[*jobstore.FieldError](err); ok {
				return o, field
			}
			return o, &jobstore.FieldError{Field: f.name, Reason: "must be " + f.is}
		}
	}
	for name, n := range map[string]int{"kind": len(kinds), "status": len(statuses)} {
		if _, given := fields[name]; given && n == 0 {
			return o, &jobstore.FieldError{Field: name, Reason: "is an empty array"}
		}
	}
	if _, given := fields["before"]; given {
		o.Before = time.UnixMilli(before)
	}
	for _, kind := range kinds {
		o.Kind |= kind
	}
	for _, status := range statuses {
		o.Status |= status
	}
	return o, nil
}

// replyJSON sends v.
func (w *response) replyJSON(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		w.reply(http.StatusOK, &buffer{b: text})
	}
	return err
}
