package mutant

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Page writes the report for people who were not there: mutants.md.
func (r Report) Page(to io.Writer) error {
	fmt.Fprintf(to, "# Mutants\n\n%d of %d mutants, %d scenarios, matrix %s, seed %d, commit %s, started %s, took %.1f s on %d CPUs.\n",
		len(r.Mutants), r.Of, len(r.scenarios()), r.Matrix, r.Seed, cmp.Or(r.Commit, "unknown"),
		r.Started.UTC().Format("2006-01-02 15:04:05"), float64(r.WallMS)/1000, r.Host.CPUs)
	if r.Interrupted {
		fmt.Fprint(to, "It was interrupted: what was not judged by then is not here.\n")
	}
	fmt.Fprint(to, "\nA mutant is the swarm with one thing broken. A scenario kills it when it FAILs with a reason that\n"+
		"is about what is broken. What survives could be broken tomorrow, and nobody would notice.\n\n"+
		"| | mutant | broken | promise | killed by | reason | s |\n| --- | --- | --- | --- | --- | --- | ---: |\n")
	for i, m := range r.Mutants {
		by := strings.Join(m.KilledBy, "<br>")
		if by == "" {
			by = "**" + killers(m) + "**"
		}
		fmt.Fprintf(to, "| %d | %s | %s | %s | %s | %s | %.1f |\n", i+1, m.Name, cell(m.Broken), cell(m.Promise), by, cell(m.Reason), float64(m.TookMS)/1000)
	}
	for _, part := range []part{r.survivors(), r.broke(), r.unjudged(), r.undeclared(), r.idle()} {
		if len(part.lines) > 0 {
			fmt.Fprintf(to, "\n## %s\n\n```\n%s\n```\n", part.title, strings.Join(part.lines, "\n"))
		}
	}
	fmt.Fprint(to, "\n## Matrix\n\n```\n")
	if err := r.WriteMatrix(to); err != nil {
		return err
	}
	_, err := fmt.Fprint(to, "```\n")
	return err
}

// cell is text that a table can hold.
func cell(text string) string { return strings.ReplaceAll(oneLine(text), "|", `\|`) }
