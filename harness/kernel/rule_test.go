//go:build linux

package kernel

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func upstream(l *lab, verdict Verdict, links ...*link) Placement {
	rule := Rule{Direction: Upstream, Verdict: verdict}
	for _, k := range links {
		rule.Ports = append(rule.Ports, k.listener.Port())
	}
	return Placement{Namespace: l.t, Rule: rule}
}

func downstream(l *lab, verdict Verdict, links ...*link) Placement {
	rule := Rule{Direction: Downstream, Verdict: verdict}
	for _, k := range links {
		rule.Originals = append(rule.Originals, k.server)
	}
	return Placement{Namespace: l.a, Rule: rule}
}

// twoLinks is a bed with two links to one server.
func twoLinks(t *testing.T) (l *lab, sick, healthy *link) {
	t.Helper()
	l = newLab(t)
	l.echo(65000)
	l.echo(65001)
	sick, healthy = l.link(65000, 20001), l.link(65001, 20002)
	l.steer(sick, healthy)
	return l, sick, healthy
}

func TestDropBitesItsLinkOnlyAndHeals(t *testing.T) {
	for name, place := range map[string]func(*lab, Verdict, ...*link) Placement{"upstream": upstream, "downstream": downstream} {
		t.Run(name, func(t *testing.T) {
			l, sick, healthy := twoLinks(t)
			var book Rulebook
			l.wantTCP(sick, OK)

			must(t, book.Add("cut", []Placement{place(l, Drop, sick)}))
			l.wantTCP(sick, TimedOut)
			l.wantTCP(healthy, OK)
			if tallies, err := book.Counters("cut"); err != nil || len(tallies) != 1 || tallies[0].Packets == 0 || tallies[0].Bytes < 40*tallies[0].Packets {
				t.Errorf("counters %+v, %v; want packets of at least 40 bytes", tallies, err)
			}

			must(t, book.Remove("cut"))
			l.wantTCP(sick, OK)
			must(t, book.Remove("cut"))
			if tallies, err := book.Counters("cut"); err != nil || len(tallies) != 0 {
				t.Errorf("an owner without rules caught %+v, %v", tallies, err)
			}
			wantTables(t, l.a, "ip faultbed")
			wantTables(t, l.t)
		})
	}
}

func TestUpstreamDropSparesAnswersAndTheConnection(t *testing.T) {
	l := newLab(t)
	received := l.echo(65000)
	k := l.link(65000, 20001)
	l.steer(k)
	open := l.dial(k)
	must(t, says(open, "before", soon))

	var book Rulebook
	must(t, book.Add("up", []Placement{upstream(l, Drop, k)}))
	before := received.Load()
	if err := says(open, "lost", silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through an upstream drop: %v, want silence", err)
	}
	if got := received.Load(); got != before {
		t.Errorf("the server got %d bytes through an upstream drop", got-before)
	}
	must(t, book.Remove("up"))
	must(t, hears(open, "lost", soon))
	must(t, says(open, "after", soon))
}

func TestDownstreamDropSparesRequestsAndTheConnection(t *testing.T) {
	l := newLab(t)
	received := l.echo(65000)
	k := l.link(65000, 20001)
	l.steer(k)
	open := l.dial(k)
	must(t, says(open, "before", soon))

	var book Rulebook
	must(t, book.Add("down", []Placement{downstream(l, Drop, k)}))
	before := received.Load()
	if err := says(open, "unheard", silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a downstream drop: %v, want silence", err)
	}
	if got := received.Load() - before; got != int64(len("unheard")) {
		t.Errorf("the server got %d bytes, want all of the request", got)
	}
	must(t, book.Remove("down"))
	must(t, hears(open, "unheard", soon))
	must(t, says(open, "after", soon))
}

func TestResetRefusesNewAndResetsOpenConnections(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	open, spared := l.dial(sick), l.dial(healthy)
	must(t, says(open, "before", soon))
	must(t, says(spared, "before", soon))

	var book Rulebook
	must(t, book.Add("refuse", []Placement{upstream(l, Reset, sick)}))
	l.wantTCP(sick, Refused)
	if err := says(open, "shot", soon); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("open connection: %v, want reset", err)
	}
	must(t, says(spared, "sibling", soon))
	l.wantTCP(healthy, OK)

	must(t, book.Remove("refuse"))
	must(t, says(l.dial(sick), "healed", soon))
}

func TestOwnersCompose(t *testing.T) {
	l, dropped, refused := twoLinks(t)
	var book Rulebook
	must(t, book.Add("one", []Placement{upstream(l, Drop, dropped)}))
	must(t, book.Add("two", []Placement{upstream(l, Reset, refused)}))
	wantTables(t, l.t, "ip fb-one", "ip fb-two")
	l.wantTCP(dropped, TimedOut)
	l.wantTCP(refused, Refused)

	must(t, book.Remove("one"))
	l.wantTCP(dropped, OK)
	l.wantTCP(refused, Refused)
	must(t, book.Remove("two"))
	l.wantTCP(refused, OK)
}

func TestSameOwnerTwiceIsRefused(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var book Rulebook
	must(t, book.Add("cut", []Placement{upstream(l, Drop, sick)}))
	if err := book.Add("cut", []Placement{upstream(l, Drop, healthy)}); !errors.Is(err, ErrOwnerExists) {
		t.Errorf("second add: %v, want ErrOwnerExists", err)
	}
	l.wantTCP(sick, TimedOut)
	l.wantTCP(healthy, OK)
	must(t, book.Remove("cut"))
	must(t, book.Add("cut", []Placement{upstream(l, Drop, healthy)}))
	l.wantTCP(healthy, TimedOut)
}

func TestTableOfAnotherBookIsLeftAlone(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var theirs, ours Rulebook
	must(t, theirs.Add("cut", []Placement{upstream(l, Drop, sick)}))
	if err := ours.Add("cut", []Placement{downstream(l, Drop, healthy), upstream(l, Drop, healthy)}); !errors.Is(err, unix.EEXIST) {
		t.Errorf("add: %v, want EEXIST", err)
	}
	l.wantTCP(sick, TimedOut)
	l.wantTCP(healthy, OK)
	wantTables(t, l.a, "ip faultbed")
	must(t, theirs.Remove("cut"))
}

func TestPartialAddLeavesNothing(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var book Rulebook
	invalid := upstream(l, Drop, healthy)
	invalid.Rule.Verdict = 0
	if err := book.Add("cut", []Placement{upstream(l, Drop, sick), invalid}); err == nil {
		t.Error("a rule without verdict was accepted")
	}
	// The kernel finds out only when T's rules may be in force already.
	gone := Attach("gone", newNamespace(t))
	gone.Close()
	late := Placement{Namespace: gone, Rule: Rule{Direction: Upstream, Ports: []uint16{1}, Verdict: Drop}}
	if err := book.Add("cut", []Placement{upstream(l, Drop, sick), downstream(l, Drop, sick), late}); !errors.Is(err, ErrGone) {
		t.Errorf("add: %v, want ErrGone", err)
	}
	wantTables(t, l.a, "ip faultbed")
	wantTables(t, l.t)
	l.wantTCP(sick, OK)
	must(t, book.Add("cut", []Placement{upstream(l, Drop, sick)}))
}

func TestRemoveForgivesANamespaceThatIsGone(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var book Rulebook
	must(t, book.Add("cut", []Placement{upstream(l, Drop, sick), downstream(l, Drop, healthy)}))
	l.t.Close()
	tallies, err := book.Counters("cut")
	must(t, err)
	if len(tallies) != 1 || tallies[0].Rule != 1 {
		t.Errorf("counters %+v, want those of rule 1 only", tallies)
	}
	must(t, book.Remove("cut"))
	wantTables(t, l.a, "ip faultbed")
}

func TestCountersKeepTheOrderOfTheRules(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var book Rulebook
	must(t, book.Add("cut", []Placement{
		upstream(l, Drop, sick), downstream(l, Drop, sick), upstream(l, Drop, healthy), downstream(l, Drop, healthy),
	}))
	l.wantTCP(healthy, TimedOut)
	tallies, err := book.Counters("cut")
	must(t, err)
	slices.SortFunc(tallies, func(x, y Tally) int { return x.Rule - y.Rule })
	if len(tallies) != 4 {
		t.Fatalf("%d counters, want 4", len(tallies))
	}
	for i, want := range []bool{false, false, true, false} {
		if tallies[i].Rule != i || (tallies[i].Packets > 0) != want {
			t.Errorf("rule %d: %+v, want a match: %t", i, tallies[i], want)
		}
	}
}

func TestRulesTakeManyPorts(t *testing.T) {
	l, sick, healthy := twoLinks(t)
	var book Rulebook
	all := upstream(l, Drop, sick)
	// A bed of 50 nodes, all cut from all others on five ports.
	for port := uint16(30000); port < 42500; port++ {
		all.Rule.Ports = append(all.Rule.Ports, port)
	}
	must(t, book.Add("everything", []Placement{all}))
	l.wantTCP(sick, TimedOut)
	l.wantTCP(healthy, OK)
}

func TestInvalidRulesAreRefused(t *testing.T) {
	server := netip.AddrPortFrom(addressB, 1)
	for name, rule := range map[string]Rule{
		"no direction":        {Ports: []uint16{1}, Verdict: Drop},
		"no verdict":          {Direction: Upstream, Ports: []uint16{1}},
		"no ports":            {Direction: Upstream, Verdict: Drop},
		"no originals":        {Direction: Downstream, Verdict: Drop},
		"wrong side up":       {Direction: Upstream, Ports: []uint16{1}, Originals: []netip.AddrPort{server}, Verdict: Drop},
		"wrong side down":     {Direction: Downstream, Ports: []uint16{1}, Originals: []netip.AddrPort{server}, Verdict: Drop},
		"port 0":              {Direction: Upstream, Ports: []uint16{0}, Verdict: Drop},
		"ipv6":                {Direction: Downstream, Originals: []netip.AddrPort{netip.MustParseAddrPort("[::1]:1")}, Verdict: Drop},
		"longer than any":     {Direction: Upstream, Ports: []uint16{1}, LongerThan: 1 << 16, Verdict: Drop},
		"longer than nothing": {Direction: Upstream, Ports: []uint16{1}, LongerThan: -1, Verdict: Drop},
	} {
		if rule.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, owner := range []string{"", "Upper", "with space", "dot.dot", "this-one-is-longer-than-sixty-four-characters-and-so-it-must-be-refused"} {
		if err := new(Rulebook).Add(owner, nil); err == nil {
			t.Errorf("owner %q: accepted", owner)
		}
	}
}

func wantTables(t *testing.T, n *Namespace, want ...string) {
	t.Helper()
	got, err := n.Tables()
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("tables of %s: %v, want %v", n.Name(), got, want)
	}
}

// A drop that lasts is noticed by the one who waits, not by TCP.
func TestOpenConnectionsStayEstablishedUnderDrop(t *testing.T) {
	l, sick, _ := twoLinks(t)
	open := l.dial(sick)
	must(t, says(open, "before", soon))
	var book Rulebook
	must(t, book.Add("cut", []Placement{upstream(l, Drop, sick), downstream(l, Drop, sick)}))
	_ = says(open, "?", silence)
	if state := tcpState(t, open); state != unix.BPF_TCP_ESTABLISHED {
		t.Errorf("TCP state %d, want established", state)
	}
	must(t, book.Remove("cut"))
	must(t, hears(open, "?", soon))
}

func tcpState(t *testing.T, conn *net.TCPConn) uint8 {
	t.Helper()
	raw, err := conn.SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	must(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	must(t, err)
	return info.State
}
