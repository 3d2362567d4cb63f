package mutant

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/faultbed/faultbed/harness/history"
)

// How wide a column of the table gets; what is longer is cut, and whole in the files.
const (
	promiseWidth  = 36
	scenarioWidth = 40
	reasonWidth   = 56
)

// Write says how all mutants ended: a table, what did not go as declared, what kills
// nothing, and the matrix.
func (r Report) Write(to io.Writer) error {
	if len(r.Mutants) == 0 {
		_, err := fmt.Fprintln(to, "no mutant was judged")
		return err
	}
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\tmutant\tpromise\tkilled by\treason")
	for i, m := range r.Mutants {
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\n", i+1, m.Name, Cut(m.Promise, promiseWidth), killers(m), Cut(m.Reason, reasonWidth))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, part := range []part{r.survivors(), r.broke(), r.unjudged(), r.undeclared(), r.idle()} {
		if len(part.lines) > 0 {
			fmt.Fprintf(to, "\n%s\n", part.title)
			for _, line := range part.lines {
				fmt.Fprintf(to, "  %s\n", line)
			}
		}
	}
	fmt.Fprintln(to)
	return r.WriteMatrix(to)
}

// killers is who killed a mutant, shortened.
func killers(m Result) string {
	switch len(m.KilledBy) {
	case 0:
		if m.Unjudged() {
			return "NOT JUDGED"
		}
		return "SURVIVES"
	case 1:
		return Cut(m.KilledBy[0], scenarioWidth)
	default:
		return fmt.Sprintf("%s, and %d more", Cut(m.KilledBy[0], scenarioWidth), len(m.KilledBy)-1)
	}
}

// part is something to be said of some mutants or scenarios.
type part struct {
	title string
	lines []string
}

func (r Report) survivors() part {
	p := part{title: "Survivors: no scenario that was run killed them"}
	for _, m := range r.Survivors() {
		p.lines = append(p.lines, fmt.Sprintf("%s: %s", m.Name, m.Broken))
		green := 0
		for _, pair := range m.Pairs {
			if pair.Verdict == history.Pass || pair.Verdict == history.NotApplicable {
				green++
				continue
			}
			p.lines = append(p.lines, fmt.Sprintf("  %s: %s", pair.Scenario, pair.Fate()))
		}
		p.lines = append(p.lines, fmt.Sprintf("  of %d scenarios %d were PASS or N/A, and none FAILed with a reason that matches /%s/", len(m.Pairs), green, m.Seen))
	}
	return p
}

func (r Report) broke() part {
	p := part{title: "Declared, and did not kill"}
	for _, m := range r.Mutants {
		for _, pair := range m.Broke() {
			p.lines = append(p.lines, fmt.Sprintf("%s: %s: %s", m.Name, pair.Scenario, pair.Fate()))
		}
	}
	return p
}

func (r Report) unjudged() part {
	p := part{title: "Not judged"}
	for _, m := range r.Mutants {
		if !m.Unjudged() {
			continue
		}
		if m.Trouble != "" || len(m.Pairs) == 0 {
			p.lines = append(p.lines, m.Name+": "+cmp.Or(oneLine(m.Trouble), "no scenario was run"))
		}
		for _, pair := range m.Pairs {
			if pair.Unjudged() {
				p.lines = append(p.lines, fmt.Sprintf("%s: %s: %s", m.Name, pair.Scenario, pair.Fate()))
			}
		}
	}
	return p
}

// undeclared are the kills that no scenario promises: where to write kills(...).
func (r Report) undeclared() part {
	p := part{title: "Killed by scenarios that do not declare it: add kills(...)"}
	for _, m := range r.Mutants {
		if slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.Declared }) {
			continue
		}
		for _, pair := range m.Pairs {
			if pair.Killed {
				p.lines = append(p.lines, fmt.Sprintf("kills(%q): %s", m.Name, pair.Scenario))
			}
		}
	}
	return p
}

func (r Report) idle() part {
	if !r.Whole() {
		return part{}
	}
	title := "Scenarios that kill nothing"
	if r.Matrix != Full {
		title += ", as far as they declare and were run"
	}
	return part{title: fmt.Sprintf("%s: %d", title, len(r.Idle)), lines: r.Idle}
}

// Cut is text in one line that is no wider than that.
func Cut(text string, width int) string {
	letters := []rune(oneLine(text))
	if len(letters) <= width {
		return string(letters)
	}
	return strings.TrimSpace(string(letters[:width-3])) + "..."
}
