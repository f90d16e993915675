// Package report writes down what was measured.
package report

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jobstore/jobstore/bench/workload"
)

// Table writes results as a table for a terminal: a line for each workload and
// peer.
func Table(w io.Writer, results []*workload.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "workload\tpeer\tmedian µs\tp99 µs\tvs floor\tvs jobstore\tallocs\tKB\texamined")
	for _, r := range results {
		for _, p := range r.Peers {
			if p.Unsupported {
				fmt.Fprintf(t, "%s\t%s\t–\n", r.Workload, p.Name)
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%.1f\t%s\n", r.Workload, p.Name,
				micros(p.Median), micros(p.P99), ratio(p.VsFloor), ratio(p.VsUs), p.Allocs, p.Bytes/1024, optional(p.Examined))
		}
	}
	return t.Flush()
}

func micros(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	switch {
	case us >= 1000:
		return fmt.Sprintf("%.0f", us)
	case us >= 100:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.2f", us)
}

func ratio(r float64) string {
	switch {
	case r == 0:
		return ""
	case r >= 100:
		return fmt.Sprintf("%.0f", r)
	case r >= 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

func optional(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", f)
}
