package scenarios

import (
	"slices"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/harness/ledger"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// given sums the bytes that one node gave to another, over some of its ports or over all:
// next to files the rest is little, but it is not nothing.
func given(book ledger.Book, from, to topology.Node, ports ...int) int64 {
	var bytes int64
	for _, link := range book {
		if link.Server == from.Name && link.Client == to.Name && (len(ports) == 0 || slices.Contains(ports, link.Port)) {
			bytes += link.Down
		}
	}
	return bytes
}

// asked sums the bytes of all that a server was asked.
func asked(book ledger.Book, server topology.Node) int64 {
	var bytes int64
	for _, link := range book {
		if link.Server == server.Name {
			bytes += link.Up
		}
	}
	return bytes
}

// matching counts the failures that match.
func matching(m types.GomegaMatcher) func([]system.Diagnosis) int {
	return func(told []system.Diagnosis) int {
		n := 0
		for _, d := range told {
			if ok, _ := m.Match(d); ok {
				n++
			}
		}
		return n
	}
}

// span is the time between the first and the last failure with a cause.
func span(told []system.Diagnosis, cause string) time.Duration {
	var first, last time.Time
	for _, d := range told {
		if d.Cause != cause {
			continue
		}
		if first.IsZero() {
			first = d.At
		}
		last = d.At
	}
	return last.Sub(first)
}
