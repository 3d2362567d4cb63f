package report

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/faultbed/faultbed/harness/history"
)

// Table writes the summary that ends a run: a line per family, and their sum. The
// time of a family is that of its scenarios one after the other; the run's own, with
// several at once, is shorter.
func Table(to io.Writer, run history.Run) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	verdicts := columns(run.Scenarios)
	row := func(name string, scenarios []history.Scenario) {
		fmt.Fprintf(out, "%s\t%s\t%.1f s\t\n", name, strings.Join(figures(verdicts, scenarios), "\t"), secondsOf(wall(scenarios)))
	}
	fmt.Fprintf(out, "family\t%s\ttime\t\n", strings.Join(headings(verdicts), "\t"))
	names, by := families(run.Scenarios)
	for _, name := range names {
		row(name, by[name])
	}
	row("all", run.Scenarios)
	return out.Flush()
}

// WhereTimeGoes says what the scenarios of a run spent their time on, one after the other;
// "" for a run from before that was counted.
func WhereTimeGoes(scenarios []history.Scenario) string {
	var all, start, proof, end int64
	for _, s := range scenarios {
		all, start, proof, end = all+s.WallMS, start+s.Spent.StartMS, proof+s.Spent.ProofMS, end+s.Spent.EndMS
	}
	if start == 0 {
		return ""
	}
	part := func(ms int64) string { return fmt.Sprintf("%.0f %%", share(float64(ms), float64(all))) }
	return fmt.Sprintf("where the time goes: %s waiting for the swarm, %s proving faults and their end, %s starting containers, %s putting away",
		part(all-start-proof-end), part(proof), part(start), part(end))
}

// columns are the verdicts that a table of scenarios has columns for. KNOWN and N/A
// have one only where they occur: most systems have neither.
func columns(scenarios []history.Scenario) []history.Verdict {
	n := Count(scenarios)
	verdicts := []history.Verdict{history.Pass}
	for _, v := range []history.Verdict{history.Known, history.NotApplicable} {
		if n[v] > 0 {
			verdicts = append(verdicts, v)
		}
	}
	return append(verdicts, history.Fail, history.Inconclusive, history.Infra)
}

func headings(verdicts []history.Verdict) []string {
	var words []string
	for _, v := range verdicts {
		words = append(words, string(v))
	}
	return words
}

// figures is how many scenarios ended in each of the verdicts.
func figures(verdicts []history.Verdict, scenarios []history.Scenario) []string {
	n := Count(scenarios)
	var words []string
	for _, v := range verdicts {
		words = append(words, figure(n[v]))
	}
	return words
}

// figure leaves out noughts, so that what is not green stands out.
func figure(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// Again is the command that does the same run again: goal is make's, chosen are the
// variables that the user set, by name, the seed aside.
func Again(goal string, seed int64, chosen map[string]string) string {
	words := []string{"make " + goal}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		words = append(words, name+"="+quote(chosen[name]))
	}
	return strings.Join(append(words, fmt.Sprintf("SEED=%d", seed)), " ")
}

// plain is text that a shell and make leave alone.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@=-]+$`)

// quote makes one word of text for a shell that hands it on to make, which reads $$
// as a dollar sign.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	text = strings.ReplaceAll(text, "$", "$$")
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
