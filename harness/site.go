package harness

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Hosts on a site's network: the engine's gateway has the first address.
const (
	proxyHost = 2
	firstHost = 10
	lastHost  = 254
)

// site is where a process lays its beds, one after the other: a network, and a toxiproxy on
// it. Of a bed of five nodes that container is a sixth of what the engine has to do.
//
// Nothing of a bed is left for the next one. A site is handed on only by a bed that passed,
// with its namespaces as they were; toxiproxy starts anew; and no address is given to a
// second node, so that what the proxy's kernel has learnt of a destination (path MTU and
// metrics of TCP, both kept for minutes) or still sends to it has to do with no other.
type site struct {
	name    string // of the first bed that was laid on it, and so of all that is on its network
	network cluster.Network
	proxy   *cluster.Node
	streams *toxic.Proxy // nil until the proxy has answered
	next    int          // host that the next node gets
}

// room says whether so many more nodes fit on the site.
func (s *site) room(nodes int) bool { return s.next+nodes-1 <= lastHost }

// nextAddress is one that no node of the site has had.
func (s *site) nextAddress() netip.Addr {
	s.next++
	return s.network.Address(s.next - 1)
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
			return nil, err
		}
	}
	network, err := s.Engine.StartNetwork(ctx, bed, s.labels(bed, "", "network", ""))
	if err != nil {
		return nil, err
	}
	return &site{name: bed, network: network, next: firstHost}, nil
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

// removeSite takes away the proxy, then the network: nothing else may be on it any more.
func (s *Session) removeSite(ctx context.Context, left *site) error {
	var err error
	if left.proxy != nil {
		err = s.Engine.RemoveNode(ctx, left.network, left.proxy.ID)
	}
	return errors.Join(err, s.Engine.RemoveNetwork(ctx, left.network))
}

// startProxy brings the site's toxiproxy to its start: the first time with a container of its
// own, later as a new process in that one.
func (s *Session) startProxy(ctx context.Context, on *site) error {
	if on.streams != nil {
		return on.streams.Restart(ctx)
	}
	const control = "8474/tcp"
	proxy, err := s.Engine.Run(ctx, cluster.Spec{
		Name: on.name + "-" + proxyName, Host: proxyName, Image: s.Images[proxyName],
		Labels: s.labels(on.name, proxyName, proxyName, ""), Publish: []string{control}, Sysctls: sysctls,
		Network: on.network, Address: on.network.Address(proxyHost),
	})
	on.proxy = proxy
	if err != nil {
		return err
	}
	endpoint, err := proxy.Endpoint(ctx, control)
	if err != nil {
		return err
	}
	on.streams = toxic.Connect("http://" + endpoint)
	if err := await(ctx, "toxiproxy to answer", gatePoll, on.streams.Answers); err != nil {
		return fmt.Errorf("start the site: %w", err)
	}
	return nil
}

// labels are those of something on the site of that name. Whoever cleans up goes by the
// site: what is on one network has to leave it one after the other.
func (s *Session) labels(site, node, role, scenario string) map[string]string {
	return map[string]string{
		cluster.LabelSession: s.ID, cluster.LabelBed: site,
		cluster.LabelNode: node, cluster.LabelRole: role, cluster.LabelScenario: scenario,
	}
}
