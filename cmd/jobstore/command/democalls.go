package command

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

// A call is one list call, or count, that the demo runs.
type call struct {
	about string
	query jobstore.Query
	count bool
}

// calls returns the documented calls and the ones that are hard for a store.
func (d *demo) calls() []call {
	const (
		video, adaptive      = jobstore.KindVideo, jobstore.KindAdaptiveVideo
		failed, cancelled    = jobstore.StatusFailed, jobstore.StatusCancelled
		queued, processing   = jobstore.StatusQueued, jobstore.StatusProcessing
		animation, succeeded = jobstore.KindAnimation, jobstore.StatusSucceeded
	)
	hot := dataset.HotInput(0)
	midnight := d.sample.noon.Truncate(day)
	return []call{
		{about: "documented", query: jobstore.Query{Kind: video, Limit: 10}},
		{about: "documented", query: jobstore.Query{Status: failed, Limit: 20}},
		{about: "first page", query: jobstore.Query{Limit: 20}},
		{about: "deep page", query: jobstore.Query{After: d.sample.middle}},
		{about: "page before", query: jobstore.Query{Before: d.sample.middle}},
		{about: "oldest first", query: jobstore.Query{Order: jobstore.Asc}},
		{about: "kind", query: jobstore.Query{Kind: animation}},
		{about: "status", query: jobstore.Query{Status: succeeded}},
		{about: "kind, status", query: jobstore.Query{Kind: video, Status: failed}},
		{about: "rare pair", query: jobstore.Query{Kind: adaptive, Status: cancelled}},
		{about: "hot input", query: jobstore.Query{Input: hot}},
		{about: "unique input", query: jobstore.Query{Input: d.sample.unique}},
		{about: "hot input, status", query: jobstore.Query{Input: hot, Status: failed}},
		{about: "all three", query: jobstore.Query{Input: hot, Status: failed, Kind: video}},
		{about: "set of statuses", query: jobstore.Query{Status: queued | processing}},
		{about: "one day", query: jobstore.Query{
			After: jobstore.FirstID(midnight.Add(day)), Before: jobstore.FirstID(midnight),
		}},
		{about: "count", query: jobstore.Query{}, count: true},
		{about: "count by status", query: jobstore.Query{Status: failed}, count: true},
		{about: "count by input", query: jobstore.Query{Input: hot}, count: true},
	}
}

func (d *demo) showCalls(ctx context.Context) error {
	g := grid{
		header:  []string{"what", "call", "rows", "index", "branches", "examined", "fetched", "time"},
		right:   []int{2, 4, 5, 6, 7},
		elastic: 1,
		fit:     wrap,
	}
	for _, c := range d.calls() {
		row, err := d.measure(ctx, c)
		if err != nil {
			return err
		}
		g.add(row...)
	}
	if err := g.write(d.out); err != nil {
		return err
	}
	d.say("\nbranches: key ranges that were merged; examined: keys that were looked at, which is\n" +
		"at most rows + 1 + 2 × branches; fetched: jobs that were read. The time is the median.\n")
	return nil
}

// measure runs c again and again and returns its row.
func (d *demo) measure(ctx context.Context, c call) ([]string, error) {
	if c.count {
		var n int64
		took, err := median(func() (err error) {
			n, err = d.store.Count(ctx, c.query)
			return err
		})
		source := "counters"
		if c.query.Input != "" {
			source = "input"
		}
		return []string{c.about, readable(c.query), strconv.FormatInt(n, 10), source, "", "", "", microseconds(took)}, err
	}
	took, err := median(func() error {
		_, err := d.store.List(ctx, c.query)
		return err
	})
	if err != nil {
		return nil, err
	}
	plan, err := d.store.Explain(ctx, c.query)
	return []string{
		c.about, readable(c.query), strconv.Itoa(plan.Returned), plan.Index, strconv.Itoa(plan.Branches),
		strconv.Itoa(plan.Examined), strconv.Itoa(plan.Fetched), microseconds(took),
	}, err
}

// median returns the median time of fn, over as many runs as a moment allows.
func median(fn func() error) (time.Duration, error) {
	const (
		least  = 11
		most   = 1001
		moment = 100 * time.Millisecond
	)
	var times []time.Duration
	for began := time.Now(); len(times) < least || len(times) < most && time.Since(began) < moment; {
		start := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// readable returns the parameters of q as they stand in a URL, but without its
// escapes, which the demo's inputs can do without.
func readable(q jobstore.Query) string {
	text := q.Values().Encode()
	if plain, err := url.QueryUnescape(text); err == nil {
		text = plain
	}
	return text
}

func microseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Nanoseconds())/1000, 'f', 1, 64) + " µs"
}
