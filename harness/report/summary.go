package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// Summary writes a run as a page of Markdown: what ran, how it ended by family, and
// every scenario that did not pass with its reason and where its evidence is: those
// that somebody has to act on, then what is known, then what does not apply, and what a
// candidate has fixed. Again is the command that repeats the run.
func Summary(to io.Writer, run history.Run, again string) error {
	var b strings.Builder
	n := Count(run.Scenarios)
	fmt.Fprintf(&b, "# Run %s: %d of %d passed\n\n", run.ID, n[history.Pass], len(run.Scenarios))
	fmt.Fprintf(&b, "System %s, profile %s, seed %d, started %s, took %.1f s.\n",
		strings.TrimSpace(run.System+" "+run.Release), run.Profile, run.Seed, run.Started.UTC().Format("2006-01-02 15:04:05 UTC"), secondsOf(run.WallMS))
	fmt.Fprintf(&b, "Kernel %s, engine %s, %d CPUs, %d MiB.\n\n", run.Host.Kernel, run.Host.Engine, run.Host.CPUs, run.Host.MemoryBytes>>20)
	fmt.Fprintf(&b, "Again: `%s`\n\n", again)
	writeFamilies(&b, run.Scenarios)
	for _, s := range troubles(run.Scenarios) {
		writeTrouble(&b, s)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func writeFamilies(b *strings.Builder, scenarios []history.Scenario) {
	verdicts := columns(scenarios)
	fmt.Fprintf(b, "| family | %s | time |\n| ---%s | ---: |\n", strings.Join(headings(verdicts), " | "), strings.Repeat(" | ---:", len(verdicts)))
	names, by := families(scenarios)
	for _, name := range names {
		fmt.Fprintf(b, "| %s | %s | %.1f s |\n", name, strings.Join(figures(verdicts, by[name]), " | "), secondsOf(wall(by[name])))
	}
}

func writeTrouble(b *strings.Builder, s history.Scenario) {
	fmt.Fprintf(b, "\n## %s: %s\n\n", s.Verdict, s.Name)
	if s.Repeat > 1 {
		fmt.Fprintf(b, "Repeat %d. ", s.Repeat)
	}
	if s.Location != "" {
		fmt.Fprintf(b, "At %s. ", s.Location)
	}
	if s.Known != nil {
		fmt.Fprintf(b, "Known since %s: %s. ", s.Known.Date, s.Known.At)
	}
	if s.Evidence != "" {
		fmt.Fprintf(b, "Evidence in %s.", s.Evidence)
	}
	b.WriteString("\n")
	if s.Reason != "" {
		// Indented, so that no character of a reason is taken for Markdown.
		fmt.Fprintf(b, "\n    %s\n", strings.ReplaceAll(strings.TrimSpace(s.Reason), "\n", "\n    "))
	}
}
