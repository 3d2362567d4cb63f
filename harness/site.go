package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/toxic"
)

// sitePrefix is the network of every site: each is an Ethernet of its own.
var sitePrefix = netip.MustParsePrefix("10.213.0.0/24")

// Hosts on a site's network. Where its nodes' default route leads, to the first, is nobody.
const (
	proxyHost = 2
	firstHost = 10
	lastHost  = 254
)

// hostAt is the n-th address of a site, with the length of its network's prefix.
func hostAt(n int) netip.Prefix {
	bytes := sitePrefix.Addr().As4()
	bytes[3] = byte(n) //nolint:gosec // lastHost is the last
	return netip.PrefixFrom(netip.AddrFrom4(bytes), sitePrefix.Bits())
}

// site is where a process lays its beds, one after the other: a network of faultd's, and a
// toxiproxy on it. Of a bed of five nodes that container is a sixth of what the engine has
// to do.
//
// Nothing of a bed is left for the next one. A site is handed on only by a bed that passed,
// with its namespaces as they were; toxiproxy starts anew; and no address is given to a
// second node, so that what the proxy's kernel has learnt of a destination (path MTU and
// metrics of TCP, both kept for minutes) or still sends to it has to do with no other.
type site struct {
	name    string // of the first bed that was laid on it, and so of network and proxy
	proxy   *cluster.Node
	control *forwarder   // to the proxy's control API
	streams *toxic.Proxy // nil until the proxy has answered
	next    int          // host that the next node gets
}

// room says whether so many more nodes fit on the site.
func (s *site) room(nodes int) bool { return s.next+nodes-1 <= lastHost }

// nextAddress is one that no node of the site has had.
func (s *site) nextAddress() netip.Addr {
	s.next++
	return hostAt(s.next - 1).Addr()
}

// occupySite returns a site for a bed of that name and so many nodes: the one that the bed
// before it has left, or a new one without a proxy. The bed owns it from then on.
func (s *Session) occupySite(ctx context.Context, bed string, nodes int) (*site, error) {
	s.mu.Lock()
	left := s.site
	s.site = nil
	s.mu.Unlock()
	if left != nil {
		if left.room(nodes) {
			return left, nil
		}
		if err := s.removeSite(ctx, left); err != nil {
			s.leaveSite(left) // for another try
			return nil, err
		}
	}
	return &site{name: bed, next: firstHost}, nil
}

// leaveSite hands a site on to the next bed.
func (s *Session) leaveSite(left *site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site = left
}

// closeSite removes the site that the last bed has left, if there is one.
func (s *Session) closeSite(ctx context.Context) error {
	s.mu.Lock()
	left := s.site
	s.site = nil
	s.mu.Unlock()
	if left == nil {
		return nil
	}
	return s.removeSite(ctx, left)
}

// removeSite takes away the proxy, then the network.
func (s *Session) removeSite(ctx context.Context, left *site) error {
	var errs []error
	if left.control != nil {
		left.control.Close()
	}
	if left.proxy != nil {
		errs = append(errs, s.Engine.RemoveNode(ctx, left.proxy.ID))
	}
	if s.lostBecause() == nil { // else it went with faultd
		errs = append(errs, s.Agent.CloseNetwork(ctx, left.name))
	}
	return errors.Join(errs...)
}

// startProxy brings the site's toxiproxy to its start: the first time with a container of its
// own, later as a new process in that one.
func (s *Session) startProxy(ctx context.Context, on *site) error {
	if on.streams != nil {
		return on.streams.Restart(ctx)
	}
	proxy, err := s.Engine.Run(ctx, cluster.Spec{
		Name: on.name + "-" + proxyName, Host: proxyName, Image: s.Images[proxyName],
		Labels: s.labels(on.name, proxyName, proxyName, ""), Sysctls: sysctls, Isolated: true,
	})
	on.proxy = proxy
	if err != nil {
		return err
	}
	if err := s.Agent.Plug(ctx, on.name, proxy.ID, proxyName, hostAt(proxyHost)); err != nil {
		return err
	}
	// It is led nowhere; but from now on its kernel follows connections. One that a fault makes
	// it follow only in the middle it can take for going the other way, and the fault for none.
	if err := s.Agent.Steer(ctx, proxy.ID, agent.Steering{}); err != nil {
		return err
	}
	const control = "127.0.0.1:8474" // in its own namespace

	on.control, err = forward(func(ctx context.Context) (net.Conn, error) { //nolint:contextcheck // it lives as long as the site
		return s.Agent.DialNode(ctx, proxy.ID, control)
	})
	if err != nil {
		return fmt.Errorf("forward toxiproxy's control API: %w", err)
	}
	on.streams = toxic.Connect("http://" + on.control.Addr())
	return await(ctx, "toxiproxy to answer", gatePoll, on.streams.Answers)
}

// labels are those of a container of the bed of that name.
func (s *Session) labels(bed, node, role, scenario string) map[string]string {
	return map[string]string{
		cluster.LabelSession: s.ID, cluster.LabelBed: bed,
		cluster.LabelNode: node, cluster.LabelRole: role, cluster.LabelScenario: scenario,
	}
}
