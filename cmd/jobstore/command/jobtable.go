package command

import (
	"io"
	"time"

	"github.com/jobstore/jobstore"
)

// A jobTable prints jobs as a table: aligned, and in colours, for a terminal, with
// tabs for a program.
type jobTable struct {
	out     io.Writer
	now     time.Time // what ages are reckoned from
	grid    grid
	columns int // of the terminal, or 0 when there is none
}

func newJobTable(w io.Writer, now time.Time) *jobTable {
	t := &jobTable{
		out: w,
		now: now,
		grid: grid{
			header:  []string{"id", "kind", "status", "input", "age", "duration"},
			right:   []int{4, 5},
			elastic: 3,
			drop:    []int{5, 4, 1, 3, 2}, // never the ID
			fit:     snip,
		},
	}
	if columns, ok := terminalWidth(w); ok {
		t.fit(columns, colours(w))
	}
	return t
}

// fit lays the table out for a terminal.
func (t *jobTable) fit(columns int, colours bool) {
	t.columns = columns
	if colours {
		t.grid.paint = map[int]func(string) string{2: paintStatus}
	}
}

// flushRows is the number of rows that a program has to wait for. A terminal
// gets all at once, as the widths of the columns depend on them.
const flushRows = 1000

func (t *jobTable) write(j *jobstore.Job) error {
	t.grid.add(string(j.ID), j.Kind.String(), j.Status.String(), j.Input, jobAge(j, t.now), jobDuration(j, t.now))
	if t.columns > 0 || len(t.grid.rows) < flushRows {
		return nil
	}
	err := t.close()
	t.grid.header, t.grid.rows = nil, t.grid.rows[:0]
	return err
}

func (t *jobTable) close() error {
	text := t.grid.tabs()
	if t.columns > 0 {
		text = t.grid.render(t.columns) + "\n"
	}
	_, err := io.WriteString(t.out, text)
	return err
}

// jobAge returns how long ago j was created.
func jobAge(j *jobstore.Job, now time.Time) string {
	if j.CreatedAt.IsZero() {
		return "-"
	}
	return formatSpan(now.Sub(j.CreatedAt))
}

// jobDuration returns how long j has been worked on so far.
func jobDuration(j *jobstore.Job, now time.Time) string {
	switch {
	case j.StartedAt.IsZero():
		return "-"
	case !j.FinishedAt.IsZero():
		return formatSpan(j.FinishedAt.Sub(j.StartedAt))
	case j.Status == jobstore.StatusProcessing:
		return formatSpan(now.Sub(j.StartedAt))
	}
	return "-"
}

// statusColours are the terminal's codes for the colours of statuses.
var statusColours = map[string]string{
	jobstore.StatusProcessing.String(): "36", // cyan
	jobstore.StatusSucceeded.String():  "32", // green
	jobstore.StatusFailed.String():     "31", // red
	jobstore.StatusCancelled.String():  "33", // yellow
}

func paintStatus(status string) string {
	if code, ok := statusColours[status]; ok {
		return "\x1b[" + code + "m" + status + "\x1b[0m"
	}
	return status
}
