package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/history"
)

// Comparison is what two or more runs of the suite have not in common, from the first
// to the last.
type Comparison struct {
	Runs      []string // what each is called
	Rows      []Row    // of the scenarios that differ
	Same      int      // scenarios with one and the same verdict in all rounds of all runs
	Shared    int      // scenarios that all runs have
	Elsewhere int      // scenarios that only some have
	Worse     int      // scenarios that were not red in the first run and FAIL in the last
	Unproven  int      // scenarios that were green in the first run, and in the last neither that nor FAIL, or N/A
}

// Row is a scenario that differs between the runs, or within one.
type Row struct {
	Scenario string
	Cells    []string // one for each run
	Note     string   // what differs, where the cells alone do not say it
}

// apart is the factor from which on two times differ, and apartMS what they must be apart
// at least. Below that, a busy machine explains it.
const (
	apart   = 2
	apartMS = 1000
)

// Compare finds what differs between runs. The same scenario is that of the same name.
func Compare(runs []history.Run) Comparison {
	c := Comparison{Runs: titles(runs)}
	by, familyOf := map[string][]ending{}, map[string]string{}
	for i, run := range runs {
		for _, s := range run.Scenarios {
			if by[s.Name] == nil {
				by[s.Name], familyOf[s.Name] = make([]ending, len(runs)), Family(s.Labels)
			}
			by[s.Name][i].add(s)
		}
	}
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(familyOf[a], familyOf[b]), cmp.Compare(a, b))
	})
	for _, name := range names {
		c.weigh(name, by[name])
	}
	return c
}

// weigh counts a scenario, and gives it a row if it differs.
func (c *Comparison) weigh(name string, ends []ending) {
	had := slices.DeleteFunc(slices.Clone(ends), func(e ending) bool { return len(e.verdicts) == 0 })
	same := !slices.ContainsFunc(had, func(e ending) bool { return !e.all(had[0].verdicts[0]) })
	unstable := slices.ContainsFunc(had, func(e ending) bool { return !e.all(e.verdicts[0]) })
	if len(had) == len(ends) {
		c.Shared++
		if same {
			c.Same++
		}
	} else {
		c.Elsewhere++
	}
	var notes []string
	first, last := ends[0], ends[len(ends)-1]
	if worse(first, last) {
		c.Worse++
		notes = append(notes, "worse")
	} else if first.green() && !last.any(history.Fail) && (!last.green() || first.proves() && !last.proves()) {
		c.Unproven++
	}
	if unstable {
		notes = append(notes, "unstable")
	}
	factor := spread(had)
	if factor > apart {
		notes = append(notes, fmt.Sprintf("time x %.1f", factor))
	}
	if same && factor <= apart {
		return
	}
	row := Row{Scenario: name, Note: strings.Join(notes, ", ")}
	for _, e := range ends {
		row.Cells = append(row.Cells, e.String())
	}
	c.Rows = append(c.Rows, row)
}

// ending is how a scenario ended in one run, in each of its rounds; it is empty if the
// run has no such scenario.
type ending struct {
	verdicts []history.Verdict
	times    []int64 // in ms, of the rounds that have one
}

func (e *ending) add(s history.Scenario) {
	e.verdicts = append(e.verdicts, s.Verdict)
	if s.Verdict == history.Inconclusive || s.Verdict == history.Infra {
		return // of a fault that did not bite, or of a broken machine
	}
	if ms, ok := underFault(s.History); ok {
		e.times = append(e.times, ms)
		slices.Sort(e.times)
	}
}

func (e ending) any(v history.Verdict) bool { return slices.Contains(e.verdicts, v) }

func (e ending) all(v history.Verdict) bool {
	return len(e.verdicts) > 0 && !slices.ContainsFunc(e.verdicts, func(one history.Verdict) bool { return one != v })
}

func (e ending) green() bool {
	return len(e.verdicts) > 0 && !slices.ContainsFunc(e.verdicts, func(v history.Verdict) bool { return !Green(v) })
}

// proves says whether it came to a verdict over the system in some round: N/A does not.
func (e ending) proves() bool { return e.any(history.Pass) || e.any(history.Known) }

// ms is the median of the rounds' times, the lower one of two.
func (e ending) ms() (ms int64, ok bool) {
	if len(e.times) == 0 {
		return 0, false
	}
	return e.times[(len(e.times)-1)/2], true
}

func (e ending) String() string {
	if len(e.verdicts) == 0 {
		return "-"
	}
	words := string(e.verdicts[0])
	if !e.all(e.verdicts[0]) {
		n := map[history.Verdict]int{}
		for _, v := range e.verdicts {
			n[v]++
		}
		var parts []string
		for _, v := range Verdicts {
			if n[v] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
			}
		}
		words = strings.Join(parts, ", ")
	}
	if ms, ok := e.ms(); ok {
		words += fmt.Sprintf(" %d ms", ms)
	}
	return words
}

// worse says whether a scenario that was not red before FAILs now. One that passed in
// some rounds only is worse when it passes in none.
func worse(first, last ending) bool {
	return first.green() && last.any(history.Fail) ||
		slices.ContainsFunc(first.verdicts, Green) && last.all(history.Fail)
}

// spread is how many times the shortest time the longest is, 1 where there are not two.
func spread(ends []ending) float64 {
	var times []int64
	for _, e := range ends {
		if ms, ok := e.ms(); ok {
			times = append(times, ms)
		}
	}
	if len(times) < 2 {
		return 1
	}
	if slices.Max(times)-slices.Min(times) < apartMS {
		return 1
	}
	return float64(slices.Max(times)) / float64(max(slices.Min(times), 1))
}

// warm begins the names of the files that beds are warmed up with.
var warm = strings.TrimRight(fixtures.Warm(0).Name, "0")

// underFault is how long the longest download took from when the first fault was
// confirmed; one that was under way by then counts from then on. Warming up is none of it.
func underFault(h history.History) (ms int64, ok bool) {
	var confirmed *int64
	for _, f := range h.Faults {
		if f.ConfirmedMS != nil && (confirmed == nil || *f.ConfirmedMS < *confirmed) {
			confirmed = f.ConfirmedMS
		}
	}
	if confirmed == nil {
		return 0, false
	}
	for _, d := range h.Downloads {
		if end := d.StartedMS + d.TookMS; end > *confirmed && !strings.HasPrefix(d.File, warm) {
			ms, ok = max(ms, end-max(d.StartedMS, *confirmed)), true
		}
	}
	return ms, ok
}

// titles call each run by what was under test, and also by its id where that does not
// tell them apart.
func titles(runs []history.Run) []string {
	var all []string
	n := map[string]int{}
	for _, run := range runs {
		words := []string{run.System}
		if run.Release != "" {
			words = append(words, run.Release)
		}
		for _, role := range run.Given {
			words = append(words, role+"="+path.Base(run.Images[role].Ref))
		}
		if slices.ContainsFunc(runs, func(other history.Run) bool { return other.Profile != run.Profile }) {
			words = append(words, run.Profile)
		}
		title := strings.Join(words, " ")
		all = append(all, title)
		n[title]++
	}
	for i, title := range all {
		if n[title] > 1 {
			all[i] = title + " " + runs[i].ID
		}
	}
	return all
}

// Status is the exit status of a gate that lets the last run through if no scenario got
// worse since the first.
func (c Comparison) Status() int {
	if c.Worse > 0 {
		return ExitFail
	}
	return ExitPass
}

// Table writes the comparison for a terminal.
func (c Comparison) Table(to io.Writer) error {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range c.lines() {
		fmt.Fprintln(out, strings.Join(line, "\t"))
	}
	if len(c.Rows) > 0 {
		fmt.Fprintln(out)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(to, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(to, strings.Join(c.sums(), "\n"))
	return err
}

// Markdown writes the comparison for a page.
func (c Comparison) Markdown(to io.Writer) error {
	var b strings.Builder
	for i, line := range c.lines() {
		for j := range line {
			line[j] = strings.ReplaceAll(line[j], "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat(" --- |", len(line)))
		}
	}
	if len(c.Rows) > 0 {
		b.WriteString("\n")
	}
	for _, sum := range c.sums() {
		fmt.Fprintf(&b, "- %s\n", sum)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// lines are the table: a heading, then the rows; none at all if nothing differs.
func (c Comparison) lines() [][]string {
	if len(c.Rows) == 0 {
		return nil
	}
	lines := [][]string{slices.Concat([]string{"scenario"}, c.Runs, []string{""})}
	for _, r := range c.Rows {
		lines = append(lines, slices.Concat([]string{r.Scenario}, r.Cells, []string{r.Note}))
	}
	return lines
}

// sums are what the table adds up to, and how to read it.
func (c Comparison) sums() []string {
	first, last := c.Runs[0], c.Runs[len(c.Runs)-1]
	sums := []string{fmt.Sprintf("same verdict in all: %d of %d", c.Same, c.Shared)}
	if c.Elsewhere > 0 {
		sums = append(sums, fmt.Sprintf("not in all runs: %d", c.Elsewhere))
	}
	if c.Unproven > 0 {
		sums = append(sums, fmt.Sprintf("green in %s, and INCONCLUSIVE, INFRA, N/A or not run in %s: %d", first, last, c.Unproven))
	}
	sums = append(sums, fmt.Sprintf("worse in %s than in %s: %d", last, first, c.Worse))
	timed := func(r Row) bool {
		return slices.ContainsFunc(r.Cells, func(cell string) bool { return strings.HasSuffix(cell, " ms") })
	}
	if slices.ContainsFunc(c.Rows, timed) {
		sums = append(sums, fmt.Sprintf("ms: the longest download from when the first fault was confirmed; it differs when by more than a factor of %d and a second", apart))
	}
	return sums
}
