package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/faultbed/faultbed/harness/diagnosis"
	"github.com/faultbed/faultbed/harness/history"
)

// Summary writes a run for the page of a pull request: how it ended by family, and each
// scenario that did not pass in one sentence. Those that somebody has to act on come
// first; what is known, what does not apply and what a candidate has fixed is folded.
func Summary(to io.Writer, run history.Run) error {
	var b strings.Builder
	n := Count(run.Scenarios)
	fmt.Fprintf(&b, "## Faultbed: %d of %d passed%s\n\n", n[history.Pass], len(run.Scenarios), rest(n))
	fmt.Fprintf(&b, "%s, profile %s, seed %d, %.1f s; run %s of %s\n\n",
		strings.TrimSpace(run.System+" "+run.Release), run.Profile, run.Seed, secondsOf(run.WallMS), run.ID, run.Started.UTC().Format("2006-01-02 15:04 UTC"))
	writeFamilies(&b, run.Scenarios)
	var act, know []history.Scenario
	for _, s := range troubles(run.Scenarios) {
		if Green(s.Verdict) {
			know = append(know, s)
		} else {
			act = append(act, s)
		}
	}
	if len(act) > 0 {
		b.WriteString("\n")
		writeTroubles(&b, act)
	}
	if len(know) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%d that nobody has to act on</summary>\n\n", len(know))
		writeTroubles(&b, know)
		b.WriteString("\n</details>\n")
	}
	if run.Again != "" {
		fmt.Fprintf(&b, "\nAgain: `%s`\n", run.Again)
	}
	fmt.Fprintf(&b, "\nHost: Linux %s, Docker %s, %d CPUs, %d MiB. All of it: `report.html` in the run's folder.\n",
		run.Host.Kernel, run.Host.Engine, run.Host.CPUs, run.Host.MemoryBytes>>20)
	_, err := io.WriteString(to, b.String())
	return err
}

// rest counts the other verdicts in words.
func rest(n Counts) (words string) {
	for _, v := range Verdicts {
		if v != history.Pass && n[v] > 0 {
			words += fmt.Sprintf(", %d %s", n[v], v)
		}
	}
	return words
}

func writeFamilies(b *strings.Builder, scenarios []history.Scenario) {
	verdicts := columns(scenarios)
	fmt.Fprintf(b, "| family | %s | time |\n| ---%s | ---: |\n", strings.Join(headings(verdicts), " | "), strings.Repeat(" | ---:", len(verdicts)))
	names, by := families(scenarios)
	for _, name := range names {
		fmt.Fprintf(b, "| %s | %s | %.1f s |\n", name, strings.Join(figures(verdicts, by[name]), " | "), secondsOf(wall(by[name])))
	}
}

func writeTroubles(b *strings.Builder, scenarios []history.Scenario) {
	b.WriteString("| verdict | scenario | in one sentence |\n| --- | --- | --- |\n")
	for _, s := range scenarios {
		name := markdown(s.Name)
		if s.Repeat > 1 {
			name += fmt.Sprintf(" (round %d)", s.Repeat)
		}
		if s.Location != "" {
			name += "<br>`" + s.Location + "`"
		}
		fmt.Fprintf(b, "| **%s** | %s | %s |\n", s.Verdict, name, inOneSentence(s))
	}
}

// inOneSentence is why a scenario did not pass, and what broke as far as it was seen.
func inOneSentence(s history.Scenario) string {
	words := markdown(diagnosis.Sentence(s.Reason))
	if d := diagnosis.Of(s); d.Step != diagnosis.NoStep {
		words += fmt.Sprintf("<br>**%s** on `%s` since %d ms, looks like %s", d.Step, d.Link, *d.SinceMS, d.Cause)
	}
	if s.Known != nil {
		words += fmt.Sprintf("<br>known since %s: `%s`", s.Known.Date, s.Known.At)
	}
	if s.Evidence != "" {
		words += "<br>`" + s.Evidence + "`"
	}
	return words
}

// markup are characters that Markdown, or the HTML in it, would read as its own.
var markup = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~]")

// markdown is text that stands for itself in a cell of a table.
func markdown(text string) string {
	return markup.ReplaceAllStringFunc(printable(text), func(c string) string {
		switch c {
		case "<":
			return "&lt;"
		case ">":
			return "&gt;"
		}
		return `\` + c
	})
}
