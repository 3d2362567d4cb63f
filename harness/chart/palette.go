package chart

import (
	"fmt"
	"image/color"
	"maps"
	"slices"
	"strings"
)

// palette stands in for colours that only the page knows: gonum draws with numbers.
type palette map[string]color.NRGBA

// colour is a number of its own for a variable of the page.
func (p palette) colour(name string) color.Color {
	if c, ok := p[name]; ok {
		return c
	}
	c := color.NRGBA{R: 0xfe, G: 0x01, B: uint8(len(p) + 1), A: 0xff} //nolint:gosec // a chart has few colours
	p[name] = c
	return c
}

// recolour puts the variables into a drawing in place of their numbers.
func (p palette) recolour(svg string) string {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		c := p[name]
		svg = strings.ReplaceAll(svg, fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B), "var(--"+name+")")
	}
	return svg
}
