package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jobstore/jobstore/bench/workload"
)

// The lines of a page of text between which Embed writes.
const (
	embedBegin = "<!-- results: written by the benchmark -->"
	embedEnd   = "<!-- end of results -->"
)

// Embed writes the main plot and the main figures of the report in dir between two
// marks in the Markdown file at path, in the place of what stands there.
func (r *Report) Embed(path, dir string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), embedBegin+"\n")
	_, after, ended := strings.Cut(rest, embedEnd)
	if !ok || !ended {
		return fmt.Errorf("%s has no lines %q and %q", path, embedBegin, embedEnd)
	}
	from, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	to, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	link, err := filepath.Rel(from, to)
	if err != nil {
		return err
	}
	results := r.summary(filepath.ToSlash(link))
	return os.WriteFile(path, []byte(before+embedBegin+"\n\n"+results+embedEnd+after), 0o644)
}

// inSummary are the peers of the summary.
var inSummary = []string{workload.Floor, workload.Us, "mattn", "modernc", "river", "pebble"}

// summary returns the main plot and the main figures; link is where the report is.
func (r *Report) summary(link string) string {
	m := &markdown{report: r}
	m.line("%d jobs, %s, %s with %d cores; `%s` in bench, and [the whole report](%s/report.md).",
		r.Size, r.Date, r.Machine.CPU, r.Machine.Cores, r.Command, link)
	m.line("![Time of a page, by workload and peer](%s/latency.svg)", link)
	m.line("Median time of a page of 20 jobs in µs, one reader. A dash is what a peer has no way to do.")
	var lists []*workload.Result
	for _, result := range r.lists() {
		lists = append(lists, only(result, inSummary))
	}
	m.matrix(lists, workloadName, func(p *workload.Peer) string { return micros(p.Median) })

	m.line("The rest, by the same peers:")
	var rows [][]string
	add := func(name, label string, wanted func(*workload.Result) bool, cell func(*workload.Peer) string) {
		for _, result := range r.find(name) {
			if !wanted(result) {
				continue
			}
			row := []string{label}
			for _, peer := range inSummary {
				p, ok := result.Of(peer)
				switch {
				case p == nil:
					row = append(row, "")
				case !ok:
					row = append(row, "–")
				default:
					row = append(row, cell(p))
				}
			}
			rows = append(rows, row)
		}
	}
	always := func(*workload.Result) bool { return true }
	goroutines := func(n int) func(*workload.Result) bool {
		return func(result *workload.Result) bool { return result.Goroutines == n }
	}
	median := func(p *workload.Peer) string { return micros(p.Median) }
	add("count", "count by kind and status, µs", always, median)
	add("get", "one job by ID, µs", always, median)
	add("walk", "all jobs, s", always, func(p *workload.Peer) string { return fmt.Sprintf("%.2f", p.Median.Seconds()) })
	add("create", "durable create, µs", goroutines(1), median)
	add("create", "creates a second, 64 goroutines", goroutines(64), func(p *workload.Peer) string { return fmt.Sprintf("%.0f", p.PerSecond) })
	add("update", "durable status update, µs", always, median)
	add("import", "bulk import, µs a job", always, func(p *workload.Peer) string { return fmt.Sprintf("%.1f", float64(p.Mean)/1e6) })
	add("disk", "bytes a job on disk", always, func(p *workload.Peer) string { return fmt.Sprintf("%.0f", p.Figure) })
	add("open", "open and first page, ms", always, func(p *workload.Peer) string { return fmt.Sprintf("%.2f", float64(p.Median)/float64(time.Millisecond)) })
	m.table(1, append([]string{""}, inSummary...), rows)
	return m.text.String()
}

// only returns result with the peers named, in the order of the names.
func only(result *workload.Result, names []string) *workload.Result {
	kept := *result
	kept.Peers = nil
	for _, name := range names {
		if p, _ := result.Of(name); p != nil {
			kept.Peers = append(kept.Peers, *p)
		}
	}
	return &kept
}
