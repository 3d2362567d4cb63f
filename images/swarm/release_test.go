package swarm_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/images/swarm"
)

func TestReleasesSpeakToTheirNeighbours(t *testing.T) {
	all := swarm.Releases()
	for i, own := range all {
		for j, other := range all {
			// Neighbouring minors speak to each other; two minors apart, or a major, do not.
			want := own.Release[0] == other.Release[0] && max(i, j)-min(i, j) <= 1
			err := swarm.CheckProtocol("supernode", own, "peer", other.Release, other.Protocol)
			if (err == nil) != want || (err != nil && !errors.Is(err, swarm.ErrVersionMismatch)) {
				t.Errorf("%s with %s: %v", own.Release, other.Release, err)
			}
			if got := swarm.Speak(own.Protocol, other.Protocol); got != want {
				t.Errorf("%s and %s speak: %v", own.Release, other.Release, got)
			}
		}
	}
	if _, err := swarm.CapabilitiesOf("2.9.9"); err == nil || !strings.Contains(err.Error(), "known are 2.0.0, 2.1.0") {
		t.Errorf("an unknown release: %v", err)
	}
	if _, err := swarm.CapabilitiesOf(swarm.Release); err != nil {
		t.Error(err)
	}
}

// A release never loses what the one before it could.
func TestReleasesOnlyGain(t *testing.T) {
	for i, c := range swarm.Releases()[1:] {
		before, now := reflect.ValueOf(swarm.Releases()[i]), reflect.ValueOf(c)
		for f := range now.NumField() {
			if now.Field(f).Kind() == reflect.Bool && before.Field(f).Bool() && !now.Field(f).Bool() {
				t.Errorf("%s lost %s", c.Release, now.Type().Field(f).Name)
			}
		}
	}
}

func TestReadmeShowsTheReleases(t *testing.T) {
	const readme = "../../README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if want := releaseTable(); !strings.Contains(string(text), want) {
		t.Errorf("README.md does not show the releases as release.go has them; it should have:\n%s", want)
	}
}

// releaseTable is the table of releases in Markdown, a column for each capability.
func releaseTable() string {
	kind := reflect.TypeFor[swarm.Capabilities]()
	var capabilities []reflect.StructField
	head, rule := "| release | protocol | speaks with |", "| --- | --- | --- |"
	for f := range kind.NumField() {
		if field := kind.Field(f); field.Type.Kind() == reflect.Bool {
			capabilities = append(capabilities, field)
			head += " " + field.Name + " |"
			rule += " --- |"
		}
	}
	lines := []string{head, rule}
	for _, c := range swarm.Releases() {
		line := fmt.Sprintf("| %s | %s | %s |", c.Release, c.Protocol, strings.Join(c.Accepts, ", "))
		for _, field := range capabilities {
			line += map[bool]string{true: " yes |", false: " - |"}[reflect.ValueOf(c).FieldByIndex(field.Index).Bool()]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n") + "\n"
}
