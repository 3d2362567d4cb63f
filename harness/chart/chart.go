// Package chart draws one quantity over the time of a bed as an SVG that is part of a
// page: lines, with the windows of faults shaded behind them. Colours are the page's own
// CSS variables, so that one drawing does for light, dark and paper. It is the only door
// to gonum's plot.
//
//	svg, err := chart.Chart{Name: "peers counted", Until: 12, Series: series, Bands: faults}.SVG()
package chart

import (
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a quantity over time. It begins with the bed.
type Chart struct {
	Name   string  // for those who do not see it
	Until  float64 // seconds
	Series []Series
	Bands  []Band
	Bytes  bool // the quantity is bytes, and ticks are at powers of 1024
}

// Series is one line.
type Series struct {
	Name   string
	Colour string // of the page's CSS variables: "--" and this
	Points []Point
	Step   bool // a value stands until the next one
	Dashed bool
}

// Point is a value at a time in seconds.
type Point struct{ At, Value float64 }

// Band is a window of time in seconds.
type Band struct{ From, To float64 }

// Size of a drawing in units of its own; a page scales it. Letters of that size can still
// be read where a drawing is as wide as a phone.
const (
	width, height = 420, 190
	letters       = 11
)

// Colours that are put in place of variables when all is drawn, see recolour.
const (
	ink, grid, band = "ink", "grid", "band"
)

// SVG draws the chart.
func (c Chart) SVG() (string, error) {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	palette := palette{}
	top, marks := c.scale()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, max(c.Until, 1), 0, top
	p.X.Tick.Marker = plot.ConstantTicks(seconds(p.X.Max))
	p.Y.Tick.Marker = plot.ConstantTicks(marks)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.Width, axis.Tick.Width, axis.Tick.Length = 0, 0, 4 // a gap, no mark
		axis.Tick.Label.Color = palette.colour(ink)
		axis.Tick.Label.Font.Size = letters
		axis.Tick.Label.Font.Variant = "Sans"
	}
	for _, b := range c.Bands {
		from, to := max(b.From, 0), min(b.To, p.X.Max)
		area, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: 0}, {X: from, Y: top}, {X: to, Y: top}, {X: to, Y: 0}})
		if err != nil {
			return "", fmt.Errorf("draw a window of %s: %w", c.Name, err)
		}
		area.Color, area.Width = palette.colour(band), 0
		p.Add(area)
	}
	p.Add(rules(palette.colour(grid)))
	for _, s := range c.Series {
		line, err := c.line(s, palette)
		if err != nil {
			return "", err
		}
		if line != nil {
			p.Add(line)
		}
	}
	canvas := vgsvg.New(width, height)
	area := draw.New(canvas)
	area = draw.Crop(area, 2, -8, 0, -6)
	p.Draw(area)
	inner := p.DataCanvas(area)
	var b strings.Builder
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", c.Name, err)
	}
	return c.dress(palette.recolour(b.String()), float64(inner.Min.X), float64(inner.Max.X), p.X.Max), nil
}

func (c Chart) line(s Series, palette palette) (*plotter.Line, error) {
	points := make(plotter.XYs, 0, len(s.Points)+1)
	for _, p := range s.Points {
		if p.At <= max(c.Until, 1) {
			points = append(points, plotter.XY{X: p.At, Y: p.Value})
		}
	}
	if len(points) == 0 {
		return nil, nil
	}
	if s.Step { // what was seen last is so to the end, as far as is known
		points = append(points, plotter.XY{X: max(c.Until, 1), Y: points[len(points)-1].Y})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("draw %s of %s: %w", s.Name, c.Name, err)
	}
	line.Color, line.Width = palette.colour(s.Colour), 1.8
	if s.Step {
		line.StepStyle = plotter.PostStep
	}
	if s.Dashed {
		line.Dashes = []vg.Length{5, 3}
	}
	return line, nil
}

// rules are the horizontal lines behind a chart.
func rules(c color.Color) plot.Plotter {
	g := plotter.NewGrid()
	g.Vertical.Width = 0
	g.Horizontal.Width, g.Horizontal.Color = 0.7, c
	return g
}

// scale is where the vertical axis ends, and its ticks.
func (c Chart) scale() (top float64, marks []plot.Tick) {
	for _, s := range c.Series {
		for _, p := range s.Points {
			top = max(top, p.Value)
		}
	}
	unit, name := 1.0, ""
	if c.Bytes {
		for _, u := range []struct {
			name string
			size float64
		}{{" KiB", 1 << 10}, {" MiB", 1 << 20}, {" GiB", 1 << 30}} {
			if top >= u.size {
				unit, name = u.size, u.name
			}
		}
	}
	step := nice(max(top/unit, 1)/4, !c.Bytes)
	for v := 0.0; ; v += step {
		label := strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + name
		if v == 0 {
			label = "0"
		}
		marks = append(marks, plot.Tick{Value: v * unit, Label: label})
		if v*unit >= top && v > 0 {
			return v * unit, marks
		}
	}
}

// nice is the first of 1, 2, 5, 10, ... that is not less; of whole ones if the quantity
// is counted.
func nice(least float64, whole bool) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	if whole {
		power = max(power, 1)
	}
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= least {
			return m * power
		}
	}
	return 10 * power
}

// seconds are the ticks of time: at most seven, at what people count in.
func seconds(until float64) []plot.Tick {
	const most = 7
	step := 1.0
	for _, step = range []float64{0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600} {
		if until/step <= most {
			break
		}
	}
	var marks []plot.Tick
	for at := 0.0; at <= until; at += step {
		marks = append(marks, plot.Tick{Value: at, Label: strings.TrimSuffix(fmt.Sprintf("%.1f", at), ".0") + " s"})
	}
	return marks
}

var (
	head  = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	fonts = regexp.MustCompile(`font-family:[^;"]*;|font-(?:variant|style|weight):[^;"]*;|font-size:[^;"]*;?`)
	space = regexp.MustCompile(`\s*\n\s*`)
)

// dress makes a part of a page of a drawing: it says what it is, and where on it time
// begins and ends, for those who read values off it.
func (c Chart) dress(svg string, from, to, until float64) string {
	svg = head.ReplaceAllString(svg, "")
	svg = fonts.ReplaceAllString(svg, "")
	svg = space.ReplaceAllString(svg, " ")
	return fmt.Sprintf(`<svg class="chart" role="img" aria-label="%s" viewBox="0 0 %d %d" data-from="%.1f" data-to="%.1f" data-until="%g">%s`,
		escape(c.Name), width, height, from, to, until, svg)
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&#34;").Replace(text)
}
