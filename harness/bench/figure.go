package bench

import (
	"errors"
	"fmt"
	"io"
)

// Figure is one number that is no time, or that nothing does in another way.
type Figure struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Most is the largest of several, of which Value is the median; 0 for a single one.
	Most float64 `json:"most,omitempty"`
	// Aim is the highest that is good enough; 0 for none.
	Aim float64 `json:"aim,omitempty"`
}

// figures prints them for a person, below the comparisons.
func (r Report) figures(to io.Writer, width int) error {
	if len(r.Figures) == 0 {
		return nil
	}
	for _, f := range r.Figures {
		width = max(width, len(f.What))
	}
	var err error
	line := func(columns ...any) {
		_, failed := fmt.Fprintf(to, "%-*s%10v%10v%8v  %v\n", append([]any{width}, columns...)...)
		err = errors.Join(err, failed)
	}
	if len(r.Comparisons) > 0 {
		_, err = fmt.Fprintln(to)
	}
	line("figures", "median", "most", "aim", "")
	for _, f := range r.Figures {
		line(f.What, figure(f.Value, 2), figure(f.Most, 2), figure(f.Aim, 1), f.Unit)
	}
	return err
}

// among is the figure of several values.
func among(what, unit string, values []float64) Figure {
	s := Sample{MS: values}
	return Figure{What: what, Unit: unit, Value: s.Percentile(50), Most: s.Percentile(100)}
}
