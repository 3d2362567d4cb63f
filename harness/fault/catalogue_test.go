package fault_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/fault"
)

// TestCatalogue holds the list that people read against the faults that there are.
func TestCatalogue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	listed, tried := map[string]fault.Entry{}, map[string]bool{}
	for _, e := range fault.Catalogue {
		listed[e.Kind] = e
	}
	for name, e := range catalogue(w) {
		kind := e.of.Kind()
		for _, timetable := range []string{"once-", "flap-", "ramp-"} {
			kind = strings.TrimPrefix(kind, timetable)
		}
		tried[kind] = true
		plan, err := e.of.Plan(w, "id")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, need := range plan.Needs {
			if !slices.Contains(listed[kind].Needs, need) {
				t.Errorf("%s needs %s, of which the catalogue does not know", name, need)
			}
		}
		if plan.Mechanism == "" {
			t.Errorf("%s does not say by which mechanism", name)
		}
		if typeName := reflect.TypeOf(e.of).Name(); !strings.Contains(string(readme), "`"+typeName) {
			t.Errorf("README.md has no row for %s", typeName)
		}
	}
	for kind, e := range listed {
		if tried[kind] == (e.Never != "") {
			t.Errorf("%s: tried %t, never available %q", kind, tried[kind], e.Never)
		}
		delete(tried, kind)
	}
	for kind := range tried {
		t.Errorf("the catalogue does not list %s", kind)
	}
}

// TestUnavailable takes a capability away.
func TestUnavailable(t *testing.T) {
	w := newWorld()
	w.lacks["nft-dup"] = "no such file or directory"
	i, err := fault.Inject(t.Context(), w, catalogue(w)["duplicate "].of, fault.NewBook("t"), clock)
	if !errors.Is(err, fault.ErrUnavailable) || !strings.Contains(err.Error(), "nft-dup (no such file or directory)") {
		t.Errorf("%v", err)
	}
	if err := i.Heal(t.Context()); err != nil {
		t.Error(err)
	}
	if left := w.residue(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
