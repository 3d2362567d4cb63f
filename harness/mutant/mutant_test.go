package mutant

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// Every mutant can be read and fits the swarm as it is, and every kills() names one.
func TestMutantsOfThisProject(t *testing.T) {
	all, err := Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "scenarios", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	found := 0
	for _, file := range files {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || fmt.Sprint(call.Fun) != "kills" {
				return true
			}
			found++
			at := strings.TrimPrefix(set.Position(call.Pos()).String(), root+"/")
			for _, arg := range call.Args {
				lit, ok := arg.(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: kills() wants names as they are", at)
					continue
				}
				name, _ := strconv.Unquote(lit.Value)
				if err := Known(all, []string{Label + name}, at); err != nil {
					t.Error(err)
				}
			}
			return true
		})
	}
	if len(all) > 0 && found == 0 {
		t.Error("no scenario kills anything: has the decorator another name now?")
	}
}

func named(names ...string) []Mutant {
	var all []Mutant
	for _, name := range names {
		all = append(all, Mutant{Name: name, Broken: name + " is broken", Promise: name + " holds", Seen: regexp.MustCompile("wanted " + name)})
	}
	return all
}

func namesOf(mutants []Mutant) []string {
	var names []string
	for _, m := range mutants {
		names = append(names, m.Name)
	}
	return names
}

func TestDeclaredAreTheLabelsOfMutants(t *testing.T) {
	got := Declared([]string{"family:mtu", "kills:b", "smoke", "kills:a", "kills:b"})
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("declared are %v", got)
	}
	err := Known(named("a", "c"), []string{"kills:a", "kills:b"}, "scenarios/mtu.go:12")
	if err == nil || err.Error() != `scenarios/mtu.go:12: kills("b"): there is no fixtures/mutants/b: correct the name, or add the mutant` {
		t.Errorf("an unknown mutant is %v", err)
	}
}

func TestSampleIsOfTheCommit(t *testing.T) {
	all := named("a", "b", "c", "d", "e", "f", "g", "h")
	drawn := map[string]int{}
	for n := range 200 {
		commit := fmt.Sprint("commit ", n)
		sample := namesOf(Sample(all, 2, commit))
		if again := namesOf(Sample(all, 2, commit)); !slices.Equal(again, sample) || len(sample) != 2 || sample[0] == sample[1] {
			t.Fatalf("%s: sample is %v, then %v", commit, sample, again)
		}
		for _, name := range sample {
			drawn[name]++
		}
	}
	for _, m := range all {
		if drawn[m.Name] < 25 {
			t.Errorf("of 200 commits %d drew %s, want about 50: %v", drawn[m.Name], m.Name, drawn)
		}
	}
	if got := Sample(all[:1], 2, "x"); len(got) != 1 {
		t.Errorf("2 of 1 are %v", got)
	}
}
