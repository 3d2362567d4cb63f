package deadmen

import (
	"net/netip"
	"testing"

	"github.com/faultbed/faultbed/harness/cluster"
)

func TestWhatIsOfOthersIsTold(t *testing.T) {
	o := newOthers()
	o.add(cluster.Traces{
		Names: []string{"0123456789ab", "/var/lib/docker/overlay2/aaa/merged"}, Bridge: true,
		Addresses: []netip.Addr{netip.MustParseAddr("172.17.0.3")}, Subnets: []netip.Prefix{netip.MustParsePrefix("10.213.7.0/24")},
	}, []string{
		"veththeirs: <BROADCAST,UP> mtu 1500 master br-0123456789ab",
		"vethbridge: <BROADCAST,UP> mtu 1500 master docker0",
		"vethours: <BROADCAST,UP> mtu 1500 master br-ba9876543210",
	})
	for line, theirs := range map[string]bool{
		"links: left: br-0123456789ab: <BROADCAST,UP>":                       true,
		"links: left: br-ba9876543210: <BROADCAST,UP>":                       false,
		"sysctls: left: net.ipv4.conf.veththeirs.rp_filter = 0":              true,
		"sysctls: left: net.ipv4.conf.vethbridge.rp_filter = 0":              true,
		"sysctls: left: net.ipv4.conf.vethours.rp_filter = 0":                false,
		"iptables: left: nat -A POSTROUTING -s 10.213.7.0/24 ! -o x":         true,
		"iptables: left: nat -A DOCKER --dport 1 -j DNAT --to 10.213.7.2:80": true,
		"iptables: left: nat -A POSTROUTING -s 10.213.70.0/24 ! -o x":        false,
		"iptables: left: nat -A DOCKER -j DNAT --to 172.17.0.3:80":           true,
		"iptables: left: nat -A DOCKER -j DNAT --to 172.17.0.30:80":          false,
		"mounts: left: /var/lib/docker/overlay2/aaa/merged":                  true,
		"mounts: left: /var/lib/docker/overlay2/bbb/merged":                  false,
		"sysctls: missing: net.ipv4.ip_forward = 1":                          false,
	} {
		if got := o.concern(line); got != theirs {
			t.Errorf("%q concerns others: %v, want %v", line, got, theirs)
		}
	}
}
