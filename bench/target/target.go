// Package target measures what the library has to reach: bounds on ratios within
// one run, and on sizes.
package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/jobstore/jobstore/bench/cache"
	"github.com/jobstore/jobstore/bench/dataset"
	"github.com/jobstore/jobstore/bench/harness"
	"github.com/jobstore/jobstore/bench/peer"
	"github.com/jobstore/jobstore/bench/peer/embedded"
	"github.com/jobstore/jobstore/bench/peer/floor"
)

// A Target is a bound and what was measured against it.
type Target struct {
	Name     string  `json:"name"`
	Measured float64 `json:"measured"`
	Bound    float64 `json:"bound"` // 0 for a figure that has none
	AtLeast  bool    `json:"at_least,omitempty"`
	Unit     string  `json:"unit"`
	Detail   string  `json:"detail,omitempty"`
}

// Met reports whether the bound is kept.
func (t Target) Met() bool {
	if t.AtLeast {
		return t.Measured >= t.Bound
	}
	return t.Measured <= t.Bound
}

// Verdict is "met", "missed", or nothing for a figure without a bound.
func (t Target) Verdict() string {
	switch {
	case t.Bound == 0:
		return ""
	case t.Met():
		return "met"
	}
	return "missed"
}

// Limit writes the bound out.
func (t Target) Limit() string {
	switch {
	case t.Bound == 0:
		return ""
	case t.AtLeast:
		return fmt.Sprintf("≥ %.4g", t.Bound)
	}
	return fmt.Sprintf("≤ %.4g", t.Bound)
}

// Table writes targets for a terminal.
func Table(w io.Writer, targets []Target) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "target\tmeasured\tbound\t\tdetail")
	for _, target := range targets {
		_, _ = fmt.Fprintf(t, "%s\t%.4g %s\t%s\t%s\t%s\n",
			target.Name, target.Measured, target.Unit, target.Limit(), target.Verdict(), target.Detail)
	}
	return t.Flush()
}

// A Run says on what the targets are measured.
type Run struct {
	Folder   *cache.Folder
	Size     int // jobs in the large store
	Rounds   int
	Pages    int // pages a round and peer
	Seed     uint64
	Progress func(title string, total int) (add func(int), done func())
}

// small is the store that a large one is compared with.
const small = 10_000

// groups are the targets that are measured together.
var groups = []struct {
	name    string
	measure func(*Run, context.Context) ([]Target, error)
}{
	{"pages", (*Run).pages},
	{"flat", (*Run).flat},
	{"adversarial", (*Run).adversarial},
	{"count", (*Run).count},
	{"open", (*Run).opening},
	{"heap", (*Run).heap},
	{"create", (*Run).create},
	{"import", (*Run).bulk},
}

// Groups returns the names of what can be measured.
func Groups() (names []string) {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// All measures the groups that only names, every one when it names none. After
// an error it returns what it had by then.
func (r *Run) All(ctx context.Context, only []string) ([]Target, error) {
	var targets []Target
	for _, g := range groups {
		if len(only) > 0 && !slices.Contains(only, g.name) {
			continue
		}
		measured, err := g.measure(r, ctx)
		if err != nil {
			return targets, fmt.Errorf("%s: %w", g.name, err)
		}
		targets = append(targets, measured...)
	}
	return targets, nil
}

func (r *Run) realistic() dataset.Set {
	return dataset.Set{Name: dataset.Realistic, Size: r.Size, Seed: r.Seed}
}

// reader opens p's store of set for reading.
func (r *Run) reader(ctx context.Context, set dataset.Set, p peer.Peer) (peer.Reader, func() error, error) {
	dir, err := r.Folder.Dir(ctx, set, p)
	if err != nil {
		return nil, nil, err
	}
	store, err := p.Open(dir, peer.Reading)
	if err != nil {
		return nil, nil, err
	}
	reader, err := store.Reader()
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return reader, func() error { return errors.Join(reader.Close(), store.Close()) }, nil
}

// interleave is harness.Interleave with a progress bar.
func (r *Run) interleave(title string, s harness.Schedule, subjects []harness.Subject) ([]harness.Series, error) {
	add, done := r.Progress(title, s.Rounds*len(subjects))
	defer done()
	return harness.Interleave(s, subjects, func() { add(1) })
}

func (r *Run) schedule() harness.Schedule {
	return harness.Schedule{Rounds: r.Rounds, Ops: r.Pages, Seed: r.Seed}
}

var (
	us         = embedded.New()
	theFloor   = floor.New(floor.Decoded)
	bytesFloor = floor.New(floor.Bytes)
)
