package cluster

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// pool holds the /24 networks of faultds and of plain containers. It lies outside of the engine's default address
// pools (172.17.0.0/12 and 192.168.0.0/16), so other containers are not in the way.
var pool = netip.MustParsePrefix("10.213.0.0/16")

// Network is a network of the engine's, with addresses that its owner gives out. Beds have
// none: the engine counts a network's endpoints without a lock that holds (moby issue 42119,
// seen on 20.10 once in some 150 beds), and two containers that come or go at the same moment
// leave it with a count that never reaches zero; then it can only be removed by restarting
// the engine.
type Network struct {
	ID, Name string
	Prefix   netip.Prefix
}

// Address is the n-th host address of the network; the engine's gateway has the first.
func (n Network) Address(host int) netip.Addr {
	bytes := n.Prefix.Addr().As4()
	bytes[3] = byte(host) //nolint:gosec // a /24 has no more, topology.MaxNodes sees to it
	return netip.AddrFrom4(bytes)
}

// StartNetwork makes a network of that name on the first free /24 of the pool, looking
// from a place that depends on the name, so that two runs at once seldom meet.
func (e *Engine) StartNetwork(ctx context.Context, name string, labels map[string]string) (Network, error) {
	all := maps.Clone(labels)
	maps.Copy(all, testcontainers.GenericLabels())
	h := fnv.New32a()
	h.Write([]byte(name))
	start := int(h.Sum32() % 256)
	for i := range 256 {
		bytes := pool.Addr().As4()
		bytes[2] = byte((start + i) % 256)
		prefix := netip.PrefixFrom(netip.AddrFrom4(bytes), 24)
		made, err := e.client.NetworkCreate(ctx, name, client.NetworkCreateOptions{
			Driver: "bridge", Labels: all,
			IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: prefix}}},
		})
		if err == nil {
			return Network{ID: made.ID, Name: name, Prefix: prefix}, nil
		}
		if !strings.Contains(err.Error(), "overlaps") {
			return Network{}, fmt.Errorf("create network %s: %w", name, err)
		}
	}
	return Network{}, fmt.Errorf("create network %s: all of %s is taken: remove leftovers: make clean", name, pool)
}

// RemoveNetwork removes a network; one that is gone already is no error.
func (e *Engine) RemoveNetwork(ctx context.Context, n Network) error {
	if err := e.removeNetwork(ctx, n.ID); err != nil && !goneOrGoing(err) {
		return fmt.Errorf("remove network %s: %w", n.Name, err)
	}
	return nil
}
