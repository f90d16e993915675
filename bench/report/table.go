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
	_, _ = fmt.Fprintln(t, "workload\tpeer\tmedian µs\tp99 µs\tvs floor\tvs jobstore\tper second\tallocs\tKB\texamined")
	for _, r := range results {
		for _, p := range r.Peers {
			row := describe(r) + "\t" + p.Name
			switch {
			case p.Unsupported:
				row += "\t–"
			case r.Unit != "":
				row += fmt.Sprintf("\t%.0f %s", p.Figure, r.Unit)
			default:
				row += fmt.Sprintf("\t%s\t%s\t%s\t%s\t%.0f\t%.1f\t%.1f\t%s",
					micros(p.Median), micros(p.P99), ratio(p.VsFloor), ratio(p.VsUs), p.PerSecond,
					p.Allocs, p.Bytes/1024, optional(p.Examined))
			}
			if p.Size > 0 {
				row += fmt.Sprintf("\tat %d jobs", p.Size)
			}
			_, _ = fmt.Fprintln(t, row)
		}
	}
	return t.Flush()
}

// describe names a workload and at what it was measured.
func describe(r *workload.Result) string {
	switch {
	case r.Writer:
		return fmt.Sprintf("%s, %d readers, writer", r.Workload, r.Readers)
	case r.Readers > 0:
		return fmt.Sprintf("%s, %d readers", r.Workload, r.Readers)
	case r.Goroutines > 0:
		return fmt.Sprintf("%s, %d goroutines", r.Workload, r.Goroutines)
	case r.Workload == "depth":
		return fmt.Sprintf("depth %d%%", r.Percent)
	case r.OfSizes:
		return fmt.Sprintf("%s, %s jobs", r.Workload, short(r.Size))
	}
	return r.Workload
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
