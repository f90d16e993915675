package jobstore_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	kinds    = 5
	statuses = 5
)

func kindNo(i int) jobstore.Kind     { return jobstore.KindVideo << (i % kinds) }
func statusNo(i int) jobstore.Status { return jobstore.StatusQueued << (i % statuses) }

// planData are the data sets that plans are tested on. Each gives the kind,
// status and input of job i of n.
var planData = []struct {
	name   string
	golden bool // whether its plans are kept in testdata
	job    func(i, n int) (jobstore.Kind, jobstore.Status, string)
}{
	{"skewed", true, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		kind, status, input := jobstore.KindVideo, jobstore.StatusSucceeded, fmt.Sprintf("https://example.com/%d", i)
		switch {
		case i%97 == 0:
			kind = jobstore.KindAdaptiveVideo
		case i%7 == 0:
			kind = jobstore.KindAudio
		}
		switch {
		case i%101 == 0:
			status = jobstore.StatusQueued
		case i%13 == 0:
			status = jobstore.StatusFailed
		}
		if i%5 == 0 {
			input = hot
		}
		return kind, status, input
	}},
	{"uniform", false, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		return kindNo(r.IntN(kinds)), statusNo(r.IntN(statuses)), fmt.Sprintf("https://example.com/%d", r.IntN(50))
	}},
	// Kind and status are common, and both together are rare and oldest.
	{"adversarial", true, func(i, n int) (jobstore.Kind, jobstore.Status, string) {
		switch {
		case i < n/500:
			return jobstore.KindAnimation, jobstore.StatusFailed, hot
		case i%5 == 0:
			return jobstore.KindAnimation, jobstore.StatusSucceeded, hot
		case i%5 == 1:
			return jobstore.KindVideo, jobstore.StatusFailed, hot
		}
		return jobstore.KindVideo, jobstore.StatusSucceeded, fmt.Sprintf("https://example.com/%d", i)
	}},
	{"half on one input", false, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		if i%2 == 0 {
			return kindNo(i), jobstore.StatusSucceeded, hot
		}
		return kindNo(i), statusNo(i / 3), fmt.Sprintf("https://example.com/%d", i)
	}},
	{"25 pairs on one input", true, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		return kindNo(i), statusNo(i / kinds), hot
	}},
	{"one pair", false, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		return jobstore.KindImage, jobstore.StatusQueued, hot
	}},
	{"empty", false, nil},
}

const hot = "https://example.com/hot.mp4"

func planID(i int) jobstore.ID { return jobstore.ID(fmt.Sprintf("job_%06d", i)) }

// openPlanData returns a store of n jobs of a data set.
func openPlanData(t *testing.T, n int, job func(i, n int) (jobstore.Kind, jobstore.Status, string), opts *jobstore.Options) *jobstore.Store {
	t.Helper()
	s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		for p, err := range s.Check(context.Background()) {
			require.NoError(t, err)
			t.Errorf("check: %v", p)
		}
		require.NoError(t, s.Close())
	})
	if job == nil {
		return s
	}
	jobs := make([]*jobstore.Job, n)
	for i := range jobs {
		kind, status, input := job(i, n)
		jobs[i] = &jobstore.Job{ID: planID(i), Kind: kind, Status: status, Input: input}
	}
	require.NoError(t, s.Put(context.Background(), jobs...))
	return s
}

// planQueries are queries of every filter mask, with single values and sets, of
// every cursor shape and both orders, over jobs 0 to n-1.
func planQueries(n int) []jobstore.Query {
	var queries []jobstore.Query
	for _, kind := range []jobstore.Kind{0, jobstore.KindAnimation, jobstore.KindVideo | jobstore.KindAudio, 1<<kinds - 1} {
		for _, status := range []jobstore.Status{0, jobstore.StatusFailed, jobstore.StatusQueued | jobstore.StatusSucceeded} {
			for _, input := range []string{"", hot, "https://example.com/7", "https://example.com/none"} {
				for _, at := range [][2]jobstore.ID{{}, {planID(n / 2), ""}, {"", planID(n / 2)}, {planID(n / 4), planID(3 * n / 4)}, {planID(3 * n / 4), planID(n / 4)}} {
					for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
						queries = append(queries, jobstore.Query{Kind: kind, Status: status, Input: input, After: at[0], Before: at[1], Order: order, Limit: 10})
					}
				}
			}
		}
	}
	return queries
}

// The bound that DESIGN promises, for every query on every data set.
func TestPlanBound(t *testing.T) {
	const n = 3000
	for _, data := range planData {
		t.Run(data.name, func(t *testing.T) {
			s := openPlanData(t, n, data.job, &jobstore.Options{NoSync: true})
			for _, q := range planQueries(n) {
				for _, limit := range []int{1, 10, 100} {
					q.Limit = limit
					p, err := s.Explain(context.Background(), q)
					require.NoError(t, err)
					requireBound(t, q, p)
					require.Zero(t, p.Skipped)
					require.Equal(t, p.Returned, p.Fetched, "%v: %v", q.Values().Encode(), p)
				}
			}
		})
	}
}

func requireBound(t *testing.T, q jobstore.Query, p jobstore.Plan) {
	t.Helper()
	require.LessOrEqual(t, p.Examined, p.Returned+p.Skipped+1+2*p.Branches, "%v: %v", q.Values().Encode(), p)
	asked := func(set, all int) int {
		if set == 0 {
			return all
		}
		return set
	}
	most := asked(len(q.Kind.Kinds()), kinds) * asked(len(q.Status.Statuses()), statuses)
	require.LessOrEqual(t, p.Branches, most, "%v: %v", q.Values().Encode(), p)
}

// Two inputs that share a hash are told apart by their records.
func TestPlanOfCollidingInputs(t *testing.T) {
	const n = 600
	opts := jobstore.WithHash(jobstore.Options{NoSync: true}, func(string) (hash [16]byte) { return hash })
	rare := func(i int) bool { return i%150 == 0 }
	s := openPlanData(t, n, func(i, _ int) (jobstore.Kind, jobstore.Status, string) {
		if rare(i) {
			return kindNo(i), statusNo(i), "https://example.com/rare"
		}
		return kindNo(i), statusNo(i), hot
	}, opts)
	for _, order := range []jobstore.Order{jobstore.Desc, jobstore.Asc} {
		for input, want := range map[string]int{hot: n - 4, "https://example.com/rare": 4, "https://example.com/none": 0} {
			q := jobstore.Query{Input: input, Order: order, Limit: 100}
			p, err := s.Explain(context.Background(), q)
			require.NoError(t, err)
			requireBound(t, q, p)
			got := 0
			for job, err := range s.All(context.Background(), q) {
				require.NoError(t, err)
				require.Equal(t, input, job.Input)
				got++
			}
			require.Equal(t, want, got)
		}
	}
}

// Golden plans: which index every query shape takes, and what it costs.
func TestPlanGolden(t *testing.T) {
	const n = 1000
	for _, data := range planData {
		if !data.golden {
			continue
		}
		t.Run(data.name, func(t *testing.T) {
			s := openPlanData(t, n, data.job, &jobstore.Options{NoSync: true})
			var b strings.Builder
			for _, q := range planQueries(n) {
				p, err := s.Explain(context.Background(), q)
				require.NoError(t, err)
				fmt.Fprintf(&b, "%s\n\t%s\n", q.Values().Encode(), p)
			}
			path := filepath.Join("testdata", "plans", strings.ReplaceAll(data.name, " ", "_")+".golden")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), b.String())
		})
	}
}
