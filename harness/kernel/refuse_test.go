//go:build linux

package kernel

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnreachOfEachKind(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	open := l.dial(sick)
	must(t, says(open, "before", soon))
	for code, want := range map[uint8]Outcome{0: Unreachable, 1: Unreachable, 2: Unreachable, 3: Refused, 9: Unreachable, 10: Unreachable, 13: Unreachable} {
		var book Rulebook
		place := upstream(l, Unreach, sick)
		place.Rule.Code = code
		must(t, book.Add("icmp", []Placement{place}))
		l.wantTCP(sick, want)
		l.wantTCP(healthy, OK)
		// On an open connection ICMP is a soft error: TCP goes on trying.
		if err := says(open, "?", silence); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("code %d on an open connection: %v, want silence", code, err)
		}
		for range 2 {
			must(t, book.Remove("icmp"))
		}
		must(t, hears(open, "?", soon))
		l.wantTCP(sick, OK)
	}
}

// TestTooBigTellsTheMTU is a hop that says how much it can carry.
func TestTooBigTellsTheMTU(t *testing.T) {
	for _, direction := range []Direction{Upstream, Downstream} {
		t.Run(direction.String(), func(t *testing.T) {
			l, sick, _ := wired(t)
			var book Rulebook
			place := sampled(l, sick, direction, TooBig, Sample{})
			place.Rule.LongerThan = narrow
			must(t, book.Add("hop", []Placement{place}))
			must(t, moved[direction](l, sick, megabyte, soon))
			tally := one(t, &book, "hop")
			if tally.Packets == 0 || tally.Packets > 200 { // then the sender knows
				t.Errorf("%d packets were too big, want some, and few", tally.Packets)
			}
			sender, to := l.a, sick.server.Addr()
			if direction == Downstream {
				sender, to = l.t, addressA
			}
			if got := pathMTU(t, sender, to); got != narrow {
				t.Errorf("the sender takes the path for %d bytes wide, want %d", got, narrow)
			}
			for range 2 {
				must(t, book.Remove("hop"))
			}
			must(t, sender.FlushRoutes())
			if got := pathMTU(t, sender, to); got != 1500 {
				t.Errorf("after healing %d bytes, want 1500", got)
			}
			must(t, moved[direction](l, sick, megabyte, soon))
		})
	}
}

// pathMTU is what a namespace knows of the way to an address.
func pathMTU(t *testing.T, n *Namespace, to netip.Addr) (mtu int) {
	t.Helper()
	conn, err := n.DialContext(t.Context(), "udp", netip.AddrPortFrom(to, 9).String())
	must(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	raw, err := conn.(*net.UDPConn).SyscallConn()

	must(t, err)
	must(t, raw.Control(func(fd uintptr) { mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU) }))
	must(t, err)
	return mtu
}

func TestPeersLoseWhatIsNotTCP(t *testing.T) {
	l, sick, _ := twoLinks(t)
	var book Rulebook
	must(t, book.Add("udp", []Placement{{Namespace: l.t, Rule: Rule{
		Direction: Upstream, Peers: []netip.Addr{addressA}, UDP: []uint16{4006}, Verdict: Drop,
	}}}))
	if got := l.numbered(1000, 4006); len(got) != 0 {
		t.Errorf("%d datagrams came through a block", len(got))
	}
	if got := l.numbered(1000, 4007); len(got) < 900 {
		t.Errorf("%d of 1000 datagrams came to another port", len(got))
	}
	l.wantTCP(sick, OK)
	must(t, book.Add("rest", []Placement{{Namespace: l.t, Rule: Rule{Direction: Upstream, Peers: []netip.Addr{addressA}, Verdict: Drop}}}))
	if got := l.numbered(1000, 4007); len(got) != 0 {
		t.Errorf("%d datagrams came through a partition", len(got))
	}
	l.wantTCP(sick, OK)
	for range 2 {
		must(t, book.Remove("rest"))
		must(t, book.Remove("udp"))
	}
	if got := l.numbered(1000, 4006); len(got) < 900 {
		t.Errorf("%d of 1000 datagrams came after healing", len(got))
	}
}
