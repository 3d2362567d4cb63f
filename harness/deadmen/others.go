package deadmen

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/cluster"
)

// others is what the objects of others have been known by since the trial began: what they
// bring to the host, or take away, is not for the trial to judge.
type others struct {
	names     map[string]bool
	addresses map[netip.Addr]bool
	subnets   map[netip.Prefix]bool
}

func newOthers() *others {
	return &others{names: map[string]bool{}, addresses: map[netip.Addr]bool{}, subnets: map[netip.Prefix]bool{}}
}

func (o *others) clone() *others {
	return &others{maps.Clone(o.names), maps.Clone(o.addresses), maps.Clone(o.subnets)}
}

// add takes in traces, and from a list of interfaces the names of those on their bridges.
func (o *others) add(t cluster.Traces, links []string) {
	for _, name := range t.Names {
		o.names[name] = true
	}
	for _, a := range t.Addresses {
		o.addresses[a] = true
	}
	for _, s := range t.Subnets {
		o.subnets[s] = true
	}
	for _, pid := range t.PIDs {
		held, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // faultd's, of its switches
		for _, path := range append(held, fmt.Sprintf("/proc/%d/ns/net", pid)) {
			if namespace, err := os.Readlink(path); err == nil && strings.HasPrefix(namespace, "net:[") {
				o.names[namespace] = true
			}
		}
	}
	for _, line := range links {
		name, rest, _ := strings.Cut(line, ": ")
		_, master, _ := strings.Cut(rest, " master ")
		master, _, _ = strings.Cut(master, " ")
		if o.names[strings.TrimPrefix(master, "br-")] || t.Bridge && master == "docker0" {
			o.names[name] = true
		}
	}
}

var address = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)

// concern says whether a line is about something of theirs.
func (o *others) concern(line string) bool {
	for name := range o.names {
		if strings.Contains(line, name) {
			return true
		}
	}
	return slices.ContainsFunc(address.FindAllString(line, -1), func(text string) bool {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return false
		}
		for subnet := range o.subnets {
			if subnet.Contains(a) {
				return true
			}
		}
		return o.addresses[a]
	})
}

// meet takes in what others have on the engine now.
func (t *Trial) meet(ctx context.Context, o *others, links []string) error {
	traces, err := t.Engine.Traces(ctx, func(session string) bool { return !t.ours[session] })
	o.add(traces, links)
	return err
}
