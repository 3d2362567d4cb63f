package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
)

// redrawEvery is the pace at which a terminal shows what is under way.
const redrawEvery = 500 * time.Millisecond

// running is a scenario that is under way.
type running struct {
	scenario string
	doing    harness.Doing
	text     string   // of what it does
	faults   []string // in force
	fetched  []string // downloads under way
	since    time.Time
}

// underWay are the scenarios of a journal that have begun and not ended, in the order in
// which they began. A scenario that lays several beds is there while one of them is.
func underWay(marks []harness.Mark) (all []running) {
	for _, m := range marks {
		if m.Scenario == "" {
			continue // the session's
		}
		i := slices.IndexFunc(all, func(r running) bool { return r.scenario == m.Scenario })
		if i < 0 {
			if m.Doing == harness.Stopping && m.Done {
				continue
			}
			i = len(all)
			all = append(all, running{scenario: m.Scenario, since: m.At})
		}
		r := &all[i]
		switch {
		case m.Doing == harness.Stopping && m.Done:
			all = slices.Delete(all, i, i+1)
			continue
		case m.Doing == harness.Downloading && !m.Done:
			r.fetched = append(r.fetched, m.Text)
		case m.Doing == harness.Downloading:
			if at := slices.Index(r.fetched, m.Text); at >= 0 {
				r.fetched = slices.Delete(r.fetched, at, at+1)
			}
		case m.Doing == harness.Injecting && m.Done:
			r.faults = append(r.faults, m.Text)
		case m.Doing == harness.Healing && m.Done:
			r.faults = slices.DeleteFunc(r.faults, func(f string) bool { return f == m.Text })
		}
		switch {
		case !m.Done:
			r.doing, r.text = m.Doing, m.Text
		case len(r.fetched) > 0:
			r.doing, r.text = harness.Downloading, strings.Join(r.fetched, ", ")
		default:
			r.doing, r.text = "waiting", ""
		}
	}
	return all
}

// line is a scenario under way, in as many columns.
func (r running) line(now time.Time, columns int) string {
	state := string(r.doing)
	if r.text != "" {
		state += " " + r.text
	}
	if len(r.faults) > 0 {
		state += "; in force: " + strings.Join(r.faults, ", ")
	}
	elapsed := fmt.Sprintf("%5.0f s  ", now.Sub(r.since).Seconds())
	room := max(columns-len(elapsed)-1, 20)
	name := r.scenario
	if most := max(room-len(state)-2, room/2); len([]rune(name)) > most {
		name = string([]rune(name)[:most-3]) + "..."
	}
	text := []rune(name + "  " + state)
	if len(text) > room {
		text = append(text[:room-3], '.', '.', '.')
	}
	return elapsed + string(text)
}

// progress redraws what is under way, from the run's journal.
type progress struct {
	screen *screen
	dir    string
	drawn  time.Time
}

// beat redraws if it is time, on a terminal.
func (p *progress) beat() {
	now := time.Now()
	if !p.screen.live || now.Sub(p.drawn) < redrawEvery {
		return
	}
	p.drawn = now
	marks, err := harness.ReadJournal(p.dir)
	if err != nil {
		return // it is for show
	}
	var lines []string
	columns := p.screen.columns()
	for _, r := range underWay(marks) {
		lines = append(lines, r.line(now, columns))
	}
	if left := p.screen.total - p.screen.done - len(lines); left > 0 && len(lines) > 0 {
		lines = append(lines, fmt.Sprintf("%7s  %d of %d are over, %d more to come", "", p.screen.done, p.screen.total, left))
	}
	p.screen.status(lines)
}
