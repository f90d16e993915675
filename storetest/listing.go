package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

// testWorkedExample is the example in the package documentation: jobs 1 to 10,
// newest first, three a page.
func testWorkedExample(t *testing.T, open Factory) {
	f := newFixture(t, open)
	for n := 1; n <= 10; n++ {
		f.put(newJob(example(n)))
	}
	for _, c := range []struct {
		query jobstore.Query
		want  []int
		more  bool
	}{
		{jobstore.Query{}, []int{10, 9, 8}, true},
		{jobstore.Query{After: example(8)}, []int{7, 6, 5}, true},
		{jobstore.Query{After: example(5)}, []int{4, 3, 2}, true},
		{jobstore.Query{After: example(2)}, []int{1}, false},
		{jobstore.Query{After: example(1)}, nil, false},
		{jobstore.Query{Before: example(5)}, []int{8, 7, 6}, true},
		{jobstore.Query{Before: example(7)}, []int{10, 9, 8}, false},
		{jobstore.Query{Before: example(9)}, []int{10}, false},
		{jobstore.Query{Before: example(10)}, nil, false},
		{jobstore.Query{After: example(9), Before: example(3)}, []int{8, 7, 6}, true},
		{jobstore.Query{After: example(7), Before: example(3)}, []int{6, 5, 4}, false},
		{jobstore.Query{After: example(3), Before: example(7)}, nil, false},
		{jobstore.Query{Order: jobstore.Asc}, []int{1, 2, 3}, true},
		{jobstore.Query{Order: jobstore.Asc, After: example(3)}, []int{4, 5, 6}, true},
		{jobstore.Query{Order: jobstore.Asc, Before: example(6)}, []int{3, 4, 5}, true},
		{jobstore.Query{Order: jobstore.Asc, Before: example(4)}, []int{1, 2, 3}, false},
	} {
		c.query.Limit = 3
		page := f.list(c.query)
		var got []int
		for _, j := range page.Jobs {
			var n int
			_, err := fmt.Sscanf(string(j.ID), "job_%d", &n)
			require.NoError(t, err)
			got = append(got, n)
		}
		require.Equal(t, c.want, got, describe(c.query))
		require.Equal(t, c.more, page.HasMore, describe(c.query))
	}
}

func example(n int) jobstore.ID { return jobstore.ID(fmt.Sprintf("job_%02d", n)) }

func testEmptyStore(t *testing.T, open Factory) {
	f := newFixture(t, open)
	for q := range eachQuery {
		for _, q.After = range []jobstore.ID{"", "job_x"} {
			page := f.list(q)
			require.NotNil(t, page.Jobs, "an empty page is not a nil one")
			require.Empty(t, page.Jobs)
			require.False(t, page.HasMore)
			_, ok := page.Next(q)
			require.False(t, ok)
			_, ok = page.Prev(q)
			require.False(t, ok)
			require.Empty(t, f.all(q))
			require.Zero(t, f.count(q))
		}
	}
}

// testPositions lists from IDs of jobs that exist, that were deleted and that never
// existed. An ID marks its place in all three cases.
func testPositions(t *testing.T, open Factory) {
	f, m := newFixture(t, open), newModel()
	jobs := skewed(60)
	f.put(jobs...)
	m.put(jobs...)
	for i, j := range jobs {
		if i%3 == 0 {
			f.delete(j.ID)
			m.delete(j.ID)
		}
	}
	positions := []jobstore.ID{
		"job_0001",             // deleted, and ahead of all others
		"job_0002", "job_0030", // in the store
		"job_0031", "job_0058", // deleted
		"job_00305", "job_003", "job_-", // never existed
		"job_0060", // the last one
		"job_zz", jobstore.ID("job_" + strings.Repeat("z", 64)),
	}
	for q := range eachQuery {
		for _, q.Limit = range []int{1, 7, 100} {
			for _, id := range positions {
				requirePage(t, f, m, with(q, id, ""))
				requirePage(t, f, m, with(q, "", id))
			}
		}
	}
}

// testRanges lists between two cursors, which may be inverted or the same.
func testRanges(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(40)
	f.put(jobs...)
	m := newModel(jobs...)
	positions := []jobstore.ID{"job_-", "job_0001", "job_0010", "job_00101", "job_0011", "job_0040", "job_z"}
	for q := range eachQuery {
		for _, q.Limit = range []int{1, 5, 100} {
			for _, after := range positions {
				for _, before := range positions {
					requirePage(t, f, m, with(q, after, before))
				}
			}
		}
	}
}

func testLimits(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := numbered(101)
	f.put(jobs...)
	for limit := 0; limit <= 100; limit++ {
		page := f.list(jobstore.Query{Limit: limit})
		want := limit
		if limit == 0 {
			want = 20
		}
		require.Len(t, page.Jobs, want)
		require.True(t, page.HasMore)
	}
	f.delete(jobs[0].ID)
	page := f.list(jobstore.Query{Limit: 100})
	require.Len(t, page.Jobs, 100)
	require.False(t, page.HasMore, "a full page with nothing behind it")
}

func testEveryFilter(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(300)
	f.put(jobs...)
	m := newModel(jobs...)
	for q := range eachQuery {
		requirePage(t, f, m, q)
		requirePage(t, f, m, with(q, "job_0150", ""))
		requirePage(t, f, m, with(q, "", "job_0150"))
		requireJobs(t, m.matching(q), f.all(q), "all %s", describe(q))
		require.EqualValues(t, len(m.matching(q)), f.count(q), "count %s", describe(q))
	}
	for kind := range jobstore.Kind(1 << len(kinds)) {
		for status := range jobstore.Status(1 << len(statuses)) {
			q := jobstore.Query{Kind: kind, Status: status, Limit: 9}
			requirePage(t, f, m, q)
			require.EqualValues(t, len(m.matching(q)), f.count(q), "count %s", describe(q))
			q.Input = hotInputs[0]
			requirePage(t, f, m, q)
			require.EqualValues(t, len(m.matching(q)), f.count(q), "count %s", describe(q))
		}
	}
}

// testExactInput looks for inputs that differ in their bytes, but not for a comparison
// of URLs or of normalized text.
func testExactInput(t *testing.T, open Factory) {
	f := newFixture(t, open)
	inputs := append(slices.Clone(hotInputs),
		"https://example.com/video.mp4 ", "https://example.com/video.mp4#", "HTTPS://example.com/video.mp4",
		"https://example.com:443/video.mp4", "https://example.com/./video.mp4", "https://example.com/video.mp4/",
		"\u00e9", "e\u0301", "a\x00b", "a", "a\x00", "%", "%25", "+", "job_0001",
		strings.Repeat("x", jobstore.MaxInput), strings.Repeat("x", jobstore.MaxInput-1),
	)
	for i, input := range inputs {
		j := newJob(jobstore.ID(fmt.Sprintf("job_%04d", i)))
		j.Input = input
		f.put(j)
	}
	for i, input := range inputs {
		want := []jobstore.ID{jobstore.ID(fmt.Sprintf("job_%04d", i))}
		require.Equal(t, want, ids(f.list(jobstore.Query{Input: input}).Jobs), "%.60q", input)
		require.EqualValues(t, 1, f.count(jobstore.Query{Input: input}), "%.60q", input)
	}
}

// testInputSHA256 looks for inputs by their hash. All of it is compared, also if an
// index keeps only a part.
func testInputSHA256(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(300)
	f.put(jobs...)
	m := newModel(jobs...)
	sum := sumOf(hotInputs[0])
	q := jobstore.Query{InputSHA256: strings.ToUpper(sum), Limit: 5}
	require.NotEmpty(t, m.matching(q))
	requirePage(t, f, m, q)
	require.EqualValues(t, len(m.matching(q)), f.count(q))
	for _, digit := range []int{0, 31, 32, 63} {
		forged := []byte(sum)
		forged[digit] ^= 1 // another digit
		q := jobstore.Query{InputSHA256: string(forged)}
		for _, q := range []jobstore.Query{q, with(q, "", "job_0200"), {InputSHA256: string(forged), Kind: jobstore.KindVideo}} {
			require.Empty(t, f.list(q).Jobs, "digit %d", digit)
			require.Empty(t, f.all(q))
			require.Zero(t, f.count(q))
		}
	}
}

// testOrderOfBytes lists IDs that any order but that of their bytes would mix up.
func testOrderOfBytes(t *testing.T, open Factory) {
	f := newFixture(t, open)
	want := []jobstore.ID{
		"job_-", "job_--", "job_-a", "job_0", "job_00", "job_01", "job_1", "job_10", "job_2", "job_9",
		"job_A", "job_Aa", "job_Z", "job__", "job___", "job_a", "job_aA", "job_aa",
		jobstore.ID("job_" + strings.Repeat("a", 64)), "job_ab", "job_abc123", "job_z",
	}
	for _, i := range []int{3, 0, 21, 7, 1, 20, 12, 5, 9, 2, 16, 14, 8, 19, 4, 10, 18, 6, 13, 11, 17, 15} {
		f.put(newJob(want[i]))
	}
	for _, q := range []jobstore.Query{{}, {Kind: jobstore.KindVideo}, {Status: jobstore.StatusQueued}} {
		q.Limit, q.Order = 100, jobstore.Asc
		require.Equal(t, want, ids(f.list(q).Jobs), describe(q))
		for i, id := range want {
			require.Equal(t, want[i+1:], ids(f.list(with(q, id, "")).Jobs), describe(with(q, id, "")))
			require.Equal(t, want[:i], ids(f.list(with(q, "", id)).Jobs), describe(with(q, "", id)))
		}
	}
}

// testFirstIDAsCursor reads the jobs of a span of time.
func testFirstIDAsCursor(t *testing.T, open Factory) {
	f := newFixture(t, open)
	var times []time.Time
	var made []jobstore.ID
	for range 10 {
		now := f.clock.step(time.Minute)
		for range 3 {
			j := newJob("")
			f.create(j)
			times, made = append(times, now), append(made, j.ID)
		}
	}
	for i := 0; i < len(made); i += 3 {
		from, to := jobstore.FirstID(times[i]), jobstore.FirstID(times[i].Add(time.Millisecond))
		q := jobstore.Query{Order: jobstore.Asc, After: from, Before: to}
		require.Equal(t, made[i:i+3], ids(f.list(q).Jobs))
		q = jobstore.Query{Order: jobstore.Asc, After: from, Limit: 100}
		require.Equal(t, made[i:], ids(f.list(q).Jobs))
		q = jobstore.Query{Order: jobstore.Asc, Before: from, Limit: 100}
		require.Equal(t, made[:i], ids(f.list(q).Jobs))
	}
}

func testListLeavesOutTasks(t *testing.T, open Factory) {
	f := newFixture(t, open)
	j := newJob("job_a")
	j.Tasks = []byte(`[{"id":"task_1"}]`)
	f.put(j)
	require.JSONEq(t, `[{"id":"task_1"}]`, string(f.get("job_a").Tasks))
	require.Nil(t, f.list(jobstore.Query{}).Jobs[0].Tasks)
	require.Nil(t, f.all(jobstore.Query{})[0].Tasks)
}

// requirePage compares the answer to q, and the pages next to it, with the model.
func requirePage(t tester, f *fixture, m *model, q jobstore.Query) {
	t.Helper()
	want, got := m.page(q), f.list(q)
	requireJobs(t, want.Jobs, got.Jobs, "list %s", describe(q))
	require.Equal(t, want.HasMore, got.HasMore, "has more %s", describe(q))
	requireNeighbours(t, f, m, q, got)
}

// requireNeighbours follows Next and Prev from page, the answer to q. They lead to the
// jobs right behind it and right ahead of it. In the direction in which the page was
// read, HasMore says whether there are any. In the other direction the page may be
// empty, which only reading it shows. A page between two cursors has no Prev.
func requireNeighbours(t tester, f *fixture, m *model, q jobstore.Query, page jobstore.Page) {
	t.Helper()
	next, hasNext := page.Next(q)
	prev, hasPrev := page.Prev(q)
	if len(page.Jobs) == 0 {
		require.False(t, hasNext || hasPrev, "neighbours of an empty page %s", describe(q))
		return
	}
	afterAlone, beforeAlone := q.After != "" && q.Before == "", q.Before != "" && q.After == ""
	require.Equal(t, beforeAlone || page.HasMore, hasNext, "a page behind %s", describe(q))
	require.Equal(t, afterAlone || beforeAlone && page.HasMore, hasPrev, "a page ahead of %s", describe(q))
	first, last := page.Jobs[0].ID, page.Jobs[len(page.Jobs)-1].ID
	if hasNext {
		end := q.Before
		if beforeAlone {
			end = ""
		}
		requireJobs(t, m.page(with(q, last, end)).Jobs, f.list(next).Jobs, "page behind %s", describe(q))
	}
	if hasPrev {
		requireJobs(t, m.page(with(q, "", first)).Jobs, f.list(prev).Jobs, "page ahead of %s", describe(q))
	}
}

// with returns q with other cursors.
func with(q jobstore.Query, after, before jobstore.ID) jobstore.Query {
	q.After, q.Before = after, before
	return q
}
