package report

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/jobstore/jobstore/bench/workload"
)

// A plotFile is a plot that was written as SVG and PNG.
type plotFile struct{ name, title string }

const (
	glyphRadius = 3.5
	legendWidth = 120
)

// plots draws every plot that there are results for.
func (r *Report) plots(dir string) (files []plotFile, err error) {
	for _, p := range []struct {
		name, title string
		draw        func() (*figure, error)
	}{
		{"latency", "A page, by workload and peer", r.latency},
		{"sizes", "A page, by size of the store", r.bySize},
		{"depth", "A page, by depth", r.byDepth},
		{"creates", "Durable creates, by goroutines", r.creates},
	} {
		f, err := p.draw()
		if err == nil && f != nil {
			err = f.save(filepath.Join(dir, p.name))
			files = append(files, plotFile{p.name, p.title})
		}
		if err != nil {
			return files, fmt.Errorf("plot %s: %w", p.name, err)
		}
	}
	return files, nil
}

// A figure is some panels side by side and one legend.
type figure struct {
	panels        []*plot.Plot
	legend        plot.Legend
	inLegend      map[string]bool
	width, height vg.Length
}

func newFigure(width, height vg.Length) *figure {
	f := &figure{legend: plot.NewLegend(), inLegend: map[string]bool{}, width: width, height: height}
	f.legend.Top = true
	f.legend.Left = true
	f.legend.YPosition = draw.PosCenter
	f.legend.ThumbnailWidth = 26
	f.legend.Padding = 3
	f.legend.TextStyle.Font.Size = 10
	return f
}

func (f *figure) panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font = font.Font{Typeface: p.Title.TextStyle.Font.Typeface, Variant: "Sans", Size: 13}
	p.Title.Padding = 8
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Variant = "Sans"
		axis.Label.TextStyle.Font.Size = 11
		axis.Label.Padding = 4
		axis.Tick.Label.Font.Variant = "Sans"
		axis.Tick.Label.Font.Size = 10
	}
	f.legend.TextStyle.Font.Variant = "Sans"
	f.panels = append(f.panels, p)
	return p
}

// curve adds a line with points.
func (f *figure) curve(p *plot.Plot, name string, points plotter.XYs) error {
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	s := styleOf(name)
	line.Color, line.Width, line.Dashes = s.color, 1.4, s.dash
	dots.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: glyphRadius, Shape: s.shape}
	if name == workload.Us {
		line.Width = 2.4
	}
	p.Add(line, dots)
	f.label(name, line, dots)
	return nil
}

func (f *figure) label(name string, thumbs ...plot.Thumbnailer) {
	if !f.inLegend[name] {
		f.inLegend[name] = true
		f.legend.Add(name, thumbs...)
	}
}

func (f *figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Path())
	const margin = 10
	c = draw.Crop(c, margin, -margin, margin, -margin)
	panels := draw.Crop(c, 0, -legendWidth, 0, 0)
	tiles := draw.Tiles{Rows: 1, Cols: len(f.panels), PadX: 24}
	for i, p := range f.panels {
		p.Draw(tiles.At(panels, i, 0))
	}
	legend := draw.Crop(c, c.Max.X-c.Min.X-legendWidth+14, 0, 0, -24)
	f.legend.Draw(legend)
}

// save writes the figure to path with .svg and .png added.
func (f *figure) save(path string) error {
	svg := vgsvg.New(f.width, f.height)
	f.draw(draw.New(svg))
	const dpi = 144
	img := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dpi))
	f.draw(draw.New(img))
	return errors.Join(writeFile(path+".svg", svg), writeFile(path+".png", vgimg.PngCanvas{Canvas: img}))
}

func writeFile(path string, content vg.CanvasWriterTo) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = content.WriteTo(file)
	return errors.Join(err, file.Close())
}

// latency draws a row for each page and a mark for each peer.
func (r *Report) latency() (*figure, error) {
	lists := r.lists()
	if len(lists) == 0 {
		return nil, nil
	}
	f := newFigure(860, vg.Length(110+26*len(lists)))
	p := f.panel(fmt.Sprintf("Time of a page at %s jobs, median", short(r.Size)), "µs, logarithmic", "")
	logarithmic(&p.X)
	p.Y.Min, p.Y.Max = -0.6, float64(len(lists))-0.4
	var ticks []plot.Tick
	for i, l := range lists {
		ticks = append(ticks, plot.Tick{Value: float64(len(lists) - 1 - i), Label: l.Workload})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Length = 0
	p.Y.Width = 0
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = rgb(0xDDDDDD), rgb(0xEEEEEE)
	p.Add(grid)
	var us plot.Plotter // drawn last, on top of the others
	for _, name := range names(lists) {
		var points plotter.XYs
		label := name
		for i, l := range lists {
			if peer, ok := l.Of(name); ok {
				points = append(points, plotter.XY{X: micro(peer), Y: float64(len(lists) - 1 - i)})
				if peer.Size > 0 {
					label = fmt.Sprintf("%s at %s", name, short(peer.Size))
				}
			}
		}
		if len(points) == 0 {
			continue
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return nil, err
		}
		s := styleOf(name)
		dots.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: glyphRadius, Shape: s.shape}
		f.label(label, dots)
		if name == workload.Us {
			us = dots
			continue
		}
		p.Add(dots)
	}
	if us != nil {
		p.Add(us)
	}
	widen(&p.X, 1.3)
	return f, nil
}

// bySize draws a panel for each page that was measured at several sizes.
func (r *Report) bySize() (*figure, error) {
	byWorkload := map[string][]*workload.Result{}
	var order []string
	for _, result := range r.Results {
		if !result.OfSizes {
			continue
		}
		if byWorkload[result.Workload] == nil {
			order = append(order, result.Workload)
		}
		byWorkload[result.Workload] = append(byWorkload[result.Workload], result)
	}
	if len(order) == 0 {
		return nil, nil
	}
	f := newFigure(vg.Length(140+340*len(order)), 380)
	for _, name := range order {
		p := f.panel("Page "+name, "jobs in the store", "µs, median")
		results := byWorkload[name]
		err := f.curves(p, results, func(r *workload.Result) float64 { return float64(r.Size) }, micro)
		if err != nil {
			return nil, err
		}
		logarithmic(&p.X)
		logarithmic(&p.Y)
		var ticks []plot.Tick
		for _, result := range results {
			ticks = append(ticks, plot.Tick{Value: float64(result.Size), Label: short(result.Size)})
		}
		p.X.Tick.Marker = plot.ConstantTicks(ticks)
		widen(&p.X, 1.15)
		widen(&p.Y, 1.4)
	}
	return f, nil
}

func (r *Report) byDepth() (*figure, error) {
	results := r.find("depth")
	if len(results) < 2 {
		return nil, nil
	}
	f := newFigure(760, 420)
	p := f.panel(fmt.Sprintf("A page by its depth, %s jobs", short(r.Size)), "depth, % of the jobs", "µs, median, logarithmic")
	depth := func(r *workload.Result) float64 { return float64(r.Percent) }
	// The indexes make no difference here.
	if err := f.curves(p, results, depth, micro, "mattn-single", "modernc-single"); err != nil {
		return nil, err
	}
	logarithmic(&p.Y)
	widen(&p.Y, 1.4)
	p.X.Min, p.X.Max = -2, 102
	return f, nil
}

func (r *Report) creates() (*figure, error) {
	results := r.find("create")
	if len(results) < 2 {
		return nil, nil
	}
	f := newFigure(760, 420)
	p := f.panel("Durable creates of single jobs", "goroutines", "jobs a second, logarithmic")
	rate := func(p *workload.Peer) float64 { return p.PerSecond }
	if err := f.curves(p, results, func(r *workload.Result) float64 { return float64(r.Goroutines) }, rate); err != nil {
		return nil, err
	}
	logarithmic(&p.X)
	logarithmic(&p.Y)
	var ticks []plot.Tick
	for _, result := range results {
		ticks = append(ticks, plot.Tick{Value: float64(result.Goroutines), Label: strconv.Itoa(result.Goroutines)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	widen(&p.X, 1.1)
	widen(&p.Y, 1.3)
	return f, nil
}

// curves adds a curve for each peer of results but those to be left out.
func (f *figure) curves(p *plot.Plot, results []*workload.Result, x func(*workload.Result) float64, y func(*workload.Peer) float64, without ...string) error {
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = rgb(0xEEEEEE), rgb(0xDDDDDD)
	p.Add(grid)
	for _, name := range names(results) {
		var points plotter.XYs
		for _, r := range results {
			if peer, ok := r.Of(name); ok {
				points = append(points, plotter.XY{X: x(r), Y: y(peer)})
			}
		}
		if len(points) == 0 || slices.Contains(without, name) {
			continue
		}
		if err := f.curve(p, name, points); err != nil {
			return err
		}
	}
	return nil
}

func micro(p *workload.Peer) float64 { return float64(p.Median) / 1000 }
