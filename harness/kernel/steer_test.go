//go:build linux

package kernel

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestSteeringLeadsThroughTheListener(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	k := l.link(8002, 20001)
	l.steer(k)

	conn := l.dial(k)
	must(t, says(conn, "hello", soon))
	if got := k.accepted.Load(); got != 1 {
		t.Errorf("the listener accepted %d connections, want 1", got)
	}
	if got := conn.RemoteAddr().String(); got != k.server.String() {
		t.Errorf("the client sees %s, want the server %s", got, k.server)
	}
	wantBypass(t, l, 0)
}

func TestBypassIsCounted(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	l.echo(9999)
	k := l.link(8002, 20001)
	l.steer(k)

	direct, err := l.a.DialContext(t.Context(), "tcp", netip.AddrPortFrom(addressB, 9999).String())
	must(t, err)
	defer direct.Close() //nolint:errcheck // the test is over
	must(t, says(direct, "past the steering", soon))
	wantBypass(t, l, 1)

	// What B opens to A is no connection of A's.
	l.serve(l.a, 7000, func(conn *net.TCPConn) { _ = conn.Close() })
	back, err := l.b.DialContext(t.Context(), "tcp", netip.AddrPortFrom(addressA, 7000).String())
	must(t, err)
	_ = back.Close()
	wantBypass(t, l, 1)
}

func TestSteeringIsReplacedUnderOpenConnections(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	l.echo(8003)
	first, second := l.link(8002, 20001), l.link(8002, 20002)
	other := l.link(8003, 20003)
	l.steer(first, other)
	open := l.dial(first)
	must(t, says(open, "before", soon))

	l.steer(second)
	must(t, says(open, "after", soon))
	must(t, says(l.dial(second), "new", soon))
	if first.accepted.Load() != 1 || second.accepted.Load() != 1 {
		t.Errorf("accepted %d and %d connections, want 1 and 1", first.accepted.Load(), second.accepted.Load())
	}
	wantBypass(t, l, 0)
	// The route that the new steering lacks is gone, and the count survives.
	must(t, says(l.dial(other), "unsteered now", soon))
	wantBypass(t, l, 1)
	l.steer(second)
	wantBypass(t, l, 1)
}

func TestSteeringTakesManyRoutes(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	k := l.link(8002, 20001)
	routes := map[netip.AddrPort]netip.AddrPort{}
	// More than one message of elements holds.
	for port := uint16(10000); port < 10000+3*chunk/2; port++ {
		routes[netip.AddrPortFrom(addressB, port)] = netip.AddrPortFrom(addressT, port)
	}
	routes[k.server] = k.listener
	must(t, l.a.Steer(Steering{Routes: routes, Nodes: []netip.Addr{addressB, addressB}}))
	must(t, says(l.dial(k), "hello", soon))
	if k.accepted.Load() != 1 {
		t.Error("not steered")
	}
}

func TestSteeringRefusesWhatItCannotDo(t *testing.T) {
	l := newLab(t)
	six := netip.MustParseAddrPort("[2001:db8::1]:8002")
	for name, s := range map[string]Steering{
		"ipv6 route": {Routes: map[netip.AddrPort]netip.AddrPort{six: six}},
		"port 0":     {Routes: map[netip.AddrPort]netip.AddrPort{netip.AddrPortFrom(addressB, 0): netip.AddrPortFrom(addressT, 1)}},
		"ipv6 node":  {Nodes: []netip.Addr{six.Addr()}},
	} {
		if err := l.a.Steer(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if tables, err := l.a.Tables(); err != nil || len(tables) > 0 {
		t.Errorf("tables %v, %v; want none", tables, err)
	}
	if _, err := l.a.Bypass(); err == nil {
		t.Error("a bypass counter where nothing is steered")
	}
}

func TestCapabilitiesAreTriedAndUndone(t *testing.T) {
	l := newLab(t)
	l.echo(8002)
	k := l.link(8002, 20001)
	l.steer(k)
	can, err := l.a.Capabilities()
	must(t, err)
	for _, name := range []string{"nft-dnat-map", "nft-ct-original", "nft-reject", "offloads"} {
		if can[name] != able {
			t.Errorf("%s: %s; the other tests show that it works", name, can[name])
		}
	}
	if can["netem"] == "" || can["tbf"] == "" || can["htb"] == "" {
		t.Errorf("queues were not tried: %v", can)
	}
	t.Logf("capabilities: %v", can)
	tables, err := l.a.Tables()
	must(t, err)
	if want := []string{"ip faultbed"}; !slices.Equal(tables, want) {
		t.Errorf("tables %v, want %v", tables, want)
	}
	must(t, says(l.dial(k), "still steered", soon))

	l.a.Close()
	if _, err := l.a.Capabilities(); err == nil {
		t.Error("a closed namespace has capabilities")
	}
	if _, err := l.a.DialContext(context.Background(), "tcp", k.server.String()); err == nil {
		t.Error("a closed namespace can be dialled from")
	}
}

func wantBypass(t *testing.T, l *lab, want uint64) {
	t.Helper()
	got, err := l.a.Bypass()
	must(t, err)
	if got != want {
		t.Errorf("bypass counter %d, want %d", got, want)
	}
}
