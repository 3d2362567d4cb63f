package harness

import (
	"testing"

	"github.com/faultbed/faultbed/harness/system"
)

func TestCounted(t *testing.T) {
	named := []system.Member{{Name: "seed-1"}, {Name: "peer-1"}}
	unnamed := []system.Member{{Name: "unnamed-1@v", Unnamed: true}, {Name: "unnamed-2@v", Unnamed: true}}
	for name, tc := range map[string]struct {
		members []system.Member
		want    []string
		all     bool
	}{
		"everybody":            {named, []string{"peer-1", "seed-1"}, true},
		"and one who is away":  {named, []string{"peer-1"}, true},
		"somebody is missing":  {named, []string{"peer-1", "peer-2"}, false},
		"nobody":               {nil, []string{"peer-1"}, false},
		"as many, by no name":  {unnamed, []string{"peer-1", "seed-1"}, true},
		"too few, by no name":  {unnamed, []string{"peer-1", "peer-2", "seed-1"}, false},
		"nobody is asked for":  {nil, nil, true},
		"as many, other names": {named, []string{"peer-2", "peer-3"}, false},
	} {
		if got := counted(tc.members, tc.want); got != tc.all {
			t.Errorf("%s: %v", name, got)
		}
	}
}
