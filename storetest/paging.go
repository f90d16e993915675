package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

var pageSizes = []int{1, 2, 3, 7, 20, 100}

// forward returns the pages of q's filter, from the front, by Next.
func (f *fixture) forward(q jobstore.Query) (pages [][]jobstore.Job) {
	f.t.Helper()
	most := f.stats().Jobs + 1
	for ok := true; ok; {
		page := f.list(q)
		if len(page.Jobs) > 0 {
			pages = append(pages, page.Jobs)
		}
		require.LessOrEqual(f.t, int64(len(pages)), most, "a walk without end: %s", describe(q))
		q, ok = page.Next(q)
	}
	return pages
}

func testAfterWalksEverything(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(150)
	f.put(jobs...)
	m := newModel(jobs...)
	for q := range eachQuery {
		all := f.all(q)
		requireJobs(t, m.matching(q), all, "all %s", describe(q))
		for _, q.Limit = range pageSizes {
			pages := f.forward(q)
			requireJobs(t, all, slices.Concat(pages...), "pages of %s", describe(q))
			for _, page := range pages[:max(0, len(pages)-1)] {
				require.Len(t, page, q.Limit, "only the last page may be short: %s", describe(q))
			}
		}
	}
}

func testDescIsAscReversed(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(skewed(150)...)
	for _, q := range filters() {
		desc, asc := f.all(q), f.all(reversed(q))
		slices.Reverse(asc)
		requireJobs(t, asc, desc, describe(q))

		// What lies ahead of a job in one order lies past it in the other.
		for i := range desc {
			q.Limit = 4
			behind := f.list(with(q, desc[i].ID, "")).Jobs
			ahead := f.list(with(reversed(q), "", desc[i].ID)).Jobs
			slices.Reverse(ahead)
			requireJobs(t, behind, ahead, describe(with(q, desc[i].ID, "")))
		}
	}
}

// testBeforeIsThePageAhead lists before the first job of a page, and gets the page
// ahead of it.
func testBeforeIsThePageAhead(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(skewed(150)...)
	for q := range eachQuery {
		for _, q.Limit = range pageSizes {
			pages := f.forward(q)
			for i := 1; i < len(pages); i++ {
				ahead := f.list(with(q, "", pages[i][0].ID))
				requireJobs(t, pages[i-1], ahead.Jobs, "page %d of %s", i, describe(q))
				require.Equal(t, i > 1, ahead.HasMore, "page %d of %s", i, describe(q))
			}
		}
	}
}

// testFiltersIntersect compares the answer to each combination of filters with the
// jobs that all its filters, asked one by one, have in common.
func testFiltersIntersect(t *testing.T, open Factory) {
	f := newFixture(t, open)
	f.put(skewed(150)...)
	for q := range eachQuery {
		common := f.all(jobstore.Query{Order: q.Order})
		for _, alone := range []jobstore.Query{{Kind: q.Kind}, {Status: q.Status}, {Input: q.Input}, {InputSHA256: q.InputSHA256}} {
			has := map[jobstore.ID]bool{}
			for _, j := range f.all(alone) {
				has[j.ID] = true
			}
			common = slices.DeleteFunc(common, func(j jobstore.Job) bool { return !has[j.ID] })
		}
		requireJobs(t, common, f.all(q), describe(q))
		require.EqualValues(t, len(common), f.count(q), describe(q))
	}
}

// testPageBytes lists jobs that are so large that a page holds fewer than its limit.
// Large jobs stand alone, in a row, and among small ones.
func testPageBytes(t *testing.T, open Factory) {
	f := newFixture(t, open)
	const most = jobstore.MaxJSON
	object := func(n int) []byte { return []byte(`{"":"` + strings.Repeat("x", n-7) + `"}`) }
	m := newModel()
	for i, size := range []int{most, most, 10, most, most, most, 10, 10, most / 2, most, most, most - 1000, most - 400, 10} {
		j := newJob(jobstore.ID(fmt.Sprintf("job_%04d", i)))
		j.Metadata = object(size)
		if size == 10 { // a list does not hold tasks, so they do not count
			j.Tasks = []byte(`["` + strings.Repeat("x", most-100) + `"]`)
		}
		f.put(j)
		m.put(j)
	}
	early := 0
	for _, q := range []jobstore.Query{
		{}, {Order: jobstore.Asc}, {Kind: jobstore.KindVideo, Status: jobstore.StatusQueued},
		{Input: newJob("job_0003").Input},
	} {
		requireJobs(t, m.matching(q), f.all(q), describe(q))
		for _, q.Limit = range []int{1, 4, 100} {
			walked := 0
			for next, more := q, true; more; {
				requirePage(t, f, m, next)
				page := f.list(next)
				if len(page.Jobs) < min(q.Limit, len(m.between(next))) {
					early++
				}
				walked += len(page.Jobs)
				next, more = page.Next(next)
			}
			require.Equal(t, len(m.matching(q)), walked)
			walked = 0
			for prev, more := with(q, "", "job_z"), true; more && q.Order == jobstore.Asc; {
				requirePage(t, f, m, prev)
				page := f.list(prev)
				walked += len(page.Jobs)
				prev, more = page.Prev(prev)
			}
			if q.Order == jobstore.Asc {
				require.Equal(t, len(m.matching(q)), walked)
			}
		}
	}
	require.Greater(t, early, 4, "pages that ended early")
	plan, err := f.Explain(t.Context(), jobstore.Query{Limit: 100})
	require.NoError(t, err)
	require.LessOrEqual(t, plan.Examined, plan.Fetched+1+2*plan.Branches, "%s", plan)
}

// testPrevWalksBack goes back by Prev from behind the last job. It meets the same jobs
// as a walk forward.
func testPrevWalksBack(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(150)
	f.put(jobs...)
	for q := range eachQuery {
		want := f.all(q)
		for _, q.Limit = range pageSizes {
			var got []jobstore.Job
			at := with(q, "", pastTheEnd(q.Order))
			for ok := true; ok; {
				page := f.list(at)
				got = append(slices.Clone(page.Jobs), got...)
				require.LessOrEqual(t, len(got), len(want), "a walk without end: %s", describe(at))
				at, ok = page.Prev(at)
			}
			requireJobs(t, want, got, describe(q))
		}
	}
}

func testReopenChangesNothing(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(200)
	f.put(jobs...)
	m := newModel(jobs...)
	for i, j := range jobs {
		if i%7 == 0 {
			f.delete(j.ID)
			m.delete(j.ID)
		}
	}
	made := newJob("")
	f.create(made)
	m.put(made)

	stats := f.stats()
	for range 2 {
		f.reopen()
		for q := range eachQuery {
			requirePage(t, f, m, q)
			requirePage(t, f, m, with(q, "job_0100", ""))
			requireJobs(t, m.matching(q), f.all(q), describe(q))
			require.EqualValues(t, len(m.matching(q)), f.count(q), describe(q))
		}
		for _, j := range m.jobs {
			require.Equal(t, j, f.get(j.ID))
		}
		again := f.stats()
		require.Equal(t, stats.Jobs, again.Jobs)
		require.Equal(t, stats.ByKind, again.ByKind)
		require.Equal(t, stats.ByStatus, again.ByStatus)
		require.Equal(t, stats.Format, again.Format)
	}
	later := newJob("")
	f.create(later)
	require.Greater(t, string(later.ID), string(made.ID), "minted across a reopen")
}

// reversed returns q in the other order.
func reversed(q jobstore.Query) jobstore.Query {
	if q.Order == jobstore.Desc {
		q.Order = jobstore.Asc
	} else {
		q.Order = jobstore.Desc
	}
	return q
}

// pastTheEnd returns a position behind every job of a dataset.
func pastTheEnd(o jobstore.Order) jobstore.ID {
	if o == jobstore.Asc {
		return "job_zzzz"
	}
	return "job_-"
}
