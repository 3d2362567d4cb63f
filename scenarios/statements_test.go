package scenarios

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/faultbed/faultbed/harness/mutant"
)

var update = flag.Bool("update", false, "write the table of statements into README.md")

// Seen red: with a statement whose scenarios are gone, and with a scenario renamed.
func TestEveryStatementHasItsScenarios(t *testing.T) {
	const begin, end = "<!-- statements: go test ./scenarios -update -->\n", "<!-- end of statements -->\n"
	table := tableOfStatements(t, ginkgo.PreviewSpecs("statements").SpecReports)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := bytes.Cut(readme, []byte(begin))
	was, tail, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		t.Fatalf("README.md has no place for the table: between %q and %q", begin, end)
	}
	if string(was) == table {
		return
	}
	if !*update {
		t.Fatal("the table of statements in scenarios/README.md is not current: go test ./scenarios -update")
	}
	if err := os.WriteFile("README.md", slices.Concat(head, []byte(begin+table+end), tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tableOfStatements is the table in Markdown; a statement without a scenario, or whose
// scenarios kill no mutant of the swarm, is an error.
func tableOfStatements(t *testing.T, specs types.SpecReports) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| | statement | scenarios | mutants that they must kill |\n| --- | --- | --- | --- |\n")
	about := ""
	for _, s := range statements {
		pattern, err := regexp.Compile(s.scenarios)
		if err != nil {
			t.Fatalf("%s: %v", s.says, err)
		}
		titles, kills := matched(pattern, specs)
		if len(titles) == 0 {
			t.Errorf("no scenario for %q: /%s/ matches none", s.says, s.scenarios)
		}
		if len(kills) == 0 {
			t.Errorf("no mutant is killed for %q by %v", s.says, titles)
		}
		first := s.about
		if first == about {
			first = ""
		}
		about = s.about
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", first, s.says, strings.Join(titles, "; "), strings.Join(kills, ", "))
	}
	return b.String()
}

// matched are the titles of the scenarios with such a name, a table once with the number of
// its entries, and the mutants that they declare.
func matched(pattern *regexp.Regexp, specs types.SpecReports) (titles, kills []string) {
	count := map[string]int{}
	for _, spec := range specs {
		if spec.LeafNodeType != types.NodeTypeIt || !pattern.MatchString(spec.FullText()) {
			continue
		}
		title := spec.FullText()
		if len(spec.ContainerHierarchyTexts) > 1 {
			title = strings.Join(spec.ContainerHierarchyTexts, " ")
		}
		if count[title]++; count[title] == 1 {
			titles = append(titles, title)
		}
		for _, label := range spec.Labels() {
			if name, ok := strings.CutPrefix(label, mutant.Label); ok && !slices.Contains(kills, name) {
				kills = append(kills, name)
			}
		}
	}
	slices.Sort(titles)
	slices.Sort(kills)
	for i, title := range titles {
		if count[title] > 1 {
			titles[i] = fmt.Sprintf("%s (%d)", title, count[title])
		}
	}
	return titles, kills
}
