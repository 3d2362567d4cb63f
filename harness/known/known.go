// Package known reads what a system is known not to do: fixtures/known/<system>.yaml, a
// list of known issues. It is strict, because an entry that is not understood would
// excuse too little or too much. What an entry excuses is package judge's to say.
package known

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/judge"
)

// Read returns the known issues of a system, from its file below the project's root.
func Read(root, system string) ([]history.KnownIssue, error) {
	name := filepath.Join("fixtures", "known", system+".yaml")
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, fmt.Errorf("read known issues: %w: a system without any has [] in it", err)
	}
	return parse(name, text)
}

// parse reads a list; name is what the file is called in errors and in the entries.
func parse(name string, text []byte) ([]history.KnownIssue, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, broken(name, err)
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("%s:1: no list of known issues: write [] if there are none", name)
	}
	list := document.Content[0]
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s:%d: no list of known issues: begin each with \"- scenario:\", or write []", name, list.Line)
	}
	var issues []history.KnownIssue
	for _, entry := range list.Content {
		issue, err := issueOf(name, entry)
		if err != nil {
			return nil, err
		}
		issues = append(issues, issue)
	}
	return issues, nil
}

// yamlLine is where the library says that a text is no YAML.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func broken(name string, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if at := yamlLine.FindStringSubmatch(text); at != nil {
		return fmt.Errorf("%s:%s: no YAML: %s", name, at[1], at[2])
	}
	return fmt.Errorf("%s: no YAML: %s", name, strings.TrimPrefix(text, "yaml: "))
}

// keys of an entry; all but the link are needed.
var keys = []string{"scenario", "releases", "seen", "why", "link", "date"}

const optional = "link"

func issueOf(name string, entry *yaml.Node) (history.KnownIssue, error) {
	issue := history.KnownIssue{At: fmt.Sprintf("%s:%d", name, entry.Line)}
	wrong := func(at *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("%s:%d: known issue: %w", name, at.Line, fmt.Errorf(format, args...))
	}
	if entry.Kind != yaml.MappingNode {
		return issue, wrong(entry, "no mapping: give it the keys %s", strings.Join(keys, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i < len(entry.Content); i += 2 {
		key, value := entry.Content[i], entry.Content[i+1]
		if seen[key.Value] {
			return issue, wrong(key, "%s is there twice: remove one", key.Value)
		}
		seen[key.Value] = true
		if err := set(&issue, key.Value, value); err != nil {
			return issue, wrong(key, "%w", err)
		}
	}
	for _, key := range keys {
		if !seen[key] && key != optional {
			return issue, wrong(entry, "%s is missing: add it", key)
		}
	}
	return issue, nil
}

// set reads one key's value into the issue.
func set(issue *history.KnownIssue, key string, value *yaml.Node) error {
	if !slices.Contains(keys, key) {
		return fmt.Errorf("unknown key %q: choose from %s", key, strings.Join(keys, ", "))
	}
	if key == "releases" {
		releases, err := releasesOf(value)
		issue.Releases = releases
		return err
	}
	text := strings.TrimSpace(value.Value)
	if value.Kind != yaml.ScalarNode || text == "" {
		return fmt.Errorf("%s is no text: write one", key)
	}
	switch key {
	case "scenario":
		issue.Scenario = text
		if pattern, ok := judge.Pattern(text); ok {
			return compiles(key, pattern)
		}
	case "seen":
		issue.Seen = text
		return compiles(key, text)
	case "why":
		issue.Why = text
	case "link":
		issue.Link = text
	case "date":
		issue.Date = text
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return fmt.Errorf("date %q is none: write one such as 2026-11-30", text)
		}
	}
	return nil
}

func compiles(key, text string) error {
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("%s %q is no regular expression: %w", key, text, err)
	}
	return nil
}

func releasesOf(value *yaml.Node) ([]string, error) {
	hint := errors.New("releases is no list: write such as [v2.2.1, v2.3.0], or [" + judge.EveryRelease + "]")
	if value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
		return nil, hint
	}
	var releases []string
	for _, one := range value.Content {
		if one.Kind != yaml.ScalarNode || strings.TrimSpace(one.Value) == "" {
			return nil, hint
		}
		releases = append(releases, strings.TrimSpace(one.Value))
	}
	if len(releases) > 1 && slices.Contains(releases, judge.EveryRelease) {
		return nil, fmt.Errorf("releases are %s and others: write [%s], or the others alone", judge.EveryRelease, judge.EveryRelease)
	}
	return releases, nil
}

// Concern refuses issues that are about no scenario of the suite, whose full names are
// given: the scenario has another name by now, and nobody would notice.
func Concern(issues []history.KnownIssue, scenarios []string) error {
	for _, issue := range issues {
		if !slices.ContainsFunc(scenarios, func(name string) bool { return judge.Concerns(issue, name) }) {
			return fmt.Errorf("%s: known issue of %q, which no scenario is called: see faultbed list", issue.At, issue.Scenario)
		}
	}
	return nil
}
