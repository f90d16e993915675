package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

func testCount(t *testing.T, open Factory) {
	f := newFixture(t, open)
	jobs := skewed(200)
	f.put(jobs...)
	m := newModel(jobs...)
	for q := range eachQuery {
		require.EqualValues(t, len(m.matching(q)), f.count(q), describe(q))
		q.Limit = 1
		require.EqualValues(t, len(m.matching(q)), f.count(q), "the limit makes no difference: %s", describe(q))
		for _, after := range []jobstore.ID{"", "job_-", "job_0002", "job_01005", "job_0200", "job_z"} {
			for _, before := range []jobstore.ID{"", "job_-", "job_0002", "job_0150", "job_z"} {
				q := with(q, after, before)
				require.EqualValues(t, len(m.between(q)), f.count(q), describe(q))
			}
		}
	}
}

func testStats(t *testing.T, open Factory) {
	f := newFixture(t, open)
	requireStats(t, newModel(), f.stats())
	jobs := skewed(200)
	f.put(jobs...)
	stats := f.stats()
	requireStats(t, newModel(jobs...), stats)
	require.Positive(t, stats.FileBytes)
	require.GreaterOrEqual(t, stats.FreeBytes, int64(0))
	require.LessOrEqual(t, stats.FreeBytes, stats.FileBytes)
	require.Positive(t, stats.Format)
}

// requireStats compares what stats say about jobs with the model.
func requireStats(t tester, m *model, stats jobstore.Stats) {
	t.Helper()
	byKind, byStatus := map[jobstore.Kind]int64{}, map[jobstore.Status]int64{}
	for _, j := range m.jobs {
		byKind[j.Kind]++
		byStatus[j.Status]++
	}
	require.EqualValues(t, len(m.jobs), stats.Jobs)
	require.Equal(t, byKind, stats.ByKind)
	require.Equal(t, byStatus, stats.ByStatus)
}
