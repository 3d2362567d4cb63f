// Package nodelog reads what the nodes of a bed logged, in whatever format their system
// has, and puts it on the bed's clock: the complaints about connections, grouped, and the
// other lines that warn of something. Its functions are pure, and what they return is
// small however much was logged.
package nodelog

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system"
)

// What is kept of all nodes together.
const (
	complaintsAtMost = 120
	linesAtMost      = 40
	bytesOfLine      = 600
)

// Log is what one node printed.
type Log struct {
	Node string
	Text []byte
	// Failed is what the system reads in it of connections that failed.
	Failed []system.Diagnosis
}

// Complaints groups what the logs say of failed connections by who complains of what,
// those first that began first; what was said after endedMS, while a bed is put away, is a
// group of its own. The times of all of them come second, sorted.
func Complaints(started time.Time, endedMS int64, logs []Log) (grouped []history.Complaint, times []int64) {
	type key struct {
		node, step, target, cause string
		after                     bool
	}
	at := map[key]int{}
	for _, l := range logs {
		lines := byTime(l.Text)
		for _, d := range l.Failed {
			ms := d.At.Sub(started).Milliseconds()
			times = append(times, ms)
			k := key{l.Node, d.Step, d.Target, d.Cause, ms > endedMS}
			i, known := at[k]
			if !known {
				i = len(grouped)
				at[k] = i
				grouped = append(grouped, history.Complaint{
					Node: l.Node, Step: d.Step, Target: d.Target, Cause: d.Cause, FirstMS: ms, LastMS: ms,
					Error: cut(d.Error), Line: cut(lines[d.At.UnixNano()]),
				})
			}
			c := &grouped[i]
			c.Count++
			c.FirstMS, c.LastMS = min(c.FirstMS, ms), max(c.LastMS, ms)
		}
	}
	slices.Sort(times)
	if len(grouped) > complaintsAtMost { // the most frequent say most, and what came after the end least
		after := func(c history.Complaint) int { return max(0, cmp.Compare(c.FirstMS, endedMS)) }
		slices.SortStableFunc(grouped, func(a, b history.Complaint) int {
			return cmp.Or(cmp.Compare(after(a), after(b)), cmp.Compare(b.Count, a.Count))
		})
		grouped = grouped[:complaintsAtMost]
	}
	slices.SortStableFunc(grouped, func(a, b history.Complaint) int { return cmp.Compare(a.FirstMS, b.FirstMS) })
	return grouped, times
}

// level finds how grave a line is: slog's JSON, or zap's columns. Bare words are what
// programs print that end unforeseen.
var level = regexp.MustCompile(`"level":"(WARN|ERROR)"|\t(WARN|ERROR|DPANIC|PANIC|FATAL)\t|^(panic|fatal error): `)

// figures are what differs between two lines that say the same.
var figures = regexp.MustCompile(`[0-9a-f]{16,}|\d+`)

// Warnings are the lines that warn of something else than a failed connection, by their
// time: of lines that differ in figures only the first, and errors before warnings where
// there are too many.
func Warnings(started time.Time, logs []Log) []history.LogLine {
	var errors, warnings []history.LogLine
	seen := map[string]bool{}
	for _, l := range logs {
		told := map[int64]bool{}
		for _, d := range l.Failed {
			told[d.At.UnixNano()] = true
		}
		for line := range bytes.Lines(l.Text) {
			text := strings.TrimRight(string(line), "\r\n")
			m := level.FindStringSubmatch(text)
			at, ok := timeOf(text)
			if m == nil || ok && told[at.UnixNano()] {
				continue
			}
			same := l.Node + figures.ReplaceAllString(text, "#")
			if seen[same] {
				continue
			}
			seen[same] = true
			found := history.LogLine{Node: l.Node, Text: cut(text)}
			if ok {
				found.AtMS = at.Sub(started).Milliseconds()
			}
			if cmp.Or(m[1], m[2]) == "WARN" {
				warnings = append(warnings, found)
			} else {
				errors = append(errors, found)
			}
		}
	}
	kept := append(errors, warnings...)
	kept = kept[:min(len(kept), linesAtMost)]
	slices.SortStableFunc(kept, func(a, b history.LogLine) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return kept
}

// stamp is the first thing in a line that is a time, with its zone or of package log.
var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)|^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`)

func timeOf(line string) (time.Time, bool) {
	text := stamp.FindString(line)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006/01/02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// byTime are the lines of a log by when they were written; of several the first.
func byTime(log []byte) map[int64]string {
	lines := map[int64]string{}
	for line := range bytes.Lines(log) {
		text := strings.TrimRight(string(line), "\r\n")
		if at, ok := timeOf(text); ok {
			if _, there := lines[at.UnixNano()]; !there {
				lines[at.UnixNano()] = text
			}
		}
	}
	return lines
}

// cut keeps a line readable, and valid UTF-8.
func cut(line string) string {
	line = strings.ToValidUTF8(line, "\uFFFD")
	if len(line) <= bytesOfLine {
		return line
	}
	end := bytesOfLine
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + " ..."
}
