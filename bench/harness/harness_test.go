package harness

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInterleaveGivesEveryOperationOnce(t *testing.T) {
	const rounds, ops, workers = 3, 10, 2
	seen := make([][]int, workers)
	var order []string
	s := Subject{Name: "two"}
	for w := range workers {
		s.Workers = append(s.Workers, func(op int) error {
			seen[w] = append(seen[w], op)
			return nil
		})
	}
	one := Subject{Name: "one", Ops: 1, Workers: []func(int) error{func(int) error { order = append(order, "one"); return nil }}}
	turns := 0
	series, err := Interleave(Schedule{Rounds: rounds, Ops: ops, Seed: 1}, []Subject{s, one}, func() { turns++ })
	require.NoError(t, err)
	assert.Equal(t, 2*rounds, turns)
	all := map[int]int{}
	for w := range seen {
		for _, op := range seen[w] {
			all[op]++
			assert.Equal(t, w, op%workers)
		}
	}
	assert.Len(t, all, rounds*ops)
	assert.Len(t, order, rounds)
	assert.Equal(t, rounds*ops, series[0].Summary().Samples)
	assert.Equal(t, rounds, series[1].Summary().Samples)
}

func TestInterleaveReportsErrors(t *testing.T) {
	broken := errors.New("broken")
	fails := Subject{Name: "fails", Workers: []func(int) error{func(int) error { return broken }}}
	_, err := Interleave(Schedule{Rounds: 1, Ops: 1}, []Subject{fails}, func() {})
	require.ErrorIs(t, err, broken)

	beside := Subject{
		Name: "beside", Workers: []func(int) error{func(int) error { return nil }},
		Beside: func(ctx context.Context) error { <-ctx.Done(); return broken },
	}
	_, err = Interleave(Schedule{Rounds: 1, Ops: 1}, []Subject{beside}, func() {})
	require.ErrorIs(t, err, broken)
}

// TestRatioIsTakenWithinRounds has a machine that becomes ten times slower
// halfway: the ratio of the medians of all samples would be 1.
func TestRatioIsTakenWithinRounds(t *testing.T) {
	round := func(d time.Duration) Round { return Round{Samples: []time.Duration{d, d, d}, Wall: 3 * d} }
	base := Series{Rounds: []Round{round(10), round(10), round(100), round(100), round(100)}}
	twice := Series{Rounds: []Round{round(20), round(20), round(200), round(200), round(200)}}
	assert.InDelta(t, 2.0, twice.Ratio(base), 1e-9)
	assert.InDelta(t, 0.5, base.WallRatio(twice), 1e-9)
}

func TestMedian(t *testing.T) {
	assert.True(t, math.IsNaN(Median(nil)))
	assert.InDelta(t, 2.0, Median([]float64{3, 1, 2}), 0)
	assert.InDelta(t, 2.5, Median([]float64{4, 1, 2, 3}), 0)
}

func TestSummary(t *testing.T) {
	var s Series
	for i := range 100 {
		s.Rounds = append(s.Rounds, Round{Samples: []time.Duration{time.Duration(i + 1)}, Wall: time.Second})
	}
	sum := s.Summary()
	assert.Equal(t, time.Duration(51), sum.Median)
	assert.Equal(t, time.Duration(100), sum.P99)
	assert.InDelta(t, 1.0, sum.PerSecond, 1e-9)
}
