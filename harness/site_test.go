package harness

import (
	"net/netip"
	"testing"

	"github.com/faultbed/faultbed/harness/topology"
)

// No address of a site is given twice, none lies outside of its network, and the largest bed
// finds room on a new one.
func TestSiteGivesEachAddressOnce(t *testing.T) {
	s := &site{next: firstHost}
	if !s.room(topology.MaxNodes) {
		t.Fatalf("no room for %d nodes on a new site", topology.MaxNodes)
	}
	given := map[netip.Addr]bool{hostAt(proxyHost).Addr(): true}
	for s.room(7) {
		for range 7 {
			address := s.nextAddress()
			if given[address] || !sitePrefix.Contains(address) || address == netip.MustParseAddr("10.213.0.255") {
				t.Fatalf("%s is given after %d others", address, len(given))
			}
			given[address] = true
		}
	}
	if len(given) < 200 {
		t.Errorf("%d addresses are given, there are more", len(given))
	}
}
