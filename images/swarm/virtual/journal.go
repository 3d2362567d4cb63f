package virtual

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// nodeKey is the attribute that names a line's node.
const nodeKey = "node"

// Line is one line of a node's log.
type Line struct {
	At      time.Duration // since the bed's start
	Node    string
	Message string
	Attrs   map[string]string
}

// String is the line as one reads it.
func (l Line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12.6f %-10s %s", l.At.Seconds(), l.Node, l.Message)
	keys := make([]string, 0, len(l.Attrs))
	for key := range l.Attrs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(&b, " %s=%q", key, l.Attrs[key])
	}
	return b.String()
}

// Journal keeps the log lines of all nodes, in order. It is a slog.Handler.
type Journal struct {
	*pages
	attrs []slog.Attr
}

// pages is what all handlers of one journal write to.
type pages struct {
	began time.Time
	mu    sync.Mutex
	lines []Line
}

func newJournal() *Journal { return &Journal{pages: &pages{began: time.Now()}} }

// Lines is all that was written.
func (j *Journal) Lines() []Line {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// String is all lines as text.
func (j *Journal) String() string {
	var b strings.Builder
	for _, line := range j.Lines() {
		b.WriteString(line.String() + "\n")
	}
	return b.String()
}

// Enabled implements slog.Handler.
func (j *Journal) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (j *Journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Journal{j.pages, append(slices.Clone(j.attrs), attrs...)}
}

// WithGroup implements slog.Handler; the swarm has no groups.
func (j *Journal) WithGroup(string) slog.Handler { return j }

// Handle implements slog.Handler.
func (j *Journal) Handle(_ context.Context, r slog.Record) error {
	line := Line{At: r.Time.Sub(j.began), Message: r.Message, Attrs: map[string]string{}}
	note := func(a slog.Attr) bool {
		if a.Key == nodeKey {
			line.Node = a.Value.String()
		} else {
			line.Attrs[a.Key] = a.Value.String()
		}
		return true
	}
	for _, a := range j.attrs {
		note(a)
	}
	r.Attrs(note)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	return nil
}
