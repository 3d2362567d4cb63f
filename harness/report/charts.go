package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"

	"github.com/faultbed/faultbed/harness/chart"
	"github.com/faultbed/faultbed/harness/history"
)

// chartView is a drawing with its legend, which is text of the page.
type chartView struct {
	ID, Name string
	SVG      template.HTML
	Legend   []legendView
	Note     string // in place of the drawing, where there is nothing to draw
}

type legendView struct {
	Name, Colour string
	Dashed       bool
}

// figuresView are a chart's values for the script of the page.
type figuresView struct {
	Name  string     `json:"name"`
	Bytes bool       `json:"bytes,omitempty"`
	Lines []lineView `json:"lines"`
	Step  bool       `json:"step,omitempty"`
}

type lineView struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
}

// charts are what a history looks like over time.
func charts(h history.History, untilMS int64) (views []chartView, figures template.JS, err error) {
	if len(h.PeerCount) == 0 && len(h.Samples) == 0 {
		return nil, "", nil
	}
	var bands []chart.Band
	for _, f := range h.Faults {
		if f.AppliedMS == nil {
			continue
		}
		b := chart.Band{From: secondsOf(*f.AppliedMS), To: secondsOf(untilMS)}
		if f.HealedMS != nil {
			b.To = secondsOf(*f.HealedMS)
		}
		bands = append(bands, b)
	}
	var values []figuresView
	for _, c := range []struct {
		id, none string
		chart.Chart
	}{
		{"count", "No supernode was ever asked whom it counts.", chart.Chart{Name: "Peers counted, by supernode", Series: counts(h)}},
		{"bytes", "This run is from before the ledger was sampled.", chart.Chart{Name: "Bytes of files per second, by source", Series: rates(h), Bytes: true}},
		{"conns", "This run is from before the ledger was sampled.", chart.Chart{Name: "Connections per second", Series: connections(h)}},
	} {
		view := chartView{ID: c.id, Name: c.Name}
		if len(c.Series) == 0 {
			view.Note = c.none
			views = append(views, view)
			continue
		}
		c.Until, c.Bands = secondsOf(untilMS), bands
		svg, err := c.SVG()
		if err != nil {
			return nil, "", err
		}
		view.SVG = template.HTML(svg) //nolint:gosec // drawn here, its words escaped
		value := figuresView{Name: c.id, Bytes: c.Bytes, Step: c.Series[0].Step}
		for _, s := range c.Series {
			view.Legend = append(view.Legend, legendView{s.Name, s.Colour, s.Dashed})
			value.Lines = append(value.Lines, lineOf(s))
		}
		views, values = append(views, view), append(values, value)
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, "", fmt.Errorf("encode figures: %w", err)
	}
	return views, template.JS(text), nil //nolint:gosec // JSON of our own, in which < is escaped
}

func lineOf(s chart.Series) lineView {
	line := lineView{Name: s.Name, Points: [][2]float64{}}
	for _, p := range s.Points {
		line.Points = append(line.Points, [2]float64{float64(int64(p.At*100)) / 100, float64(int64(p.Value*10)) / 10})
	}
	return line
}

// colours of supernodes, of which there are hardly more.
var colours = []string{"seeds", "origin", "peers", "failed"}

// counts is a line for every supernode.
func counts(h history.History) (series []chart.Series) {
	at := map[string]int{}
	for _, p := range h.PeerCount {
		i, known := at[p.Supernode]
		if !known {
			i = len(series)
			at[p.Supernode] = i
			series = append(series, chart.Series{Name: p.Supernode, Colour: colours[i%len(colours)], Step: true, Dashed: i >= len(colours)})
		}
		series[i].Points = append(series[i].Points, chart.Point{At: secondsOf(p.AtMS), Value: float64(p.N)})
	}
	return series
}

// rates is a line for every kind of source.
func rates(h history.History) []chart.Series {
	return derived(h.Samples,
		source{"origin", "origin", func(s history.Sample) int64 { return s.Origin }},
		source{"seeds", "seeds", func(s history.Sample) int64 { return s.Seeds }},
		source{"peers", "peers", func(s history.Sample) int64 { return s.Peers }},
	)
}

func connections(h history.History) []chart.Series {
	return derived(h.Samples,
		source{"opened over links", "seeds", func(s history.Sample) int64 { return s.Conns }},
		source{"failed, by node logs", "failed", func(s history.Sample) int64 { return s.Failed }},
	)
}

type source struct {
	name, colour string
	sum          func(history.Sample) int64
}

// pointsAtMost is how many points a line has: more than a drawing has room for tell
// nobody anything.
const pointsAtMost = 240

// derived is how fast sums grow, per second.
func derived(samples []history.Sample, sources ...source) (series []chart.Series) {
	if len(samples) < 2 {
		return nil
	}
	each := (len(samples) + pointsAtMost - 1) / pointsAtMost
	var kept []history.Sample
	for i := 0; i < len(samples); i += each {
		kept = append(kept, samples[i])
	}
	for _, src := range sources {
		line := chart.Series{Name: src.name, Colour: src.colour, Dashed: src.colour == "failed"}
		was := history.Sample{} // nothing had passed when the bed was laid
		for _, s := range kept {
			passed, took := src.sum(s)-src.sum(was), secondsOf(s.AtMS-was.AtMS)
			if was.AtMS == 0 && len(line.Points) == 0 {
				line.Points = append(line.Points, chart.Point{At: max(secondsOf(s.AtMS)-0.01, 0)})
				took = secondsOf(kept[1].AtMS - s.AtMS) // how long that took nobody saw
			}
			if took > 0 {
				line.Points = append(line.Points, chart.Point{At: secondsOf(s.AtMS), Value: max(float64(passed)/took, 0)})
			}
			was = s
		}
		series = append(series, line)
	}
	return slices.Clip(series)
}
