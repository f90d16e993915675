package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

func logarithmic(axis *plot.Axis) {
	axis.Scale = plot.LogScale{}
	axis.Tick.Marker = decades{}
}

// widen leaves room at both ends of a logarithmic axis.
func widen(axis *plot.Axis, factor float64) {
	axis.Min, axis.Max = axis.Min/factor, axis.Max*factor
}

// decades are ticks at 1, 2 and 5 of each power of ten, or where there are many,
// at the powers alone.
type decades struct{}

func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	span := math.Log10(high / low)
	steps := []float64{1, 2, 5}
	if span > 3 {
		steps = []float64{1}
	}
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for _, step := range steps {
			if v := power * step; low <= v && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: plain(v)})
			}
		}
	}
	return ticks
}

// plain writes a tick's number with its thousands apart.
func plain(v float64) string {
	if v < 1 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// short writes a number of jobs.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 1_000 && n%1_000 == 0:
		return fmt.Sprintf("%dk", n/1_000)
	}
	return strconv.Itoa(n)
}
