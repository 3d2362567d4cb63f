package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/history"
)

func TestWhatIsUnderWayFollowsTheJournal(t *testing.T) {
	start := time.Unix(1000, 0)
	mark := func(s int, scenario string, doing harness.Doing, done bool, text string) harness.Mark {
		return harness.Mark{At: start.Add(time.Duration(s) * time.Second), Scenario: scenario, Doing: doing, Done: done, Text: text}
	}
	marks := []harness.Mark{
		mark(0, "", harness.Opening, true, ""),
		mark(1, "a seed", harness.Laying, false, ""),
		mark(2, "a port", harness.Laying, false, ""),
		mark(4, "a seed", harness.Laying, true, ""),
		mark(5, "a seed", harness.Injecting, false, "drop on all"),
		mark(6, "a seed", harness.Injecting, true, "drop on all"),
		mark(7, "a seed", harness.Downloading, false, "layer on peer-1"),
		mark(8, "a port", harness.Stopping, false, ""),
		mark(9, "a port", harness.Stopping, true, ""),
		mark(10, "a seed", harness.Healing, false, "drop on all"),
		mark(11, "a seed", harness.Healing, true, "drop on all"),
		mark(11, "a seed", harness.Downloading, true, "layer on peer-1"),
	}
	for n, want := range map[int]string{
		1:  "",
		3:  "   10 s  a seed  laying|    9 s  a port  laying",
		4:  "   10 s  a seed  waiting|    9 s  a port  laying",
		5:  "   10 s  a seed  injecting drop on all|    9 s  a port  laying",
		7:  "   10 s  a seed  downloading layer on peer-1; in force: drop on all|    9 s  a port  laying",
		9:  "   10 s  a seed  downloading layer on peer-1; in force: drop on all",
		10: "   10 s  a seed  healing drop on all; in force: drop on all",
		11: "   10 s  a seed  downloading layer on peer-1",
		12: "   10 s  a seed  waiting",
	} {
		var lines []string
		for _, r := range underWay(marks[:n]) {
			lines = append(lines, r.line(start.Add(11*time.Second), 200))
		}
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("after %d marks: %q, want %q", n, got, want)
		}
	}
}

func TestALineOfProgressFitsTheTerminal(t *testing.T) {
	r := running{scenario: strings.Repeat("näme ", 30), doing: harness.Downloading, text: strings.Repeat("x", 90), since: time.Unix(0, 0)}
	for _, columns := range []int{40, 80, 120} {
		if got := len([]rune(r.line(time.Unix(5, 0), columns))); got > columns {
			t.Errorf("on %d columns the line has %d", columns, got)
		}
	}
}

func TestStatusIsRedrawnInPlaceOnATerminalOnly(t *testing.T) {
	var plain, live bytes.Buffer
	for out, is := range map[*bytes.Buffer]bool{&plain: false, &live: true} {
		s := newScreen(out)
		s.live = is
		s.status([]string{"one", "two"})
		s.ended(history.Scenario{Name: "over", Verdict: history.Pass})
		s.status([]string{"three"})
		s.status(nil)
		s.say("end")
	}
	if got := plain.String(); got != "[1/0] PASS   over    0.0 s\nend\n" {
		t.Errorf("without a terminal it says %q", got)
	}
	const up, wipe = "\x1b[%dA", "\x1b[J"
	want := "one\ntwo\n" + fmt.Sprintf(up, 2) + wipe + "[1/0] PASS   over    0.0 s\none\ntwo\n" + fmt.Sprintf(up, 2) + wipe + "three\n" + fmt.Sprintf(up, 1) + wipe + "end\n"
	if got := live.String(); got != want {
		t.Errorf("on a terminal it says %q, want %q", got, want)
	}
}
