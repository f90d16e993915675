package command

import (
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether somebody sits in front of w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth returns how many columns the terminal w has, and false when w
// is none.
func terminalWidth(w io.Writer) (columns int, ok bool) {
	if !isTerminal(w) {
		return 0, false
	}
	columns, _ = terminalSize(w)
	return columns, true
}

// terminalSize returns how many columns and rows the terminal w has.
func terminalSize(w io.Writer) (columns, rows int) {
	columns, rows, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// colours reports whether w shows colours and its owner wants them.
func colours(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
