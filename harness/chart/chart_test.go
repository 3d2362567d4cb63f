package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/chart"
)

func drawn(t *testing.T, c chart.Chart) string {
	t.Helper()
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
	}
	return svg
}

var labels = regexp.MustCompile(`<text[^>]*>([^<]*)</text>`)

func labelsOf(svg string) string {
	var words []string
	for _, m := range labels.FindAllStringSubmatch(svg, -1) {
		words = append(words, m[1])
	}
	return strings.Join(words, ",")
}

func TestChartHasItsLinesBandsAndTicks(t *testing.T) {
	svg := drawn(t, chart.Chart{
		Name: `bytes "of" <whom>`, Until: 12, Bytes: true,
		Series: []chart.Series{
			{Name: "origin", Colour: "origin", Points: []chart.Point{{At: 1, Value: 0}, {At: 2, Value: 9 << 20}, {At: 13, Value: 5}}},
			{Name: "seeds", Colour: "seeds", Step: true, Dashed: true, Points: []chart.Point{{At: 1, Value: 1}}},
			{Name: "none", Colour: "none-at-all"},
		},
		Bands: []chart.Band{{From: 3, To: 99}, {From: -1, To: 1}},
	})
	for want, n := range map[string]int{"var(--origin)": 1, "var(--seeds)": 1, "var(--band)": 2, "stroke-dasharray": 1, "var(--none-at-all)": 0, "#FE01": 0, "font-family": 0} {
		if got := strings.Count(svg, want); got != n {
			t.Errorf("%d times %s, want %d:\n%s", got, want, n, svg)
		}
	}
	if got := labelsOf(svg); got != "0 s,2 s,4 s,6 s,8 s,10 s,12 s,0,5 MiB,10 MiB" {
		t.Errorf("labels are %s", got)
	}
	if !strings.Contains(svg, `aria-label="bytes &#34;of&#34; &lt;whom>"`) {
		t.Errorf("it does not say what it is:\n%.200s", svg)
	}
}

func TestTicksAreWhatPeopleCountIn(t *testing.T) {
	for _, c := range []struct {
		until, top float64
		bytes      bool
		want       string
	}{
		{3, 5, false, "0 s,0.5 s,1 s,1.5 s,2 s,2.5 s,3 s,0,2,4,6"},
		{0, 0, false, "0 s,0.5 s,1 s,0,1"},
		{90, 1, false, "0 s,20 s,40 s,60 s,80 s,0,1"},
		{1000, 70, false, "0 s,300 s,600 s,900 s,0,20,40,60,80"},
		{5, 900, true, "0 s,1 s,2 s,3 s,4 s,5 s,0,500,1000"},
		{5, 2.5 * (1 << 30), true, "0 s,1 s,2 s,3 s,4 s,5 s,0,1 GiB,2 GiB,3 GiB"},
	} {
		svg := drawn(t, chart.Chart{Name: "x", Until: c.until, Bytes: c.bytes, Series: []chart.Series{{Colour: "a", Points: []chart.Point{{Value: c.top}, {At: 1, Value: 0}}}}})
		if got := labelsOf(svg); got != c.want {
			t.Errorf("%g s and %g: labels are %s, want %s", c.until, c.top, got, c.want)
		}
	}
}
