package command

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// fileOf returns the file that w writes to, or nil.
func fileOf(w io.Writer) *os.File {
	if patient, ok := w.(*patientWriter); ok {
		return patient.f
	}
	f, _ := w.(*os.File)
	return f
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
	columns, rows, err := term.GetSize(int(fileOf(w).Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// colours reports whether w shows colours and its owner wants them.
func colours(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// printable returns s with control characters, and whatever else does not show,
// written as escapes: an input URL, or what a server says, is anybody's text. What
// it returns can neither steer a terminal nor change the order of what it shows.
func printable(s string) string {
	return string(appendPrintable(nil, []byte(s), func(r rune) string {
		quoted := fmt.Sprintf("%+q", string(r))
		return quoted[1 : len(quoted)-1]
	}, ""))
}

// appendPrintable appends text to dst, with escape in the place of every character
// that does not show and is not in kept. A byte that is no UTF-8 is shown as \xff.
func appendPrintable(dst, text []byte, escape func(rune) string, kept string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case unicode.IsPrint(r) || strings.ContainsRune(kept, r):
			dst = append(dst, text[:size]...)
		default:
			dst = append(dst, escape(r)...)
		}
		text = text[size:]
	}
	return dst
}

// A jsonTerminal is a terminal that JSON is written to. Characters that do not show
// are written as the escapes that JSON has for them, so that it stays the same JSON.
type jsonTerminal struct {
	w    io.Writer
	text []byte
	part []byte // the beginning of a character whose end has not come yet
}

func (t *jsonTerminal) Write(p []byte) (int, error) {
	text := slices.Concat(t.part, p)
	end := len(text)
	for i := max(0, end-utf8.UTFMax); i < end; i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			end = i
		}
	}
	t.text = appendPrintable(t.text[:0], text[:end], escapeJSON, "\n\r\t")
	t.part = append([]byte(nil), text[end:]...)
	if _, err := t.w.Write(t.text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escapeJSON returns the escape that JSON has for r.
func escapeJSON(r rune) string {
	if r < 1<<16 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	high, low := utf16.EncodeRune(r)
	return fmt.Sprintf(`\u%04x\u%04x`, high, low)
}

// jsonOutput returns what JSON for w is to be written to.
func jsonOutput(w io.Writer) io.Writer {
	if isTerminal(w) {
		return &jsonTerminal{w: w}
	}
	return w
}
