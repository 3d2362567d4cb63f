package system_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/system/dragonfly"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/images/swarm"
)

// A need that no system lacks is misspelled, or none: its scenarios would run everywhere.
func TestEveryNeedIsLackedBySomebody(t *testing.T) {
	ours, err := reference.New(nil, "fast")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := dragonfly.New(map[string]string{}, "v2.2.1", "fast", dragonfly.Stores{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../scenarios/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	need := regexp.MustCompile(`needs\("([^"]+)"\)`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range need.FindAllStringSubmatch(string(text), -1) {
			found++
			if lacking := func(s system.System) bool { return s.Lacks(m[1]) != "" }; !lacking(ours) && !lacking(theirs) {
				t.Errorf("%s: no system lacks %q", filepath.Base(file), m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no scenario needs anything: has the label another name now?")
	}
}

func TestEveryReleaseIsCovered(t *testing.T) {
	text, err := os.ReadFile("../../scenarios/skew.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range swarm.ReleaseNames() {
		if n := strings.Count(string(text), fmt.Sprintf("%q", release)); n != 3 {
			t.Errorf("scenarios/skew.go names %s %d times: once in the list, twice in its Entry", release, n)
		}
	}
}
