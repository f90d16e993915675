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
	columns, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil || columns <= 0 {
		columns = 80
	}
	return columns, true
}
