package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/faultbed/faultbed/harness/history"
)

// Table writes the summary that ends a run: a line per family, and their sum. The
// time of a family is that of its scenarios one after the other; the run's own, with
// several at once, is shorter.
func Table(to io.Writer, run history.Run) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, scenarios []history.Scenario) {
		n := Count(scenarios)
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%.1f s\t\n", name, figure(n[history.Pass]), figure(n[history.Fail]),
			figure(n[history.Inconclusive]), figure(n[history.Infra]), secondsOf(wall(scenarios)))
	}
	fmt.Fprintln(out, "family\tPASS\tFAIL\tINCONCLUSIVE\tINFRA\ttime\t")
	names, by := families(run.Scenarios)
	for _, name := range names {
		row(name, by[name])
	}
	row("all", run.Scenarios)
	return out.Flush()
}

// figure leaves out noughts, so that what is not green stands out.
func figure(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// Again is the command that does the same run again.
func Again(run history.Run, labels, focus string) string {
	words := []string{"make scenarios"}
	if run.System != "reference" {
		words = append(words, "SYSTEM="+run.System)
	}
	if run.Profile != "fast" {
		words = append(words, "PROFILE="+run.Profile)
	}
	if labels != "" {
		words = append(words, "LABELS="+quote(labels))
	}
	if focus != "" {
		words = append(words, "FOCUS="+quote(focus))
	}
	return strings.Join(append(words, fmt.Sprintf("SEED=%d", run.Seed)), " ")
}

// quote makes one word of text for a shell that hands it on to make, which reads $$
// as a dollar sign.
func quote(text string) string {
	text = strings.ReplaceAll(text, "$", "$$")
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
