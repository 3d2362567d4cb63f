package dragonfly

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/images/swarm/cause"
)

// Diagnoses implements system.System. Dragonfly has no one line for failed connections:
// what it logs is matched with the patterns of the node's release, and the target and the
// cause are taken from the error's text. What is not logged is not made up: where a line
// names no target there is none.
func (s *System) Diagnoses(n topology.Node, log []byte) []system.Diagnosis {
	r, err := s.release(n)
	if err != nil {
		return nil
	}
	var found []system.Diagnosis
	for line := range bytes.Lines(log) {
		e, ok := parseEntry(strings.TrimRight(string(line), "\r\n"))
		if !ok {
			continue
		}
		for _, p := range r.patterns {
			if d, ok := p.match(e); ok {
				found = append(found, d)
				break
			}
		}
	}
	return found
}

// entry is one line of a log.
type entry struct {
	at      time.Time
	source  string // file of the program, with the last folder, without the line
	message string
}

var (
	// consoleLine is zap's development format: time, level, caller, message, and fields as
	// JSON, between tabs. Stack traces follow on lines of their own.
	consoleLine = regexp.MustCompile(`^(\S+)\t(?:DEBUG|INFO|WARN|ERROR|DPANIC|PANIC|FATAL)\t(\S+?):\d+\t(.*?)(?:\t(\{.*\}))?$`)
	// plainLine is what Go's own packages log.
	plainLine = regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (.*)$`)
)

// Layouts of time: zap's ISO 8601, and that of Go's package log, in the container's zone,
// which is UTC.
const (
	consoleTime = "2006-01-02T15:04:05.000Z0700"
	plainTime   = "2006/01/02 15:04:05"
)

func parseEntry(line string) (entry, bool) {
	if m := consoleLine.FindStringSubmatch(line); m != nil {
		at, err := time.Parse(consoleTime, m[1])
		if m[4] != "" && !json.Valid([]byte(m[4])) {
			m[3] += "\t" + m[4]
		}
		return entry{at, m[2], m[3]}, err == nil
	}
	if m := plainLine.FindStringSubmatch(line); m != nil {
		at, err := time.Parse(plainTime, m[1])
		return entry{at: at, message: m[2]}, err == nil
	}
	return entry{}, false
}

func (p pattern) match(e entry) (system.Diagnosis, bool) {
	if p.source != "" && p.source != e.source {
		return system.Diagnosis{}, false
	}
	m := p.message.FindStringSubmatch(e.message)
	if m == nil {
		return system.Diagnosis{}, false
	}
	group := func(name string) string {
		if i := p.message.SubexpIndex(name); i >= 0 {
			return m[i]
		}
		return ""
	}
	failure := group("error")
	if strings.HasSuffix(failure, "context canceled") {
		return system.Diagnosis{}, false // the daemon gave up what it no longer needed
	}
	port, _ := strconv.Atoi(group("port")) // 0 if there is none
	return system.Diagnosis{
		At: e.at, Step: string(p.step), Error: failure,
		Target: complete(cmp.Or(group("target"), targetIn(failure)), cmp.Or(port, p.port)),
		Cause:  string(p.causeOf(failure)),
	}, true
}

// targets are where the texts of errors name the far end, the surest first.
var targets = []*regexp.Regexp{
	regexp.MustCompile(`^check (\S+:\d+) health failed`),
	regexp.MustCompile(`dial (?:tcp|udp) (\S+:\d+): `),
	regexp.MustCompile(`(?:read|write) tcp \S+->(\S+:\d+): `),
	regexp.MustCompile(`dial tcp: lookup (\S+) on `),
	regexp.MustCompile(`"https?://([^/"]+)`),
}

func targetIn(text string) string {
	for _, t := range targets {
		if m := t.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return ""
}

// complete adds a port to a target that has none.
func complete(target string, port int) string {
	if _, _, err := net.SplitHostPort(target); target == "" || err == nil || port == 0 {
		return target
	}
	return net.JoinHostPort(target, strconv.Itoa(port))
}

// stalls are texts of errors of connections that were made and then said nothing.
var stalls = []string{"timeout awaiting response headers", "Client.Timeout or context cancellation while reading body"}

// causeOf classifies an error in the words of the reference swarm.
func (p pattern) causeOf(text string) cause.Cause {
	if p.cause != "" {
		return p.cause
	}
	for _, stall := range stalls {
		if strings.Contains(text, stall) {
			return cause.Stalled
		}
	}
	return cause.Of(errors.New(text))
}
