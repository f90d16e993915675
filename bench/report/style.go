package report

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/jobstore/jobstore/bench/workload"
)

// A style tells peers apart by colour and by shape, so that they differ in
// black and white too. The colours are those of Okabe and Ito.
type style struct {
	color color.Color
	shape draw.GlyphDrawer
	dash  []vg.Length
}

func rgb(hex uint32) color.Color {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

var styles = map[string]style{
	"floor-bytes":     {rgb(0x999999), draw.PlusGlyph{}, []vg.Length{1, 2}},
	"floor":           {rgb(0x777777), draw.CrossGlyph{}, []vg.Length{4, 2}},
	"jobstore":        {rgb(0x000000), draw.CircleGlyph{}, nil},
	"mattn":           {rgb(0x0072B2), draw.BoxGlyph{}, nil},
	"mattn-single":    {rgb(0x56B4E9), draw.SquareGlyph{}, []vg.Length{4, 2}},
	"mattn-grouped":   {rgb(0x003366), diamond{}, []vg.Length{6, 2, 1, 2}},
	"modernc":         {rgb(0xD55E00), draw.PyramidGlyph{}, nil},
	"modernc-single":  {rgb(0xE69F00), draw.TriangleGlyph{}, []vg.Length{4, 2}},
	"modernc-grouped": {rgb(0x8B2500), draw.PlusGlyph{}, []vg.Length{6, 2, 1, 2}},
	"river":           {rgb(0xCC79A7), draw.RingGlyph{}, nil},
	"pebble":          {rgb(0x009E73), diamond{filled: true}, nil},
	"bolthold":        {rgb(0x8C6D31), diamond{}, []vg.Length{1, 2}},
	"badgerhold":      {rgb(0x6A3D9A), draw.PlusGlyph{}, []vg.Length{1, 2}},
	"bbolt-plain":     {rgb(0x777777), draw.CrossGlyph{}, []vg.Length{4, 2}},
	"bbolt-tuned":     {rgb(0xBBBBBB), draw.PlusGlyph{}, []vg.Length{1, 2}},

	"mattn" + workload.OffsetSuffix:   {rgb(0x0072B2), draw.SquareGlyph{}, []vg.Length{4, 2}},
	"modernc" + workload.OffsetSuffix: {rgb(0xD55E00), draw.TriangleGlyph{}, []vg.Length{4, 2}},
}

func styleOf(peer string) style {
	if s, ok := styles[peer]; ok {
		return s
	}
	return style{rgb(0xF0E442), draw.PlusGlyph{}, nil}
}

// A diamond is a square on its corner.
type diamond struct{ filled bool }

func (d diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.2
	var path vg.Path
	path.Move(vg.Point{X: p.X, Y: p.Y + r})
	path.Line(vg.Point{X: p.X + r, Y: p.Y})
	path.Line(vg.Point{X: p.X, Y: p.Y - r})
	path.Line(vg.Point{X: p.X - r, Y: p.Y})
	path.Close()
	if d.filled {
		c.Fill(path)
		return
	}
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: vg.Points(0.5)})
	c.Stroke(path)
}
