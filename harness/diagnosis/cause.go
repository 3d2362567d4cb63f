package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// away are causes in a log that say no more than that the far end does not answer.
var away = []string{"refused", "timed out", "unreachable", "reset", "stalled", "closed"}

// cause is what a finding looks like, and why: what explains itself first, then what
// passes small and stalls large, then by how many ports and whom the far end is silent to.
func (c scene) cause(f finding) (Cause, string) {
	for _, one := range c.related(f) {
		switch {
		case one.Cause == "version mismatch":
			return Version, fmt.Sprintf("%s says %q", one.Node, Sentence(one.Error))
		case one.Cause == "too many open files", strings.Contains(one.Error, "too many open files"):
			return Descriptors, fmt.Sprintf("%s says %q", one.Node, Sentence(one.Error))
		case one.Cause == "no such host", strings.Contains(one.Error, "lookup "):
			server := host(one.Target)
			if who, ok := c.gone(server, f.since); ok {
				why := fmt.Sprintf("the name of %s is gone, and so is it: %s", server, who)
				if c.role(server) == "seed" {
					return DeadSeed, why
				}
				return NoCause, why
			}
			return DNS, fmt.Sprintf("%s could not look the name up (%s)", one.Node, Sentence(one.Error))
		}
	}
	for _, l := range c.h.Log {
		if strings.Contains(l.Text, "version mismatch") && (l.Node == f.node || strings.Contains(l.Text, f.node)) {
			return Version, l.Node + " refuses " + f.node
		}
	}
	if port(f.target) == dnsPort { // nobody but a probe asks there
		return DNS, fmt.Sprintf("%s asked for the name of %s: %s", f.node, f.server(), strings.TrimPrefix(f.how, unsaid))
	}
	if why, ok := c.cutOff(f.node, f.since); ok {
		return DeadSeed, why
	}
	if _, why, called := strings.Cut(f.how, "cannot be called back: "); called {
		return BlockedPort, fmt.Sprintf("%s answers, and cannot call %s back: %s", f.server(), f.node, Sentence(why))
	}
	if f.target == "" {
		return NoCause, "nothing says what " + f.node + " wanted to reach"
	}
	if why := c.large(f); why != "" {
		return MTU, why
	}
	if f.complaint != nil && !slices.Contains(away, f.complaint.Cause) {
		return NoCause, fmt.Sprintf("the far end answered, but with %q", Sentence(f.complaint.Error))
	}
	ports, from := c.silent(f)
	if c.role(f.server()) == "seed" && (len(ports) > 1 || len(from) > 1) {
		return DeadSeed, fmt.Sprintf("%s is silent on %s to %s", f.server(), list("port", ports), list("node", from))
	}
	if len(ports) > 1 {
		return BlockedPort, fmt.Sprintf("of %s %s were seen closed, to %s: all of them, if it is gone", f.server(), list("port", ports), list("node", from))
	}
	return BlockedPort, fmt.Sprintf("of %s only port %d was seen closed, to %s", f.server(), port(f.target), list("node", from))
}

// related are the complaints of a finding's node, and of others about the same target.
func (c scene) related(f finding) []history.Complaint {
	if f.complaint == nil {
		return nil
	}
	all := []history.Complaint{*f.complaint}
	for _, one := range c.ranked() {
		if one.Target == f.target && one.Node == f.node || telling[one.Cause] && (one.Node == f.node || one.Node == f.server() || host(one.Target) == f.node) {
			all = append(all, one)
		}
	}
	return all
}

// large says what shows that short exchanges pass on a link and long ones stall.
func (c scene) large(f finding) string {
	for _, one := range c.h.Complaints { // whoever cannot even connect has another trouble
		if one.Link() == f.link() && slices.Contains([]string{"refused", "timed out", "unreachable"}, one.Cause) && strings.Contains(one.Error, "dial ") {
			return ""
		}
	}
	for _, fault := range c.h.Faults {
		during := fault.Receipt.Probe.During
		for _, r := range during {
			near := r.Link == f.link() || strings.HasPrefix(r.Link, f.node+">")
			if !near {
				continue
			}
			if r.Wire.PathMTU > 0 && r.Wire.PathMTU < ethernet {
				return fmt.Sprintf("the kernel of %s knows of a path MTU of %d on %s", f.node, r.Wire.PathMTU, r.Link)
			}
			if r.ConnectMS > 0 && r.Outcome == "timeout" && r.Wire.Retransmitted > 0 {
				return fmt.Sprintf("on %s a connection opens, and what is longer is sent again and again (%d times)", r.Link, r.Wire.Retransmitted)
			}
		}
	}
	return ""
}

// dnsPort is where names are asked for (RFC 1035).
const dnsPort = 53

// ethernet is the MTU of a bed's links, in bytes.
const ethernet = 1500

// silent are the ports of a finding's server that somebody found closed or silent from its
// beginning on, and who did.
func (c scene) silent(f finding) (ports, from []string) {
	p, n := map[string]bool{}, map[string]bool{}
	note := func(node, target string) {
		if host(target) == f.server() {
			_, number, _ := strings.Cut(target, ":")
			p[number], n[node] = true, true
		}
	}
	for _, one := range c.h.Complaints {
		if slices.Contains(away, one.Cause) {
			note(one.Node, one.Target)
		}
	}
	for _, fault := range c.h.Faults {
		for _, r := range fault.Receipt.Probe.During {
			if node, target, _ := strings.Cut(r.Link, ">"); r.Outcome != "ok" {
				note(node, target)
			}
		}
	}
	return slices.Sorted(maps.Keys(p)), slices.Sorted(maps.Keys(n))
}

// gone says who that has the address of a node finds it silent, from then on: it is not only
// its name that is lost then, a container's goes with it. Of a supernode nobody keeps the
// address but a probe: whose connection ends looks the name up again.
func (c scene) gone(node string, since int64) (who string, ok bool) {
	for _, one := range c.h.Complaints {
		if c.role(node) == "seed" && host(one.Target) == node && slices.Contains(away, one.Cause) && one.LastMS >= since {
			return fmt.Sprintf("%s finds %s %s", one.Node, one.Target, one.Cause), true
		}
	}
	for _, fault := range c.h.Faults {
		for _, r := range fault.Receipt.Probe.During {
			from, target, _ := strings.Cut(r.Link, ">")
			if host(target) == node && port(target) != dnsPort && r.Outcome != "ok" && r.ConnectMS == 0 {
				return fmt.Sprintf("a probe of %s finds %s %s", from, target, r.Outcome), true
			}
		}
	}
	return "", false
}

// cutOff says why a seed that complains is itself what others cannot reach, from then on.
func (c scene) cutOff(seed string, since int64) (why string, ok bool) {
	if c.role(seed) != "seed" {
		return "", false
	}
	who := map[string]bool{}
	for _, one := range c.h.Complaints {
		if host(one.Target) == seed && slices.Contains(away, one.Cause) && one.LastMS >= since {
			who[one.Node] = true
		}
	}
	if len(who) == 0 {
		return "", false
	}
	return fmt.Sprintf("%s cannot get out, and is silent to %s", seed, list("node", slices.Sorted(maps.Keys(who)))), true
}

// list is "port 1", or "ports 1, 2".
func list(noun string, words []string) string {
	if len(words) == 1 {
		return noun + " " + words[0]
	}
	return noun + "s " + strings.Join(words, ", ")
}
