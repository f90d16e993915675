package harness

import (
	"math"
	"slices"
	"time"
)

// A Summary boils a Series down to the figures that a report shows.
type Summary struct {
	Name      string        `json:"peer"`
	Median    time.Duration `json:"median_ns"`
	P99       time.Duration `json:"p99_ns"`
	Mean      time.Duration `json:"mean_ns"`
	PerSecond float64       `json:"per_second"` // median over the rounds
	Allocs    float64       `json:"allocs"`     // an operation, median over the rounds
	Bytes     float64       `json:"alloc_bytes"`
	Samples   int           `json:"samples"`
}

// Summary returns the figures of s, medians and percentiles over all samples.
func (s Series) Summary() Summary {
	var all []time.Duration
	var sum time.Duration
	var rates, allocs, bytes []float64
	for _, r := range s.Rounds {
		all = append(all, r.Samples...)
		for _, d := range r.Samples {
			sum += d
		}
		rates = append(rates, float64(len(r.Samples))/r.Wall.Seconds())
		allocs = append(allocs, r.Allocs)
		bytes = append(bytes, r.Bytes)
	}
	slices.Sort(all)
	return Summary{
		Name:      s.Name,
		Median:    percentile(all, 0.5),
		P99:       percentile(all, 0.99),
		Mean:      sum / time.Duration(max(1, len(all))),
		PerSecond: Median(rates),
		Allocs:    Median(allocs),
		Bytes:     Median(bytes),
		Samples:   len(all),
	}
}

// Ratio returns how many times the median operation of base one of s takes: the
// median over the rounds of the ratio within each.
func (s Series) Ratio(base Series) float64 {
	return s.ratio(base, func(r Round) float64 { return float64(medianOf(r.Samples)) })
}

// WallRatio is Ratio for the time of whole rounds, garbage collection and all.
func (s Series) WallRatio(base Series) float64 {
	return s.ratio(base, func(r Round) float64 { return float64(r.Wall) })
}

func (s Series) ratio(base Series, of func(Round) float64) float64 {
	var ratios []float64
	for i := range min(len(s.Rounds), len(base.Rounds)) {
		ratios = append(ratios, of(s.Rounds[i])/of(base.Rounds[i]))
	}
	return Median(ratios)
}

func medianOf(samples []time.Duration) time.Duration {
	return percentile(slices.Sorted(slices.Values(samples)), 0.5)
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// Median returns the median of values, the mean of the middle two when they are
// even in number, and NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
