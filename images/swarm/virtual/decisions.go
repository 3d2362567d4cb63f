package virtual

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/faultbed/faultbed/fixtures"
)

// Decision is one thing that a node decided or found out, without its time: what is to
// be the same under all timers.
type Decision struct {
	Node   string
	Target string // the node or task that it is about
	What   string
}

// String is the decision as one reads it.
func (d Decision) String() string { return fmt.Sprintf("%s: %s: %s", d.Node, d.Target, d.What) }

// spans are durations within texts; they are a profile's own.
var spans = regexp.MustCompile(`\b(\d+(\.\d+)?(h|m|s|ms|µs))+\b`)

// Decisions reduces the journal. A retry that ends as the one before is no decision:
// how many there are is the backoff's business.
func (b *Bed) Decisions() []Decision {
	var decisions []Decision
	last, urls := map[string]string{}, map[string]string{}
	for _, line := range b.Journal.Lines() {
		if task, url := line.Attrs["task"], line.Attrs["url"]; url != "" {
			urls[task] = url
		} else if task != "" {
			line.Attrs["url"] = urls[task]
		}
		target, what := reduce(line)
		if what == "" {
			continue
		}
		d := Decision{line.Node, b.nameOf(target), spans.ReplaceAllString(b.named(what), "<time>")}
		if key := d.Node + " " + d.Target; last[key] != d.What {
			last[key] = d.What
			decisions = append(decisions, d)
		}
	}
	return decisions
}

// reduce says what a line is about and what it decides; "" is nothing. What children say
// of a parent ("upload failed") is left out: they have lines of their own for that, and
// the supernode hears them for as long only as it knows the parent.
func reduce(l Line) (target, what string) {
	a := l.Attrs
	switch l.Message {
	case "connection failed":
		return a["target"], a["step"] + " failed: " + a["cause"]
	case "peer register":
		if a["supernode"] != "" {
			return at(host(a["supernode"]), SupernodePort), "registered"
		}
		return a["peer"], "taken"
	case "peer refused":
		return a["peer"], "refused: " + a["reason"]
	case "peer dropped":
		// Of a peer that neither announces nor answers, one lease runs out first by chance.
		if strings.Contains(a["reason"], "within the lease") {
			return a["peer"], "dropped: lease"
		}
		return a["peer"], "dropped: " + a["reason"]
	case "peer reachability":
		return a["peer"], "reachable: " + a["reachable"]
	case "supernode moved", "stays out of the swarm":
		return a["supernode"], l.Message
	case "task owner":
		return a["url"], "owned by " + a["supernode"]
	case "seed triggered", "seed done":
		return a["seed"], l.Message
	case "back to source":
		if a["peer"] != "" {
			return a["url"], "ordered back to source: " + a["peer"]
		}
		return a["url"], "back to source: " + a["reason"]
	case "task start", "task done", "task failed":
		return a["url"], l.Message
	case "task wanted":
		return a["url"], "wanted by " + a["peer"]
	}
	return "", ""
}

func host(addr string) string {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return name
}

// Owner is the supernode that a peer last took for the owner of a file.
func (b *Bed) Owner(peer string, file fixtures.File) (supernode string) {
	for _, line := range b.Journal.Lines() {
		if line.Node == peer && line.Message == "task owner" && line.Attrs["url"] == b.Origin.URL(file) {
			supernode = line.Attrs["supernode"]
		}
	}
	return supernode
}

// nameOf replaces the address of a host, with or without a port, by its name.
func (b *Bed) nameOf(addr string) string {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return strings.TrimPrefix(addr, b.Origin.base())
	}
	if known := b.names[name]; known != "" {
		name = known
	}
	return net.JoinHostPort(name, port)
}

// named replaces the addresses within a text.
func (b *Bed) named(text string) string {
	for ip, name := range b.names {
		text = strings.ReplaceAll(text, ip+":", name+":")
	}
	return text
}

// ByNode is each node's decisions in their order.
func ByNode(decisions []Decision) map[string][]string {
	by := map[string][]string{}
	for _, d := range decisions {
		by[d.Node] = append(by[d.Node], d.Target+": "+d.What)
	}
	return by
}

// ByTarget is each node's decisions about each target in their order.
func ByTarget(decisions []Decision) map[string][]string {
	by := map[string][]string{}
	for _, d := range decisions {
		by[d.Node+" about "+d.Target] = append(by[d.Node+" about "+d.Target], d.What)
	}
	return by
}
