package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/faultbed/faultbed/harness/history"
)

// Report is all that a run has measured.
type Report struct {
	Started     time.Time    `json:"started"`
	WallMS      int64        `json:"wall_ms"`
	Rounds      int          `json:"rounds"`
	Host        history.Host `json:"host"`
	Comparisons []Comparison `json:"comparisons"`
	Figures     []Figure     `json:"figures,omitempty"`
}

// summary is a sample with the figures that people ask for.
type summary struct {
	Sample
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Min float64 `json:"min_ms"`
	Max float64 `json:"max_ms"`
	// Rate is that of the median turn.
	Rate float64 `json:"mib_per_s,omitempty"`
}

func summed(s Sample) *summary {
	if len(s.MS) == 0 {
		return nil
	}
	return &summary{s, len(s.MS), s.Percentile(50), s.Percentile(99), s.Percentile(0), s.Percentile(100), s.Rate()}
}

// MarshalJSON adds to the samples what follows from them.
func (c Comparison) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		What   string   `json:"what"`
		Ratio  float64  `json:"ratio,omitempty"`
		Aim    float64  `json:"aim,omitempty"`
		Ours   *summary `json:"ours"`
		Theirs *summary `json:"theirs,omitempty"`
	}{c.What, c.Ratio(), c.Aim, summed(c.Ours), summed(c.Theirs)})
}

// Table prints the report for a person: a comparison, then its two sides.
func (r Report) Table(to io.Writer) error {
	width := 0
	for _, c := range r.Comparisons {
		width = max(width, len(c.What), len(indent+c.Ours.What), len(indent+c.Theirs.What))
	}
	var err error
	line := func(what string, columns ...any) {
		_, failed := fmt.Fprintf(to, "%-*s%5v%10v%10v%10v%10v%8v%8v%6v\n", append([]any{width, what}, columns...)...)
		err = errors.Join(err, failed)
	}
	if len(r.Comparisons) > 0 {
		line("milliseconds", "n", "p50", "p99", "min", "max", "MiB/s", "ratio", "aim")
	}
	for _, c := range r.Comparisons {
		line(c.What, "", "", "", "", "", "", figure(c.Ratio(), 3), figure(c.Aim, 1))
		for _, s := range []*summary{summed(c.Ours), summed(c.Theirs)} {
			if s != nil {
				line(indent+s.What, s.N, figure(s.P50, 1), figure(s.P99, 1), figure(s.Min, 1), figure(s.Max, 1), figure(s.Rate, 1), "", "")
			}
		}
	}
	return errors.Join(err, r.figures(to, width))
}

const indent = "  "

// figure is a number with that many digits behind the point; nothing for none.
func figure(f float64, digits int) string {
	if f == 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', digits, 64)
}
