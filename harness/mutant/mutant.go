// Package mutant is the swarm broken on purpose, one small change at a time, to see that
// the suite notices: it reads mutants from fixtures/mutants, patches the swarm's sources
// in memory, judges what a scenario said of a mutant, and reports on all of them. It
// builds, starts and runs nothing.
package mutant

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Mutant is one change to the swarm that some scenario has to notice.
type Mutant struct {
	Name    string
	Broken  string         // what is broken
	Promise string         // the promise that this breaks
	Seen    *regexp.Regexp // what the reason of a FAIL must match to be about it
	// Sources are the files that the patch changes, as they then are, by their paths from
	// the root of the project.
	Sources map[string][]byte
}

// Touches says whether two mutants change a file of the swarm both.
func (m Mutant) Touches(other Mutant) bool {
	for path := range m.Sources {
		if _, both := other.Sources[path]; both {
			return true
		}
	}
	return false
}

// Label begins the labels by which scenarios declare the mutants that they must kill.
const Label = "kills:"

// Declared are the names of the mutants that a scenario with these labels must kill.
func Declared(labels []string) []string {
	var names []string
	for _, label := range labels {
		if name, ok := strings.CutPrefix(label, Label); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Known refuses labels that declare mutants that are not there; at is where they stand.
func Known(mutants []Mutant, labels []string, at string) error {
	var wrong []error
	for _, name := range Declared(labels) {
		if !slices.ContainsFunc(mutants, func(m Mutant) bool { return m.Name == name }) {
			wrong = append(wrong, fmt.Errorf("%s: kills(%q): there is no %s/%s: correct the name, or add the mutant", at, name, Folder, name))
		}
	}
	return errors.Join(wrong...)
}

// Sample draws n mutants by a commit: the same ones for the same commit, others for the
// next, and each as likely as any. A mutant that is added or removed moves no other.
func Sample(mutants []Mutant, n int, commit string) []Mutant {
	drawn := slices.SortedFunc(slices.Values(mutants), func(a, b Mutant) int {
		return cmp.Compare(lot(commit, a.Name), lot(commit, b.Name))
	})
	drawn = drawn[:min(n, len(drawn))]
	slices.SortFunc(drawn, func(a, b Mutant) int { return cmp.Compare(a.Name, b.Name) })
	return drawn
}

func lot(commit, name string) string {
	sum := sha256.Sum256([]byte(commit + "\x00" + name))
	return string(sum[:])
}
