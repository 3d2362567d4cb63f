package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/mutant"
)

// trial is one mutant being judged.
type trial struct {
	*trials
	built
	result mutant.Result
}

// run meets the mutant with the scenarios that declare it, and with all others if none of
// those kills it, the nearest first: until one does. What the machine kept from being judged
// is not judged by others in its place.
func (t *trial) run(i *interruption) {
	if t.options.full {
		t.play(i, t.both(t.mutant), false)
		return
	}
	if declared := t.declared(t.mutant); len(declared.chosen) > 0 {
		t.play(i, declared, false)
	}
	if t.options.sample > 0 {
		return
	}
	for _, a := range t.others(t.mutant) {
		if t.settled() || i.happened() {
			return
		}
		if len(a.chosen) > 0 {
			t.play(i, a, true)
		}
	}
}

// settled says whether others have nothing to add.
func (t *trial) settled() bool {
	return t.result.Trouble != "" ||
		slices.ContainsFunc(t.result.Pairs, func(p mutant.Pair) bool { return p.Killed || p.Unjudged() })
}

// play runs an act; with untilKilled no further than to the first kill.
func (t *trial) play(i *interruption, a act, untilKilled bool) {
	part, stop := i.part()
	defer stop()
	run, over := "", false
	err := t.stage.play(part, t.mutant, t.images, a, func(dir string) { run = dir }, func(s history.Scenario) {
		if over || i.happened() {
			return // what was cut short says nothing
		}
		p := t.mutant.Judge(s)
		p.Run = run
		t.result.Pairs = append(t.result.Pairs, p)
		t.tell(p)
		if untilKilled && p.Killed {
			over = true
			stop()
		}
	})
	if err != nil && !over && !i.happened() {
		t.trouble(err)
	}
}

// trouble notes what keeps the mutant from being judged.
func (t *trial) trouble(err error) {
	if t.result.Trouble != "" {
		err = errors.Join(errors.New(t.result.Trouble), err)
	}
	t.result.Trouble = err.Error()
}

// fateWidth is where reasons are cut in the lines that tell how it goes.
const fateWidth = 160

// tell says what a scenario made of the mutant.
func (t *trial) tell(p mutant.Pair) {
	if p.Verdict == history.NotApplicable {
		return // there may be many, and they have nothing to say
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	word := "alive "
	if p.Killed {
		word = "killed"
	}
	head := t.head(t.built)
	line := fmt.Sprintf("%s %-*s %s  %-*s %6.1f s", head, t.nameWidth(), t.result.Name, word, t.width(), p.Scenario, float64(p.TookMS)/1000)
	if p.Verdict != history.Pass {
		line += "\n" + strings.Repeat(" ", len(head)+1) + mutant.Cut(p.Fate(), fateWidth)
	}
	t.screen.say("%s", line)
}

// width is that of the names of scenarios.
func (t *trials) width() int {
	width := 0
	for _, s := range t.specs {
		width = max(width, min(len(s.name), nameWidth))
	}
	return width
}
