package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/faultbed/faultbed/harness/diagnosis"
	"github.com/faultbed/faultbed/harness/history"
)

type junitRun struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitCase struct {
	Name       string          `xml:"name,attr"`
	Class      string          `xml:"classname,attr"`
	File       string          `xml:"file,attr,omitempty"`
	Time       string          `xml:"time,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Failure    *junitTrouble   `xml:"failure"`
	Error      *junitTrouble   `xml:"error"`
	Skipped    *junitSkipped   `xml:"skipped"`
	Out        string          `xml:"system-out,omitempty"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitTrouble struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junitSkipped has no type: readers know its message alone.
type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes a run for machines, a suite per family. GitHub's actions, GitLab and
// Jenkins know three ends beside a pass: FAIL is a failure, INCONCLUSIVE and INFRA, which
// say nothing against what is under test, are errors, and KNOWN and N/A, on which nobody
// has to act, are skipped. A case's type attribute and its property "verdict" carry the
// verdict itself.
func JUnit(to io.Writer, run history.Run) error {
	n := Count(run.Scenarios)
	out := junitRun{
		Name: "faultbed " + run.ID, Tests: len(run.Scenarios), Time: junitTime(run.WallMS),
		Failures: n[history.Fail], Errors: n[history.Inconclusive] + n[history.Infra],
		Skipped: n[history.Known] + n[history.NotApplicable],
	}
	names, by := families(run.Scenarios)
	for _, name := range names {
		out.Suites = append(out.Suites, newJUnitSuite(name, run, by[name]))
	}
	if _, err := io.WriteString(to, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(to)
	encoder.Indent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("encode junit: %w", err)
	}
	_, err := io.WriteString(to, "\n")
	return err
}

func newJUnitSuite(name string, run history.Run, scenarios []history.Scenario) junitSuite {
	n := Count(scenarios)
	suite := junitSuite{
		Name: name, Tests: len(scenarios), Time: junitTime(wall(scenarios)),
		Failures: n[history.Fail], Errors: n[history.Inconclusive] + n[history.Infra],
		Skipped:   n[history.Known] + n[history.NotApplicable],
		Timestamp: run.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"seed", fmt.Sprint(run.Seed)}, {"system", run.System}, {"release", run.Release}, {"profile", run.Profile},
		},
	}
	for _, s := range scenarios {
		suite.Cases = append(suite.Cases, newJUnitCase(name, s))
	}
	return suite
}

func newJUnitCase(class string, s history.Scenario) junitCase {
	c := junitCase{Name: printable(s.Name), Class: class, File: s.Location, Time: junitTime(s.WallMS)}
	if s.Repeat > 1 {
		c.Name += fmt.Sprintf(" (repeat %d)", s.Repeat)
	}
	c.Properties = []junitProperty{{"verdict", string(s.Verdict)}, {"labels", strings.Join(s.Labels, ",")}}
	if s.Evidence != "" {
		c.Properties = append(c.Properties, junitProperty{"evidence", s.Evidence})
	}
	trouble := &junitTrouble{Type: string(s.Verdict), Message: printable(diagnosis.Sentence(s.Reason)), Text: printable(s.Reason)}
	switch s.Verdict {
	case history.Pass:
		if s.Reason != "" {
			c.Properties = append(c.Properties, junitProperty{"reason", trouble.Text})
		}
	case history.Known, history.NotApplicable:
		c.Skipped = &junitSkipped{fmt.Sprintf("%s: %s", s.Verdict, trouble.Message)}
	case history.Fail:
		c.Failure = trouble
	default:
		c.Error = trouble
	}
	if d := diagnosis.Of(s); d.Words != "" {
		c.Out = printable(d.Words)
		for _, l := range d.Lines {
			c.Out += printable(fmt.Sprintf("\n%s at %d ms: %s", l.Node, l.AtMS, l.Text))
		}
		if s.Evidence != "" {
			c.Out += "\nevidence: " + s.Evidence
		}
	}
	return c
}

func junitTime(ms int64) string { return fmt.Sprintf("%.3f", secondsOf(ms)) }

// printable takes out what XML 1.0 cannot carry, such as the escape character of
// coloured output.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
