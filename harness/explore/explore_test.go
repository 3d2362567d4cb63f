package explore

import (
	"encoding/json"
	"flag"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/topology"
)

var update = flag.Bool("update", false, "write golden files anew")

// draws are enough for every kind, and for every rule to be in the way of some.
const draws = 2000

func TestAPlanIsTheSameEverywhere(t *testing.T) {
	golden := filepath.Join("testdata", "seed-42-number-3.go.txt")
	got := Draw(42, 3).Literal()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("seed 42, number 3 is another plan than it was (go test -update, if it is meant to):\n%s", got)
	}
	if !reflect.DeepEqual(Draw(42, 3), Draw(42, 3)) {
		t.Error("drawn twice, a plan is not the same")
	}
	if reflect.DeepEqual(Draw(42, 3).Steps, Draw(42, 4).Steps) && reflect.DeepEqual(Draw(42, 3).Faults, Draw(42, 4).Faults) {
		t.Error("another number is the same plan")
	}
}

func TestEveryPlanKeepsTheRules(t *testing.T) {
	drawn := map[string]int{}
	verbs := map[Verb]int{}
	var early, skewed, twins, composed int
	for n := range draws {
		p := Draw(int64(n/20)-10, n%20+1)
		if err := p.Check(); err != nil {
			t.Fatalf("plan %d of seed %d: %v", p.Number, p.Seed, err)
		}
		if len(p.Faults) < 1 || len(p.Faults) > faultsAtMost || len(p.Downloads) == 0 {
			t.Errorf("plan %d of seed %d has %d faults and %d downloads", p.Number, p.Seed, len(p.Faults), len(p.Downloads))
		}
		for i, f := range p.Faults {
			drawn[f.Kind]++
			if p.early(i) {
				early++
			}
			if i > 0 && slices.Contains(composing, [2]string{p.Faults[i-1].Kind, f.Kind}) && slices.Equal(p.Faults[i-1].Aim.Clients, f.Aim.Clients) {
				composed++
			}
		}
		for _, s := range p.Steps {
			verbs[s.Do]++
		}
		if slices.ContainsFunc(p.Topology.Nodes, func(n topology.Node) bool { return n.Release == topology.Previous }) {
			skewed++
		}
		if len(p.Topology.Of(topology.Supernode)) > 1 {
			twins++
		}
	}
	for _, k := range kinds {
		if drawn[k.name] < draws/200 {
			t.Errorf("%s is drawn %d times in %d plans", k.name, drawn[k.name], draws)
		}
	}
	if early < draws/50 || composed < draws/200 || skewed < draws/50 || twins < draws/10 || verbs[Halfway] < draws/10 {
		t.Errorf("of %d plans: %d early faults, %d that compose, %d with old releases, %d with two supernodes, %d halfway", draws, early, composed, skewed, twins, verbs[Halfway])
	}
	t.Logf("faults: %v; %d compose, %d early; steps: %v", drawn, composed, early, verbs)
}

func TestLiteralsAreGo(t *testing.T) {
	for n := range draws / 10 {
		p := Draw(4711, n+1)
		text := p.Literal()
		if _, err := parser.ParseFile(token.NewFileSet(), p.FileName(), text, parser.AllErrors); err != nil {
			t.Fatal(err)
		}
		if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
			t.Fatalf("plan %d is not as gofmt has it: %v", n, err)
		}
		for i := range p.Faults {
			if strings.Count(text, "By(\"injecting "+p.Faults[i].String()+"\")") != 1 {
				t.Errorf("plan %d does not say once that it injects %s:\n%s", n, p.Faults[i], text)
			}
		}
	}
}

// TestLiteralsAreScenarios compiles literals as files of package scenarios, until every
// kind of fault was among them. Nothing is written there.
func TestLiteralsAreScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the scenarios and all that they need")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir, missing := t.TempDir(), len(kinds)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	seen := map[string]bool{}
	for n := 1; missing > 0; n++ {
		p := Draw(1, n)
		fresh := slices.DeleteFunc(slices.Clone(p.Faults), func(f Fault) bool { return seen[f.Kind] })
		for _, f := range fresh {
			if !seen[f.Kind] {
				seen[f.Kind] = true
				missing--
			}
		}
		if len(fresh) == 0 {
			continue
		}
		path := filepath.Join(dir, p.FileName())
		if err := os.WriteFile(path, []byte(p.Literal()), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, "scenarios", strings.TrimSuffix(p.FileName(), ".txt"))] = path
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "./scenarios")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestRequests(t *testing.T) {
	if plans, err := Requested(""); err != nil || plans != nil {
		t.Errorf("nothing asked for: %v, %v", plans, err)
	}
	plans, err := Requested(Request(-7, 3))
	if err != nil || len(plans) != 3 || !reflect.DeepEqual(plans[2], Draw(-7, 3)) {
		t.Errorf("three plans asked for: %d, %v", len(plans), err)
	}
	for _, request := range []string{"7", "x:3", "7:0", "7:x"} {
		if _, err := Requested(request); err == nil {
			t.Errorf("request %q is not refused", request)
		}
	}
}
