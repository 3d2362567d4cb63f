package mutant

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// notRun is the cell of a pair that was not run.
const notRun = " "

// legend says what the cells of the matrix mean.
const legend = "K killed, k killed undeclared, . PASS, f FAIL for another reason, ? INCONCLUSIVE, ! INFRA, - N/A, blank not run"

// cells are the letters of verdicts; kills have their own.
var cells = map[history.Verdict]string{
	history.Pass: ".", history.Fail: "f", history.Inconclusive: "?", history.Infra: "!",
	history.NotApplicable: "-", history.Known: "f",
}

func (p Pair) cell() string {
	switch {
	case p.Killed && p.Declared:
		return "K"
	case p.Killed:
		return "k"
	default:
		return cells[p.Verdict]
	}
}

// WriteMatrix writes a line per scenario that was run and a column per mutant, numbered
// as in the table. Names come last: cells stand straight however long those are.
func (r Report) WriteMatrix(to io.Writer) error {
	scenarios := r.scenarios()
	if len(scenarios) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(to, "Scenarios by mutants: %s\n", legend); err != nil {
		return err
	}
	digits := len(fmt.Sprint(len(r.Mutants)))
	for d := range digits {
		var heads []string
		for i := range r.Mutants {
			heads = append(heads, fmt.Sprintf("%*d", digits, i+1)[d:d+1])
		}
		fmt.Fprintln(to, strings.TrimRight("  "+row(heads), " "))
	}
	family := ""
	for _, s := range scenarios {
		if s.Family != family {
			family = s.Family
			fmt.Fprintln(to, family)
		}
		var line []string
		for _, m := range r.Mutants {
			line = append(line, m.cell(s.Scenario))
		}
		fmt.Fprintf(to, "  %s  %s\n", row(line), s.Scenario)
	}
	return nil
}

// row puts letters side by side, ten together.
func row(letters []string) string {
	var tens []string
	for ten := range slices.Chunk(letters, 10) {
		tens = append(tens, strings.Join(ten, ""))
	}
	return strings.Join(tens, " ")
}

func (r Result) cell(scenario string) string {
	for _, p := range r.Pairs {
		if p.Scenario == scenario {
			return p.cell()
		}
	}
	return notRun
}

// scenarios are those that were run against any mutant, one pair each, by family.
func (r Report) scenarios() []Pair {
	var all []Pair
	for _, m := range r.Mutants {
		all = append(all, m.Pairs...)
	}
	slices.SortFunc(all, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Scenario, b.Scenario))
	})
	return slices.CompactFunc(all, func(a, b Pair) bool { return a.Scenario == b.Scenario })
}
