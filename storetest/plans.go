package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func testBoundUniform(t *testing.T, open Factory) {
	rng := rand.New(rand.NewPCG(3, 3))
	jobs := numbered(1500)
	for _, j := range jobs {
		j.Kind, j.Status = kinds[rng.IntN(len(kinds))], statuses[rng.IntN(len(statuses))]
		j.Input = hotInputs[rng.IntN(len(hotInputs))]
	}
	requireBound(t, open, jobs, filters())
}

func testBoundSkewed(t *testing.T, open Factory) {
	requireBound(t, open, skewed(1500), filters())
}

// testBoundRareIntersection has many jobs of one kind, and many of one status, but few
// of both, which stand at one end.
func testBoundRareIntersection(t *testing.T, open Factory) {
	for _, rare := range []int{0, 1490} {
		jobs := numbered(1500)
		for i, j := range jobs {
			j.Input = hotInputs[i%2] // shared by half of all jobs
			switch {
			case rare <= i && i < rare+5:
				j.Kind, j.Status = jobstore.KindVideo, jobstore.StatusFailed
			case i%2 == 0:
				j.Kind, j.Status = jobstore.KindVideo, jobstore.StatusSucceeded
			default:
				j.Kind, j.Status = jobstore.KindAudio, jobstore.StatusFailed
			}
		}
		requireBound(t, open, jobs, []jobstore.Query{
			{Kind: jobstore.KindVideo, Status: jobstore.StatusFailed},
			{Kind: jobstore.KindVideo, Status: jobstore.StatusFailed, Input: hotInputs[0]},
			{Kind: jobstore.KindVideo | jobstore.KindImage, Status: jobstore.StatusFailed | jobstore.StatusQueued},
			{Status: jobstore.StatusFailed, Input: hotInputs[0]},
			{Kind: jobstore.KindAudio, Input: hotInputs[1]},
			{Kind: jobstore.KindAudio, Input: hotInputs[0]},
			{Input: hotInputs[1]},
		})
	}
}

// testBoundEveryPairOnOneInput has one input with jobs of every kind and status.
func testBoundEveryPairOnOneInput(t *testing.T, open Factory) {
	jobs := numbered(1000)
	for i, j := range jobs {
		j.Kind, j.Status = kinds[i%5], statuses[i/5%5]
		j.Input = hotInputs[i%3%2]
	}
	var queries []jobstore.Query
	for kind := range jobstore.Kind(1 << len(kinds)) {
		queries = append(queries,
			jobstore.Query{Kind: kind, Input: hotInputs[0]},
			jobstore.Query{Kind: kind, Status: jobstore.StatusQueued | jobstore.StatusCancelled, Input: hotInputs[1]})
	}
	requireBound(t, open, jobs, queries)
}

// requireBound explains the pages of queries at many places: each is what List
// returns, and costs no more than the bound.
func requireBound(t *testing.T, open Factory, jobs []*jobstore.Job, queries []jobstore.Query) {
	f := newFixture(t, open)
	f.put(jobs...)
	m := newModel(jobs...)
	position := func(part int) jobstore.ID {
		return jobstore.ID(fmt.Sprintf("job_%04d", len(jobs)*part/4))
	}
	for _, q := range queries {
		for _, q.Order = range orders {
			for _, q.Limit = range []int{1, 20} {
				for part := range 4 {
					requirePlan(t, f, m, with(q, position(part), ""))
					requirePlan(t, f, m, with(q, "", position(part)))
					requirePlan(t, f, m, with(q, position(part), position(2)))
				}
				requirePlan(t, f, m, q)
			}
		}
	}
}

func requirePlan(t *testing.T, f *fixture, m *model, q jobstore.Query) {
	t.Helper()
	plan, err := f.Explain(t.Context(), q)
	require.NoError(t, err)
	what := fmt.Sprintf("%s: %s", describe(q), plan)
	require.Equal(t, len(m.page(q).Jobs), plan.Returned, what)
	require.LessOrEqual(t, plan.Examined, plan.Returned+plan.Skipped+1+2*plan.Branches, what)
	require.Equal(t, plan.Returned+plan.Skipped, plan.Fetched, "no document is read in vain: %s", what)
	require.LessOrEqual(t, plan.Branches, len(kinds)*len(statuses), what)
	require.NotEmpty(t, plan.Index, what)
	if matches := len(m.matching(q)); q.Input == "" && q.InputSHA256 == "" {
		require.EqualValues(t, matches, plan.Matches, what)
	} else {
		require.LessOrEqual(t, int64(matches), plan.Matches, what)
	}
}

// testNothingMatches asks for jobs that do not exist, as the counters prove.
func testNothingMatches(t *testing.T, open Factory) {
	f := newFixture(t, open)
	requirePlan(t, f, newModel(), jobstore.Query{})
	jobs := numbered(50)
	f.put(jobs...)
	for _, q := range []jobstore.Query{
		{Kind: jobstore.KindAudio},
		{Status: jobstore.StatusFailed},
		{Kind: jobstore.KindVideo, Status: jobstore.StatusFailed},
		{Kind: jobstore.KindAudio, Input: jobs[0].Input},
	} {
		plan, err := f.Explain(t.Context(), q)
		require.NoError(t, err)
		require.Zero(t, plan.Examined, "%s: %s", describe(q), plan)
		require.Zero(t, plan.Branches, "%s: %s", describe(q), plan)
	}
}
