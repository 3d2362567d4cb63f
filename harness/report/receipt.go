package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// faultView is a fault and its receipt, in which many probes are put in few words.
type faultView struct {
	history.Fault
	Says    string // whether it bit and went
	Well    bool
	Probe   [3]string // before, during, after
	Control [3]string
	Links   []linkView
}

// linkView is one link before, during and after.
type linkView struct {
	Link    string
	Seen    [3]string
	Control bool
}

func faultsOf(h history.History) (views []faultView) {
	for _, f := range h.Faults {
		v := faultView{Fault: f, Probe: plane(f.Receipt.Probe), Control: plane(f.Receipt.Control)}
		switch r := f.Receipt; {
		case f.Error != "":
			v.Says = "failed: " + f.Error
		case !r.Bites:
			v.Says = "did not bite: " + r.Doubt
		case r.Unwell != "":
			v.Says = "bit, was undone, but then: " + r.Unwell
		case f.HealedMS != nil && !r.Gone:
			v.Says = "bit, and was not seen gone"
		case f.HealedMS == nil:
			v.Says, v.Well = "bit, and was on to the end", true
		default:
			v.Says, v.Well = "bit, and was seen gone", true
		}
		v.Links = append(linksOf(f.Receipt.Probe, false), linksOf(f.Receipt.Control, true)...)
		views = append(views, v)
	}
	return views
}

// plane counts outcomes: "12 ok", "9 timeout, 3 ok".
func plane(p history.Plane) (words [3]string) {
	for i, readings := range [][]history.Reading{p.Before, p.During, p.After} {
		n := map[string]int{}
		for _, r := range readings {
			n[r.Outcome]++
		}
		var parts []string
		for _, outcome := range slices.Sorted(maps.Keys(n)) {
			parts = append(parts, fmt.Sprintf("%d %s", n[outcome], outcome))
		}
		words[i] = strings.Join(parts, ", ")
		if words[i] == "" {
			words[i] = "-"
		}
	}
	return words
}

func linksOf(p history.Plane, control bool) (views []linkView) {
	at := map[string]int{}
	for i, readings := range [][]history.Reading{p.Before, p.During, p.After} {
		for _, r := range readings {
			k, known := at[r.Link]
			if !known {
				k = len(views)
				at[r.Link] = k
				views = append(views, linkView{Link: r.Link, Control: control})
			}
			words := fmt.Sprintf("%s in %.0f ms", r.Outcome, r.TotalMS)
			if r.Outcome != "ok" && r.Detail != "" {
				words += ": " + r.Detail
			}
			views[k].Seen[i] = words
		}
	}
	return views
}
