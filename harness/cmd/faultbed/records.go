package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/faultbed/faultbed/harness/history"
)

// recordsEvery is how often the folder of records is looked at. A person sees no
// delay below it.
const recordsEvery = 100 * time.Millisecond

// records are the scenarios that the suite has written so far. It writes one file
// for each as it ends, renamed into place, so that a file that is there is whole.
type records struct {
	dir  string
	seen map[string]bool
	all  []history.Scenario
	beat func() // after each look; may be nil
}

func openRecords(run string) (*records, error) {
	dir := filepath.Join(run, "records")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of records: %w", err)
	}
	return &records{dir: dir, seen: map[string]bool{}}, nil
}

// sweep reads what is new and tells each of it.
func (r *records) sweep(tell func(history.Scenario)) error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return fmt.Errorf("look for records: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if r.seen[name] || !strings.HasSuffix(name, ".json") {
			continue
		}
		r.seen[name] = true
		var s history.Scenario
		if err := history.Read(filepath.Join(r.dir, name), &s); err != nil {
			s = history.Scenario{Name: name, Verdict: history.Infra, Reason: err.Error()}
		}
		r.add(s, tell)
	}
	return nil
}

func (r *records) add(s history.Scenario, tell func(history.Scenario)) {
	s.Repeat = max(s.Repeat, 1)
	s.History = listed(s.History)
	r.all = append(r.all, s)
	tell(s)
}

// listed makes lists that are empty [] and not null in JSON.
func listed(h history.History) history.History {
	h.Faults = append([]history.Fault{}, h.Faults...)
	h.Downloads = append([]history.Download{}, h.Downloads...)
	h.PeerCount = append([]history.PeerCount{}, h.PeerCount...)
	h.Ledger = append([]history.LinkBytes{}, h.Ledger...)
	h.Steps = append([]history.Step{}, h.Steps...)
	return h
}

// watch sweeps until ended gives its value, and once more after it.
func (r *records) watch(ended <-chan error, tell func(history.Scenario)) error {
	tick := time.NewTicker(recordsEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if failed := r.sweep(tell); failed != nil {
				return failed
			}
			return err
		case <-tick.C:
			if err := r.sweep(tell); err != nil {
				return err
			}
			if r.beat != nil {
				r.beat()
			}
		}
	}
}

// fill adds what a round should have left and did not, as INFRA: a scenario that was
// chosen and left no trace has proven nothing, least of all that it is well. Ginkgo's
// own report of the round, as far as there is one, gives the reason.
func (r *records) fill(round int, chosen []spec, reports []types.Report, otherwise string, tell func(history.Scenario)) {
	left := map[string]int{}
	for _, s := range r.all {
		if s.Repeat == round {
			left[s.Name]++
		}
	}
	for _, s := range chosen {
		if left[s.name] > 0 {
			left[s.name]--
			continue
		}
		verdict, reason := ended(s.name, reports)
		if reason == "" {
			reason = otherwise
		}
		r.add(history.Scenario{
			Name: s.name, Labels: s.labels, Location: s.location, Repeat: round,
			Verdict: verdict, Reason: reason,
		}, tell)
	}
}

// ended is what ginkgo says of a scenario that left no record. One that skipped
// itself, for what the machine cannot do, has run and proves nothing.
func ended(name string, reports []types.Report) (history.Verdict, string) {
	for _, r := range reports {
		for _, s := range r.SpecReports {
			message := strings.TrimSpace(s.Failure.Message)
			if s.FullText() != name || message == "" || !s.LeafNodeType.Is(types.NodeTypeIt) {
				continue
			}
			if s.State.Is(types.SpecStateSkipped) {
				return history.Inconclusive, "skipped: " + message
			}
			return history.Infra, "left no record: " + message
		}
	}
	return history.Infra, suiteFailure(reports)
}

// suiteFailure is why the suite as a whole failed, or "".
func suiteFailure(reports []types.Report) string {
	for _, r := range reports {
		for _, s := range r.SpecReports {
			if s.State.Is(types.SpecStateFailureStates) && !s.LeafNodeType.Is(types.NodeTypeIt) {
				return fmt.Sprintf("%s failed: %s", s.LeafNodeType, strings.TrimSpace(s.Failure.Message))
			}
		}
	}
	for _, r := range reports {
		if len(r.SpecialSuiteFailureReasons) > 0 {
			return "the suite failed: " + strings.Join(r.SpecialSuiteFailureReasons, "; ")
		}
	}
	return ""
}
