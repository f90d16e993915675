package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jobstore/jobstore/bench/workload"
)

// markdown returns the report as Markdown. Plots are the names of the image
// files beside it.
func (r *Report) markdown(plots []plotFile) string {
	m := &markdown{report: r}
	m.line("# What a page costs")
	m.line("%s, made by `%s`. Nothing in here is typed by hand.", r.Date, r.Command)
	m.settings()
	for _, p := range plots {
		m.line("![%s](%s)", p.title, p.name+".svg")
	}
	m.lists()
	m.readers()
	m.others()
	m.targets()
	return m.text.String()
}

type markdown struct {
	report *Report
	text   strings.Builder
}

// line writes a paragraph.
func (m *markdown) line(format string, args ...any) {
	fmt.Fprintf(&m.text, format+"\n\n", args...)
}

// table writes a table whose first columns are text and the others numbers.
func (m *markdown) table(texts int, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	write := func(cells []string) {
		m.text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	write(head)
	rule := slices.Repeat([]string{"---:"}, len(head))
	for i := range texts {
		rule[i] = "---"
	}
	write(rule)
	for _, row := range rows {
		write(row)
	}
	m.text.WriteString("\n")
}

func (m *markdown) settings() {
	r := m.report
	m.line("%d jobs, %d interleaved rounds of %d pages, seed %d.", r.Size, r.Rounds, r.Pages, r.Seed)
	rows := [][]string{
		{"processor", fmt.Sprintf("%s, %d cores used", cmp.Or(r.Machine.CPU, "unknown"), r.Machine.Cores)},
		{"memory", cmp.Or(r.Machine.Memory, "unknown")},
		{"system", r.Machine.OS},
		{"Go", r.Machine.Go},
	}
	for _, path := range []string{
		"go.etcd.io/bbolt", "github.com/mattn/go-sqlite3", "modernc.org/sqlite", "github.com/riverqueue/river",
		"github.com/cockroachdb/pebble/v2", "github.com/timshannon/bolthold", "github.com/timshannon/badgerhold/v4",
		"github.com/dgraph-io/badger/v4",
	} {
		if version, ok := r.Machine.Versions[path]; ok {
			rows = append(rows, []string{path, version})
		}
	}
	m.table(2, []string{"machine", ""}, rows)
	rows = nil
	for _, p := range r.Peers {
		rows = append(rows, []string{p.Name, p.About})
	}
	m.table(2, []string{"peer", "set up as"}, rows)
}

// names returns the peers of results, in the order in which they come.
func names(results []*workload.Result) (names []string) {
	for _, r := range results {
		for _, p := range r.Peers {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// matrix writes a table of results by peers.
func (m *markdown) matrix(results []*workload.Result, label func(*workload.Result) string, cell func(*workload.Peer) string) {
	peers := names(results)
	var rows [][]string
	smaller := 0
	for _, r := range results {
		row := []string{label(r)}
		for _, name := range peers {
			p, ok := r.Of(name)
			switch {
			case p == nil:
				row = append(row, "")
			case !ok:
				row = append(row, "–")
			case p.Size > 0:
				smaller = p.Size
				row = append(row, cell(p)+"*")
			default:
				row = append(row, cell(p))
			}
		}
		rows = append(rows, row)
	}
	m.table(1, append([]string{""}, peers...), rows)
	if smaller > 0 {
		m.line("\\* at %d jobs, as the peer is too slow to fill with more.", smaller)
	}
}

func workloadName(r *workload.Result) string { return r.Workload }

func (m *markdown) lists() {
	lists := m.report.lists()
	if len(lists) == 0 {
		return
	}
	m.line("## Pages")
	var rows [][]string
	for _, r := range lists {
		rows = append(rows, []string{r.Workload, r.About})
	}
	m.table(2, []string{"page", "what it is"}, rows)
	m.line("Median time of a page, in µs. A dash is what a peer has no way to do.")
	m.matrix(lists, workloadName, func(p *workload.Peer) string { return micros(p.Median) })
	m.line("Times this library's, the median over the rounds of the ratio within each.")
	m.matrix(lists, workloadName, func(p *workload.Peer) string { return ratio(p.VsUs) })
	m.line("99th percentile, in µs.")
	m.matrix(lists, workloadName, func(p *workload.Peer) string { return micros(p.P99) })
	m.line("Go allocations a page; what C code and memory-mapped files take is not among them.")
	m.matrix(lists, workloadName, func(p *workload.Peer) string { return fmt.Sprintf("%.0f", p.Allocs) })
	rows = nil
	for _, r := range lists {
		us, ok := r.Of(workload.Us)
		if !ok {
			continue
		}
		rows = append(rows, []string{
			r.Workload, micros(us.Median), ratio(us.VsFloor), optional(us.Examined),
			fmt.Sprintf("%.0f", us.Allocs), fmt.Sprintf("%.1f", us.Bytes/1024),
		})
	}
	m.line("This library, a page:")
	m.table(1, []string{"page", "median µs", "× floor", "keys examined", "allocations", "KB allocated"}, rows)
}

func (m *markdown) readers() {
	for _, readers := range workload.ReaderCounts {
		var alone, beside []*workload.Result
		for _, r := range m.report.Results {
			if r.Readers != readers {
				continue
			}
			if r.Writer {
				beside = append(beside, r)
			} else {
				alone = append(alone, r)
			}
		}
		if len(beside) == 0 {
			continue
		}
		m.line("## %d readers at once", readers)
		m.line("Median time of a page in µs, with nobody writing.")
		m.matrix(alone, workloadName, func(p *workload.Peer) string { return micros(p.Median) })
		m.line("The same beside a writer that commits single jobs without pause.")
		m.matrix(beside, workloadName, func(p *workload.Peer) string { return micros(p.Median) })
	}
}

func (m *markdown) others() {
	section := func(title, about, workloadOf string, label func(*workload.Result) string, cell func(*workload.Peer) string) {
		results := m.report.find(workloadOf)
		if len(results) == 0 {
			return
		}
		m.line("## %s", title)
		m.line("%s", about)
		m.matrix(results, label, cell)
	}
	median := func(p *workload.Peer) string { return micros(p.Median) }
	rate := func(p *workload.Peer) string { return fmt.Sprintf("%.0f", p.PerSecond) }
	section("Count, get, JSON", "Median in µs.", "count", about, median)
	for _, name := range []string{"get", "json"} {
		m.matrix(m.report.find(name), about, median)
	}
	section("Walk of everything", "Seconds.", "walk", about, func(p *workload.Peer) string {
		return fmt.Sprintf("%.2f", p.Median.Seconds())
	})
	section("Page by depth", "Median in µs; OFFSET is LIMIT 20 OFFSET n.", "depth", about, median)
	m.sizes()
	section("Durable creates", "Jobs a second.", "create", func(r *workload.Result) string {
		return fmt.Sprintf("%d goroutines", r.Goroutines)
	}, rate)
	section("Durable status update", "Median in µs.", "update", about, median)
	section("Bulk import", "µs a job, in batches of 1,000.", "import", about, func(p *workload.Peer) string {
		return fmt.Sprintf("%.1f", float64(p.Mean)/1000/1000)
	})
	section("Disk", "Bytes a job after that import.", "disk", about, func(p *workload.Peer) string {
		return fmt.Sprintf("%.0f", p.Figure)
	})
	section("Open", "Median in ms, first page included.", "open", about, func(p *workload.Peer) string {
		return fmt.Sprintf("%.2f", float64(p.Median)/float64(time.Millisecond))
	})
	section("Memory", "MB of Go heap. SQLite in C and Pebble's cache keep theirs outside of it.", "heap", about, func(p *workload.Peer) string {
		return fmt.Sprintf("%.1f", p.Figure/(1<<20))
	})
}

func about(r *workload.Result) string { return r.About }

func (m *markdown) sizes() {
	var results []*workload.Result
	for _, r := range m.report.Results {
		if r.OfSizes {
			results = append(results, r)
		}
	}
	if len(results) == 0 {
		return
	}
	m.line("## Page by size of the store")
	m.line("Median in µs.")
	m.matrix(results, func(r *workload.Result) string { return fmt.Sprintf("%s, %d jobs", r.Workload, r.Size) },
		func(p *workload.Peer) string { return micros(p.Median) })
}

func (m *markdown) targets() {
	var rows [][]string
	for _, t := range m.report.Targets() {
		rows = append(rows, []string{t.Name, fmt.Sprintf("%.3g %s", t.Measured, t.Unit), t.Limit(), t.Verdict(), t.Detail})
	}
	if len(rows) == 0 {
		return
	}
	m.line("## What was to be reached")
	m.table(5, []string{"", "measured", "bound", "", ""}, rows)
}
