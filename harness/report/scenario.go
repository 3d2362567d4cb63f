package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/diagnosis"
	"github.com/faultbed/faultbed/harness/history"
)

// scenarioView is a scenario as the page shows it.
type scenarioView struct {
	history.Scenario
	Anchor    string
	Family    string
	Sentence  string
	Diagnosis diagnosis.Diagnosis
	UntilMS   int64 // where its time line ends
	Story     []stepView
	Windows   []windowView
	Bars      []barView
	Charts    []chartView
	Figures   template.JS // what the charts show, for reading values off them
	Faults    []faultView
	Matrix    matrix
	Evidence  []fileGroup
}

// Open says whether it is unfolded at first.
func (s scenarioView) Open() bool { return !Green(s.Verdict) }

// Text is what the filter looks at.
func (s scenarioView) Text() string {
	return strings.ToLower(strings.Join([]string{s.Name, s.Sentence, strings.Join(s.Labels, " "), s.Diagnosis.Words}, " "))
}

type stepView struct {
	history.Step
	By   bool // a line of the scenario's own story
	Kind string
}

// windowView is when a fault was in force; ToMS is the end of the bed where it was not
// healed before.
type windowView struct {
	FromMS, ToMS int64
	Name         string
	Bites        bool
}

// barView is a download on the time line.
type barView struct {
	FromMS, ToMS int64
	Name, Says   string
	Well         bool
}

type fileGroup struct {
	Name  string
	Files []fileView
}

type fileView struct{ Name, Path string }

func newScenarioView(number int, s history.Scenario, folder fs.FS) (scenarioView, error) {
	v := scenarioView{
		Scenario: s, Anchor: fmt.Sprintf("s%d", number+1), Family: Family(s.Labels),
		Sentence: diagnosis.Sentence(s.Reason), Diagnosis: diagnosis.Of(s), UntilMS: until(s.History),
	}
	if s.Repeat > 1 {
		v.Name += fmt.Sprintf(" (round %d)", s.Repeat)
	}
	for _, step := range s.Steps {
		text, by := strings.CutPrefix(step.Text, "By ")
		kind, _, _ := strings.Cut(text, " ")
		v.Story = append(v.Story, stepView{history.Step{AtMS: step.AtMS, Text: text}, by, kind})
	}
	slices.SortStableFunc(v.Story, func(a, b stepView) int { // older runs have it the other way round
		return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(index(!a.By), index(!b.By)))
	})
	for _, f := range s.Faults {
		if f.AppliedMS == nil {
			continue
		}
		end := v.UntilMS
		if f.HealedMS != nil {
			end = *f.HealedMS
		}
		v.Windows = append(v.Windows, windowView{*f.AppliedMS, end, f.Kind + " on " + f.Target, f.Receipt.Bites})
	}
	for _, d := range s.Downloads {
		v.Bars = append(v.Bars, barView{
			d.StartedMS, d.StartedMS + d.TookMS, d.File + " on " + d.Peer, cmp.Or(d.Error, bytesOf(d.Bytes)), d.Error == "" && d.SHA256OK,
		})
	}
	var err error
	if v.Charts, v.Figures, err = charts(s.History, v.UntilMS); err != nil {
		return v, fmt.Errorf("charts of %s: %w", s.Name, err)
	}
	v.Faults, v.Matrix = faultsOf(s.History), newMatrix(s.History)
	v.Evidence = evidenceIn(folder, s.Evidence)
	return v, nil
}

func index(second bool) int {
	if second {
		return 1
	}
	return 0
}

// until is when the last thing happened on a bed.
func until(h history.History) (ms int64) {
	for _, s := range h.Steps {
		ms = max(ms, s.AtMS)
	}
	for _, d := range h.Downloads {
		ms = max(ms, d.StartedMS+d.TookMS)
	}
	for _, f := range h.Faults {
		for _, at := range []*int64{f.AppliedMS, f.ConfirmedMS, f.HealedMS} {
			if at != nil {
				ms = max(ms, *at)
			}
		}
	}
	if n := len(h.Samples); n > 0 {
		ms = max(ms, h.Samples[n-1].AtMS)
	}
	for _, p := range h.PeerCount {
		ms = max(ms, p.AtMS)
	}
	return ms
}

// kind is one of evidence, by what files are called.
type kind struct {
	name string
	is   func(file string) bool
}

// kinds in their order; a file is of the first that fits.
var kinds = []kind{
	{"logs", func(f string) bool { return strings.HasSuffix(f, ".log") }},
	{"captures", func(f string) bool { return strings.HasSuffix(f, ".pcapng") }},
	{"goroutines", func(f string) bool { return strings.Contains(f, ".goroutines.") }},
	{"history", func(f string) bool { return f == "history.json" }},
	{"links and rules", func(f string) bool {
		return slices.Contains([]string{"toxiproxy.json", "namespaces.json", "counters.txt", "CUT.txt"}, f)
	}},
	{"containers", func(f string) bool { return strings.HasSuffix(f, ".inspect.json") }},
	{"configs", func(string) bool { return true }},
}

// evidenceIn lists what lies in a folder of evidence, by kind.
func evidenceIn(folder fs.FS, dir string) []fileGroup {
	if folder == nil || dir == "" {
		return nil
	}
	entries, err := fs.ReadDir(folder, dir)
	if err != nil {
		return nil // it was not kept, or was taken away since
	}
	groups := make([]fileGroup, len(kinds))
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.is(e.Name()) })
		groups[i].Name = kinds[i].name
		groups[i].Files = append(groups[i].Files, fileView{e.Name(), path.Join(dir, e.Name())})
	}
	return slices.DeleteFunc(groups, func(g fileGroup) bool { return len(g.Files) == 0 })
}
