package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/history"
)

//go:embed page
var assets embed.FS

// pageTemplate is the page; what it is made of is inlined, so that it is one file that
// needs no network.
var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"asset": func(name string) (string, error) {
		text, err := assets.ReadFile("page/" + name)
		return string(text), err
	},
	"css":     func(text string) template.CSS { return template.CSS(text) }, //nolint:gosec // our own
	"js":      func(text string) template.JS { return template.JS(text) },   //nolint:gosec // our own
	"seconds": func(ms int64) string { return fmt.Sprintf("%.1f s", secondsOf(ms)) },
	"clock":   clock,
	"bytes":   bytesOf,
	"amount":  amount,
	"lower":   func(v any) string { return strings.ToLower(strings.ReplaceAll(fmt.Sprint(v), "/", "")) },
	"percent": func(part, whole int64) template.CSS {
		return template.CSS(fmt.Sprintf("%.2f%%", share(float64(part), float64(whole))))
	}, //nolint:gosec // a number
	"short": shortDigest,
}).ParseFS(assets, "page/page.html"))

// Page writes a run as a page for a browser, for a phone and for paper: run.json in the
// form in which somebody reads it. It is made of the run alone; folder is the run's, for
// links to what lies there, and may be nil.
func Page(to io.Writer, run history.Run, folder fs.FS) error {
	view := pageView{Run: run, Status: "none of the scenarios proves anything", Took: secondsOf(run.WallMS)}
	n := Count(run.Scenarios)
	for _, v := range Verdicts {
		if n[v] > 0 || v == history.Pass || v == history.Fail {
			view.Counts = append(view.Counts, countView{v, n[v]})
		}
	}
	slices.Reverse(view.Counts)
	switch ExitStatus(run.Scenarios) {
	case ExitPass:
		view.Status = "all is well"
	case ExitFail:
		view.Status = fmt.Sprintf("%d of %d broke their promise", n[history.Fail], len(run.Scenarios))
	case ExitInfra:
		view.Status = "the machine or the harness failed"
	case ExitInconclusive:
		if n[history.Inconclusive] > 0 {
			view.Status = fmt.Sprintf("%d of %d prove nothing", n[history.Inconclusive], len(run.Scenarios))
		}
	}
	view.Under, view.Others = images(run)
	names, by := families(run.Scenarios)
	for _, name := range names {
		view.Families = append(view.Families, familyView{name, figures(columns(run.Scenarios), by[name]), wall(by[name])})
	}
	view.Columns = columns(run.Scenarios)
	view.Files = present(folder, "run.json", "summary.md", "junit.xml", "ginkgo.log", "journal.jsonl")
	for i, s := range ranked(run.Scenarios) {
		one, err := newScenarioView(i, s, folder)
		if err != nil {
			return err
		}
		view.Scenarios = append(view.Scenarios, one)
	}
	if err := pageTemplate.Execute(to, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

type pageView struct {
	history.Run
	Status    string
	Took      float64
	Counts    []countView
	Under     []imageView // of the release under test, and candidates
	Others    []imageView
	Columns   []history.Verdict
	Families  []familyView
	Files     []string
	Scenarios []scenarioView
}

// At is when the run began.
func (p pageView) At() string { return p.Started.UTC().Format("2006-01-02 15:04:05 UTC") }

// Troubles are the scenarios that somebody has to act on, and Rest all others.
func (p pageView) Troubles() (bad []scenarioView) {
	return slices.DeleteFunc(slices.Clone(p.Scenarios), func(s scenarioView) bool { return Green(s.Verdict) })
}

// Rest are the scenarios that nobody has to act on.
func (p pageView) Rest() (good []scenarioView) {
	return slices.DeleteFunc(slices.Clone(p.Scenarios), func(s scenarioView) bool { return !Green(s.Verdict) })
}

// Memory is the host's, in GiB.
func (p pageView) Memory() string {
	return fmt.Sprintf("%.1f GiB", float64(p.Host.MemoryBytes)/(1<<30))
}

type countView struct {
	Verdict history.Verdict
	N       int
}

type familyView struct {
	Name    string
	Figures []string
	WallMS  int64
}

type imageView struct {
	Role string
	history.Image
	Given bool
}

// images are those that were under test, and all others that beds were made of.
func images(run history.Run) (under, others []imageView) {
	for _, key := range slices.Sorted(maps.Keys(run.Images)) {
		role, _, mixed := strings.Cut(key, "@")
		view := imageView{key, run.Images[key], slices.Contains(run.Given, key)}
		if !mixed && slices.Contains([]string{"supernode", "seed", "peer", "manager", "scheduler"}, role) {
			under = append(under, view)
		} else {
			others = append(others, view)
		}
	}
	return under, others
}

// ranked are scenarios with the worst first, else as they ran.
func ranked(scenarios []history.Scenario) []history.Scenario {
	return slices.SortedStableFunc(slices.Values(scenarios), func(a, b history.Scenario) int {
		return slices.Index(Verdicts, a.Verdict) - slices.Index(Verdicts, b.Verdict)
	})
}

// present are those of the names that are in a folder.
func present(folder fs.FS, names ...string) (found []string) {
	for _, name := range names {
		if folder == nil {
			break
		}
		if info, err := fs.Stat(folder, name); err == nil && info.Mode().IsRegular() {
			found = append(found, name)
		}
	}
	return found
}

// clock is a moment on a bed's clock.
func clock(ms int64) string {
	return fmt.Sprintf("%.3f s", float64(ms)/float64(time.Second/time.Millisecond))
}

func bytesOf(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// amount is a figure of a budget with its unit.
func amount(n int64, unit string) string {
	switch unit {
	case "ms":
		return fmt.Sprintf("%.1f s", secondsOf(n))
	case "bytes":
		return bytesOf(n)
	}
	return fmt.Sprint(n)
}

func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	if len(digest) <= enough {
		return digest
	}
	return digest[:enough]
}

// share is a part of a whole in per cent, within bounds.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(max(100*part/whole, 0), 100)
}
