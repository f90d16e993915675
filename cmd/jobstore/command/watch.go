package command

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

// shortestWatch is the least time between two lists of --watch.
const shortestWatch = 100 * time.Millisecond

// watch lists the page every so often until the context ends. A file is opened
// for each list and closed again, so that others can write.
func (l *lister) watch(cmd *cobra.Command) error {
	if l.every.span < shortestWatch {
		return &jobstore.FieldError{
			Field: "every", Value: l.every.String(), Reason: "must be " + shortestWatch.String() + " or longer",
		}
	}
	with := func(fn func(source) error) error { return withSource(cmd, reading, fn) }
	if serverURL(cmd) != "" {
		c, err := newClient(cmd) // one for all lists, as it remembers the page
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		with = func(fn func(source) error) error { return fn(c) }
	}
	view := newView(cmd, l)
	shown, complained := false, false
	for {
		page, err := l.watched(cmd, with)
		switch {
		case cmd.Context().Err() != nil: // Ctrl-C is how a watch ends
		case err == nil:
			if err := view(page); err != nil {
				return err
			}
			shown = true
		case !shown:
			return err
		case !complained:
			// It goes on: the server may be starting again, or a writer may hold the
			// file.
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "jobstore: "+oneLine(err))
		}
		complained = err != nil
		select {
		case <-cmd.Context().Done():
			return nil
		case <-time.After(l.every.span):
		}
	}
}

// watched lists the page as of now: an age in the flags moves on with the clock.
func (l *lister) watched(cmd *cobra.Command, with func(func(source) error) error) (page jobstore.Page, err error) {
	q, err := l.query.query(time.Now())
	if err != nil {
		return page, err
	}
	err = with(func(jobs source) error {
		page, err = jobs.List(cmd.Context(), q)
		return err
	})
	return page, err
}

// newView returns what shows a page: to a terminal in the place of the one before,
// to a program behind it, if it has changed.
func newView(cmd *cobra.Command, l *lister) func(jobstore.Page) error {
	out := cmd.OutOrStdout()
	if isTerminal(out) {
		title := "every " + l.every.String() + ", Ctrl-C ends"
		return func(page jobstore.Page) error {
			f := frame{colours: colours(out)}
			f.columns, f.rows = terminalSize(out)
			text, err := f.draw(l, title, page, time.Now())
			if err == nil {
				_, err = io.WriteString(out, text)
			}
			return err
		}
	}
	var last []byte
	return func(page jobstore.Page) error {
		now := []byte{'['} // so that an empty first page is a change
		for i := range page.Jobs {
			now = page.Jobs[i].AppendJSON(now)
		}
		if bytes.Equal(now, last) {
			return nil
		}
		last = now
		return printPage(l.printer(out, time.Now()), page)
	}
}

// A frame is what a terminal shows of a watch.
type frame struct {
	columns, rows int // of the terminal
	colours       bool
}

// draw returns the text that puts page in the place of what the terminal shows.
// Lines past the last row are left out, and what is past the last column but one is
// cut off: a line that wraps would push others out, and a line that reaches the last
// column would lose it when the rest of the row is cleared.
func (f frame) draw(l *lister, title string, page jobstore.Page, now time.Time) (string, error) {
	var text bytes.Buffer
	p := l.printer(&text, now)
	if table, ok := p.(*jobTable); ok {
		table.fit(f.columns-1, f.colours)
	}
	if err := printPage(p, page); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	lines = append([]string{now.Format(time.TimeOnly) + "  " + title, ""}, lines...)
	lines = lines[:min(len(lines), max(1, f.rows-1))]
	for i := range lines {
		lines[i] = snip(lines[i], f.columns-1)
	}
	const home, endOfLine, endOfScreen = "\x1b[H", "\x1b[K", "\x1b[J"
	return home + strings.Join(lines, endOfLine+"\n") + endOfLine + "\n" + endOfScreen, nil
}
