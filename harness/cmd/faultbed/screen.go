package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/faultbed/faultbed/harness/history"
)

// nameWidth is where names are cut off for the sake of a straight column of times;
// longer ones push their time to the right.
const nameWidth = 84

// screen says on a terminal, or to a file, how a run goes.
type screen struct {
	out    io.Writer
	colour bool
	run    string // the run's folder as the user would type it
	total  int
	width  int // of names
	done   int
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, colour: colourful(out)}
}

// colourful says whether out is a terminal whose owner wants colour (no-color.org).
func colourful(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isatty.IsTerminal(file.Fd())
}

// expect tells which scenarios are to come, how many times over.
func (s *screen) expect(specs []spec, rounds int) {
	s.total = len(specs) * rounds
	for _, spec := range specs {
		s.width = max(s.width, min(len(spec.name), nameWidth))
	}
}

// say prints a line.
func (s *screen) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// ended prints how a scenario ended; its reason too, and where its evidence is. What
// passed has a reason only where a candidate does what its release is known not to do.
func (s *screen) ended(one history.Scenario) {
	s.done++
	digits := len(fmt.Sprint(s.total))
	s.say("[%*d/%d] %s  %-*s %6.1f s", digits, s.done, s.total, s.paint(one.Verdict), s.width, one.Name, float64(one.WallMS)/1000)
	if one.Verdict == history.Pass && one.Reason == "" {
		return
	}
	indent := strings.Repeat(" ", 2*digits+4)
	for line := range strings.SplitSeq(strings.TrimSpace(one.Reason), "\n") {
		s.say("%s%s", indent, line)
	}
	if one.Evidence != "" {
		s.say("%sevidence: %s", indent, filepath.Join(s.run, one.Evidence))
	}
}

// Colours of verdicts, as SGR parameters.
var colours = map[history.Verdict]string{
	history.Pass: "32", history.Fail: "31;1", history.Inconclusive: "33", history.Infra: "35",
	history.Known: "36", history.NotApplicable: "2",
}

// verdictWidth is that of the longest verdict.
const verdictWidth = len(history.Inconclusive)

// wide is a verdict in its colour, as wide as the longest.
func (s *screen) wide(v history.Verdict) string {
	return s.paint(v) + strings.Repeat(" ", verdictWidth-max(len(v), 5))
}

// paint is a verdict, as wide as the common ones and in its colour.
func (s *screen) paint(v history.Verdict) string {
	text := fmt.Sprintf("%-5s", v)
	if !s.colour {
		return text
	}
	return "\x1b[" + colours[v] + "m" + text + "\x1b[0m"
}
