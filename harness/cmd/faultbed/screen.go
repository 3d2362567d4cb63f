package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

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
	live   bool     // a terminal, on which lines can be drawn over
	shown  []string // below all that is said
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, colour: colourful(out), live: terminal(out)}
}

// terminal says whether out is one on which the cursor can go up.
func terminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && isatty.IsTerminal(file.Fd())
}

// columns is how wide the terminal is.
func (s *screen) columns() int {
	const usual = 80
	file, ok := s.out.(*os.File)
	if !ok {
		return usual
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ) //nolint:gosec // a descriptor fits
	if err != nil || size.Col == 0 {
		return usual
	}
	return int(size.Col)
}

// status shows lines below all that is said, in place of those that are there; nothing
// where they could not be drawn over.
func (s *screen) status(lines []string) {
	if !s.live {
		return
	}
	s.clear()
	s.shown = lines
	s.draw()
}

func (s *screen) draw() {
	for _, line := range s.shown {
		fmt.Fprintln(s.out, line)
	}
}

// clear takes the status away, up to where it began.
func (s *screen) clear() {
	if n := len(s.shown); n > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", n)
	}
}

// colourful says whether out is a terminal whose owner wants colour (no-color.org).
func colourful(out io.Writer) bool { return os.Getenv("NO_COLOR") == "" && terminal(out) }

// expect tells which scenarios are to come, how many times over.
func (s *screen) expect(specs []spec, rounds int) {
	s.total = len(specs) * rounds
	for _, spec := range specs {
		s.width = max(s.width, min(len(spec.name), nameWidth))
	}
}

// say prints a line, above the status.
func (s *screen) say(format string, args ...any) {
	s.clear()
	fmt.Fprintf(s.out, format+"\n", args...)
	s.draw()
}

// ended prints how a scenario ended; its reason too, and where its evidence is. What
// passed has a reason only where a candidate does what its release is known not to do.
func (s *screen) ended(one history.Scenario) {
	s.done++
	shown := s.shown // drawn once, not after each line
	s.clear()
	s.shown = nil
	defer func() {
		s.shown = shown
		s.draw()
	}()
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
