package command

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A grid is rows under a header. A reader at a terminal gets them aligned, a
// program gets the full values between tabs.
type grid struct {
	header []string
	rows   [][]string
	right  []int // columns that are aligned to the right, counted from 0
	// elastic is the column that gives way where the terminal is too narrow.
	elastic int
	// fit makes text narrower than it is: it cuts it off or breaks it up.
	fit func(text string, width int) string
	// paint colours the cells of a column, for a terminal.
	paint map[int]func(string) string
}

// add appends a row of which nothing can break the table or the terminal.
func (g *grid) add(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	g.rows = append(g.rows, cells)
}

func (g *grid) write(w io.Writer) error {
	if width, ok := terminalWidth(w); ok {
		_, err := fmt.Fprintln(w, g.render(width))
		return err
	}
	_, err := io.WriteString(w, g.tabs())
	return err
}

// tabs returns the table for a program, without the header if that is nil.
func (g *grid) tabs() string {
	var b strings.Builder
	if g.header != nil {
		b.WriteString(strings.Join(g.header, "\t") + "\n")
	}
	for _, row := range g.rows {
		b.WriteString(strings.Join(row, "\t") + "\n")
	}
	return b.String()
}

// gap is what stands between two columns of a rendered table.
const gap = "  "

// render returns the table aligned, at most width columns wide if that can be.
func (g *grid) render(width int) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", gap
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()

	configs := make([]table.ColumnConfig, 0, len(g.right)+1)
	for _, i := range g.right {
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	if g.fit != nil {
		configs = append(configs, table.ColumnConfig{
			Number: g.elastic + 1, WidthMax: g.room(width), WidthMaxEnforcer: g.fit,
		})
	}
	for i, paint := range g.paint {
		configs = append(configs, table.ColumnConfig{
			Number: i + 1, Transformer: func(cell any) string { return paint(cell.(string)) },
		})
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(tableRow(g.header))
	for _, row := range g.rows {
		t.AppendRow(tableRow(row))
	}
	return t.Render()
}

// room returns how many columns the other cells leave to the elastic one, and
// never less than can be read.
func (g *grid) room(width int) int {
	const least = 16
	for i := range g.header {
		if i == g.elastic {
			continue
		}
		widest := text.StringWidth(g.header[i])
		for _, row := range g.rows {
			widest = max(widest, text.StringWidth(row[i]))
		}
		width -= widest + len(gap)
	}
	return max(least, width-len(gap))
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = cell
	}
	return row
}

// snip cuts text off to width.
func snip(s string, width int) string { return text.Snip(s, width, "…") }

// wrap breaks text into lines of width.
func wrap(s string, width int) string { return text.WrapHard(s, width) }

// printable returns s with control characters, and whatever else does not show,
// written as escapes: an input URL is anybody's text.
func printable(s string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			quoted := fmt.Sprintf("%+q", string(r))
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
