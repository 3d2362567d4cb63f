package main

import (
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/known"
)

// knownIssues are those of all systems: one that cannot be read is refused on every
// machine, also on those that never run its system.
func knownIssues(root string) ([]history.KnownIssue, error) {
	var all []history.KnownIssue
	for _, system := range []string{referenceName, dragonflyName} {
		issues, err := known.Read(root, system)
		if err != nil {
			return nil, usage("%w", err)
		}
		all = append(all, issues...)
	}
	return all, nil
}

// concern refuses known issues of scenarios that are not in the suite.
func concern(issues []history.KnownIssue, suite []spec) error {
	names := make([]string, len(suite))
	for i, s := range suite {
		names[i] = s.name
	}
	if err := known.Concern(issues, names); err != nil {
		return usage("%w", err)
	}
	return nil
}
