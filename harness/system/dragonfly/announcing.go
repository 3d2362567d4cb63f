package dragonfly

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Schedulers up to v2.1.0 do not list their hosts; they count announcements, by release.
// Each daemon announces at a steady pace, so that a pace of announcements is a number of
// daemons: how many, and of which releases, but not which ones and not which are seeds.

// watchedPaces is how many paces are watched: each daemon may be one announcement off, so
// that up to four of a release are counted right.
const watchedPaces = 10

// watch is what a scheduler had counted at a time, since its start.
type watch struct {
	at     time.Time
	counts map[string]float64 // by release
}

// watches are those of all schedulers that do not list hosts.
type watches struct {
	mu sync.Mutex
	of map[string][]watch // by node
}

// announcing counts the daemons that announce to a scheduler. It is to be asked again
// until enough was watched, and counts what was so since.
func (s *System) announcing(ctx context.Context, in system.Inside, supernode topology.Node) ([]system.Member, error) {
	families, err := readMetrics(ctx, in, supernode.Name)
	if err != nil {
		return nil, err
	}
	now := watch{time.Now(), map[string]float64{}}
	for _, m := range families[announces].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "git_version" {
				now.counts[l.GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	return s.watches.members(supernode.Name, now, s.profile.over(defaults).announce)
}

// members adds what was seen now and counts with what was seen watchedPaces ago.
func (w *watches) members(node string, now watch, pace time.Duration) ([]system.Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = map[string][]watch{}
	}
	seen := append(w.of[node], now)
	// A counter that fell is that of a scheduler that was started again, as is that of
	// another bed's scheduler of the same name.
	for i := len(seen) - 1; i > 0; i-- {
		if restarted(seen[i-1], seen[i]) || seen[i].at.Sub(seen[i-1].at) > watchedPaces*pace {
			seen = seen[i:]
			break
		}
	}
	// The oldest that is kept is the latest that is old enough.
	for len(seen) > 2 && now.at.Sub(seen[1].at) >= watchedPaces*pace {
		seen = seen[1:]
	}
	w.of[node] = seen
	span := now.at.Sub(seen[0].at)
	if span < watchedPaces*pace {
		return nil, fmt.Errorf("%s lists no hosts: watched its count of announcements for %s of %s", node, span.Round(time.Second), watchedPaces*pace)
	}
	var found []system.Member
	for version, count := range now.counts {
		hosts := math.Round((count - seen[0].counts[version]) * float64(pace) / float64(span))
		for i := range int(hosts) {
			found = append(found, system.Member{Name: fmt.Sprintf("unnamed-%d@%s", i+1, version), Release: version, Unnamed: true, Reachable: true})
		}
	}
	slices.SortFunc(found, func(a, b system.Member) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func restarted(before, after watch) bool {
	for version, count := range before.counts {
		if after.counts[version] < count {
			return true
		}
	}
	return false
}
