package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

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
	// drop are the columns that are left out, one after the other, where that is
	// not enough.
	drop []int
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
	if narrow, ok := g.narrowed(width); ok {
		return narrow.render(width)
	}
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

// leastRoom is the width of the elastic column below which it cannot be read.
const leastRoom = 16

// room returns how many columns the other cells leave to the elastic one, and
// never less than can be read.
func (g *grid) room(width int) int {
	for i := range g.header {
		if i != g.elastic {
			width -= g.widest(i) + len(gap)
		}
	}
	return max(leastRoom, width)
}

// widest returns the width of a column.
func (g *grid) widest(column int) int {
	widest := text.StringWidth(g.header[column])
	for _, row := range g.rows {
		widest = max(widest, text.StringWidth(row[column]))
	}
	return widest
}

// width returns how wide the table is when the elastic column has as little room
// as it can have.
func (g *grid) width() int {
	sum := -len(gap)
	for i := range g.header {
		widest := g.widest(i)
		if i == g.elastic {
			widest = min(widest, leastRoom)
		}
		sum += widest + len(gap)
	}
	return sum
}

// narrowed returns the table without the column that is left out first, if it is
// too wide.
func (g *grid) narrowed(width int) (*grid, bool) {
	if len(g.drop) == 0 || g.width() <= width {
		return nil, false
	}
	gone := g.drop[0]
	moved := func(column int) int {
		if column > gone {
			return column - 1
		}
		return column
	}
	narrow := &grid{header: without(g.header, gone), elastic: moved(g.elastic), fit: g.fit}
	if g.elastic == gone {
		narrow.elastic, narrow.fit = -1, nil
	}
	for _, row := range g.rows {
		narrow.rows = append(narrow.rows, without(row, gone))
	}
	for _, column := range g.right {
		if column != gone {
			narrow.right = append(narrow.right, moved(column))
		}
	}
	for _, column := range g.drop[1:] {
		narrow.drop = append(narrow.drop, moved(column))
	}
	narrow.paint = map[int]func(string) string{}
	for column, paint := range g.paint {
		if column != gone {
			narrow.paint[moved(column)] = paint
		}
	}
	return narrow, true
}

func without(cells []string, column int) []string {
	return slices.Delete(slices.Clone(cells), column, column+1)
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
