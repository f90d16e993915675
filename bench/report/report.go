// Package report writes down what was measured: as Markdown, as JSON and as
// plots.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/target"
	"github.com/jobstore/jobstore/bench/workload"
)

// A Report is one run.
type Report struct {
	Date    string             `json:"date"`
	Command string             `json:"command"`
	Machine harness.Machine    `json:"machine"`
	Size    int                `json:"size"`
	Rounds  int                `json:"rounds"`
	Pages   int                `json:"pages"`
	Seed    uint64             `json:"seed"`
	Peers   []Peer             `json:"peers"`
	Results []*workload.Result `json:"results"`
}

// A Peer says how a peer was set up.
type Peer struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// Continue takes over the results and peers of an older report, of which Add
// replaces what is measured again.
func (r *Report) Continue(old *Report) error {
	if old.Size != r.Size || old.Seed != r.Seed {
		return fmt.Errorf("report is of %d jobs and seed %d, not of %d and %d", old.Size, old.Seed, r.Size, r.Seed)
	}
	r.Command = old.Command + "`, then `" + r.Command
	r.Results = old.Results
	for _, p := range old.Peers {
		if !slices.Contains(r.Peers, p) {
			r.Peers = append(r.Peers, p)
		}
	}
	return nil
}

// Add adds results in the place of older ones of the same workloads.
func (r *Report) Add(results []*workload.Result) {
	for _, result := range results {
		i := slices.IndexFunc(r.Results, result.SameWorkload)
		if i < 0 {
			r.Results = append(r.Results, result)
		} else {
			r.Results[i] = result
		}
	}
}

// Read reads the report that Write has left in dir.
func Read(dir string) (*Report, error) {
	encoded, err := os.ReadFile(filepath.Join(dir, jsonName))
	if err != nil {
		return nil, err
	}
	r := &Report{}
	return r, json.Unmarshal(encoded, r)
}

const jsonName = "report.json"

// Write writes the report into dir: report.md, report.json and the plots as SVG
// and PNG.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	encoded, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	plots, err := r.plots(dir)
	return errors.Join(err,
		os.WriteFile(filepath.Join(dir, jsonName), append(encoded, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "report.md"), []byte(r.markdown(plots)), 0o644))
}

// find returns the results of a workload.
func (r *Report) find(name string) (found []*workload.Result) {
	for _, result := range r.Results {
		if result.Workload == name {
			found = append(found, result)
		}
	}
	return found
}

// lists returns the results of single readers' pages at the size of the run.
func (r *Report) lists() (found []*workload.Result) {
	for _, result := range r.Results {
		if _, ok := workload.ListNamed(result.Workload); ok && result.Readers == 0 && !result.OfSizes {
			found = append(found, result)
		}
	}
	return found
}

// page returns the result of one of lists.
func (r *Report) page(name string) *workload.Result {
	for _, result := range r.lists() {
		if result.Workload == name {
			return result
		}
	}
	return nil
}

// Targets holds the results against what the library has to reach.
func (r *Report) Targets() []target.Target {
	var t targets
	t.pages(r)
	t.counts(r)
	t.readers(r)
	t.writes(r)
	t.disk(r)
	t.json(r)
	return t.list
}

// bestSQLite returns the fastest figure of SQLite's forms, by median.
func bestSQLite(result *workload.Result) (best *workload.Peer) {
	for i := range result.Peers {
		p := &result.Peers[i]
		sqlite := strings.HasPrefix(p.Name, "mattn") || strings.HasPrefix(p.Name, "modernc")
		if sqlite && !p.Unsupported && !strings.HasSuffix(p.Name, workload.OffsetSuffix) &&
			(best == nil || p.Median < best.Median) {
			best = p
		}
	}
	return best
}

type targets struct{ list []target.Target }

func (t *targets) add(name string, measured, bound float64, atLeast bool, unit, detail string) {
	t.list = append(t.list, target.Target{
		Name: name, Measured: measured, Bound: bound, AtLeast: atLeast, Unit: unit, Detail: detail,
	})
}

func (t *targets) pages(r *Report) {
	for _, result := range r.lists() {
		us, ok := result.Of(workload.Us)
		if !ok {
			continue
		}
		if _, ok := result.Of(workload.Floor); ok {
			bound := 1.15
			if result.Workload == "hot input" {
				bound = 1.8
			}
			t.add("page "+result.Workload+" against the floor", us.VsFloor, bound, false, "×", "")
		}
		if best := bestSQLite(result); best != nil {
			bound := 2.5
			switch result.Workload {
			case "first", "middle", "anywhere", "before", "asc":
				bound = 6
			}
			t.add("page "+result.Workload+" against the best SQLite", best.VsUs, bound, true, "×", best.Name)
		}
		if river, ok := result.Of("river"); ok {
			t.add("page "+result.Workload+" against River", river.VsUs, 20, true, "×", "")
		}
	}
	if result := r.page(workload.Trap); result != nil {
		for _, name := range []string{"mattn-single", "modernc-single"} {
			if p, ok := result.Of(name); ok {
				t.add("adversarial pair against SQLite's single indexes", p.VsUs, 1000, true, "×", name)
			}
		}
	}
	t.sizes(r)
}

func (t *targets) sizes(r *Report) {
	for _, name := range []string{"anywhere", "kind+status"} {
		at := map[int]*workload.Peer{}
		for _, result := range r.find(name) {
			if p, ok := result.Of(workload.Us); ok && result.OfSizes {
				at[result.Size] = p
			}
		}
		small, large := at[100_000], at[10_000_000]
		if small != nil && large != nil {
			t.add("page "+name+" at 10M against 100k", float64(large.Median)/float64(small.Median), 1.5, false, "×", "")
		}
	}
}

func (t *targets) counts(r *Report) {
	for _, result := range r.find("count") {
		if best := bestSQLite(result); best != nil {
			t.add("count against SQLite's composite index", best.VsUs, 1000, true, "×", best.Name)
		}
	}
}

// readers compares the medians beside a writer with those of as many readers
// alone.
func (t *targets) readers(r *Report) {
	alone := map[string]*workload.Peer{}
	key := func(result *workload.Result) string { return fmt.Sprint(result.Workload, result.Readers) }
	for _, result := range r.Results {
		if p, ok := result.Of(workload.Us); ok && result.Readers > 0 && !result.Writer {
			alone[key(result)] = p
		}
	}
	for _, result := range r.Results {
		p, ok := result.Of(workload.Us)
		base := alone[key(result)]
		if !ok || !result.Writer || base == nil {
			continue
		}
		t.add(fmt.Sprintf("page %s, %d readers beside a writer", result.Workload, result.Readers),
			100*(float64(p.Median)/float64(base.Median)-1), 30, false, "% slower", "")
	}
}

func (t *targets) writes(r *Report) {
	for _, result := range r.find("create") {
		us, ok := result.Of(workload.Us)
		if !ok {
			continue
		}
		sqlite, grouped := fastest(result, "mattn", "modernc"), fastest(result, "mattn-grouped", "modernc-grouped")
		switch {
		case result.Goroutines == 1 && sqlite != nil:
			t.add("create from one goroutine against SQLite", float64(us.Median)/float64(sqlite.Median), 2.2, false, "×", sqlite.Name)
		case result.Goroutines == 64:
			if sqlite != nil {
				t.add("creates from 64 goroutines against SQLite", us.PerSecond/sqlite.PerSecond, 2.5, true, "×", sqlite.Name)
			}
			if grouped != nil {
				t.add("creates from 64 goroutines against SQLite behind a group commit", us.PerSecond/grouped.PerSecond, 1.3, true, "×", grouped.Name)
			}
		}
	}
	for _, result := range r.find("import") {
		us, ok := result.Of(workload.Us)
		if best := fastest(result, "mattn", "modernc"); ok && best != nil {
			t.add("bulk import against SQLite with composites", float64(best.Mean)/float64(us.Mean), 2.5, true, "×", best.Name)
		}
	}
}

// fastest returns the one of the peers named that has the highest rate.
func fastest(result *workload.Result, names ...string) (best *workload.Peer) {
	for _, name := range names {
		if p, ok := result.Of(name); ok && (best == nil || p.PerSecond > best.PerSecond) {
			best = p
		}
	}
	return best
}

func (t *targets) disk(r *Report) {
	for _, result := range r.find("disk") {
		us, ok := result.Of(workload.Us)
		if sqlite, found := result.Of("mattn"); ok && found {
			t.add("bytes a job against SQLite with composites", 100*us.Figure/sqlite.Figure, 85, false, "%", "")
		}
	}
}

func (t *targets) json(r *Report) {
	for _, result := range r.find("json") {
		if us, ok := result.Of(workload.Us); ok && us.VsFloor > 0 {
			t.add("JSON of 20 jobs against decode and encoding/json", us.VsFloor, 0.5, false, "×", "")
		}
	}
}
