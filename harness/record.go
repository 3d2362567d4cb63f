package harness

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/evidence"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

// Outcome is how the suite saw a spec end.
type Outcome struct {
	Name     string
	Labels   []string
	Location string // file:line
	Failure  string // the first failure's message; empty if there was none
	Broken   string // why the spec ended through no fault of the system: a panic, an interrupt
	Lacks    string // why the spec did not begin: see Session.Lacks
	Took     time.Duration
	By       map[time.Time]string // the story: when each of its lines began
}

// Conclude judges a scenario that has ended and writes its record, from which run.json
// is made. It returns the record.
func (s *Session) Conclude(o Outcome) (history.Scenario, error) {
	s.mu.Lock()
	var h history.History
	if s.finished != nil {
		h = *s.finished
	}
	s.finished = nil
	s.mu.Unlock()
	if o.Failure != "" {
		h.Failure = o.Failure
	}
	h.Steps = withStory(h, o.By)
	if o.Broken != "" {
		h.Trouble = append(h.Trouble, o.Broken)
	}
	record := history.Scenario{
		Name: o.Name, Labels: o.Labels, Location: o.Location, Repeat: s.Repeat,
		WallMS: o.Took.Milliseconds(), History: h,
	}
	if o.Lacks == "" {
		record = judge.Scenario(record, judge.Tested{Release: s.Release, Given: s.Given}, s.Known)
	} else {
		record.Verdict, record.Reason = history.NotApplicable, o.Lacks
	}
	if dir := s.EvidenceDir(o.Name); isDir(filepath.Join(s.RunDir, dir)) {
		record.Evidence = dir
	}
	dir := filepath.Join(s.RunDir, "records")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return record, fmt.Errorf("record %s: %w", o.Name, err)
	}
	return record, history.Write(filepath.Join(dir, fmt.Sprintf("%d-%s.json", s.Repeat, evidence.Slug(o.Name))), record)
}

// needs begins the labels that say what a system must have for a scenario to apply.
const needs = "needs:"

// Lacks says why a scenario with these labels cannot apply to the system, or "" if it
// can.
func (s *Session) Lacks(labels []string) string {
	for _, label := range labels {
		need, ok := strings.CutPrefix(label, needs)
		if !ok {
			continue
		}
		if reason := s.System.Lacks(strings.TrimSpace(need)); reason != "" {
			return reason
		}
	}
	return ""
}

// Unavailable says that the scenario that has just ended could not inject its fault here.
func (s *Session) Unavailable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished != nil && s.finished.Unavailable != ""
}

// withStory puts the lines of the story among the bed's own steps.
func withStory(h history.History, by map[time.Time]string) []history.Step {
	var steps []history.Step
	for _, at := range slices.SortedFunc(maps.Keys(by), time.Time.Compare) {
		steps = append(steps, history.Step{AtMS: at.Sub(h.Started).Milliseconds(), Text: "By " + by[at]})
	}
	steps = append(steps, h.Steps...) // what the bed does follows from the line that says so
	slices.SortStableFunc(steps, func(a, b history.Step) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return steps
}

// EvidenceDir is the folder of a scenario's evidence, relative to the run's.
func (s *Session) EvidenceDir(scenario string) string {
	dir := filepath.Join("evidence", evidence.Slug(scenario))
	if s.Repeat > 1 {
		dir += fmt.Sprintf("-%d", s.Repeat)
	}
	return dir
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
