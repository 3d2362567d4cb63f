//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// idle starts a process that does nothing in an empty network namespace, as a container's does
// behind its gate, and takes hold of it.
func idle(t *testing.T, name string) (*Namespace, *exec.Cmd) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "unshare", "--net", "cat")
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	_, err = io.WriteString(in, "x")
	must(t, err)
	_, err = io.ReadFull(out, make([]byte, 1)) // it has left our namespace
	must(t, err)
	n, err := Open(name, command.Process.Pid)
	must(t, err)
	t.Cleanup(n.Close)
	return n, command
}

func newSwitch(t *testing.T) *Switch {
	t.Helper()
	requireRoot(t)
	t.Parallel()
	s, err := NewSwitch()
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// pair plugs in two nodes: a, and b, whom hear asks.
func pair(t *testing.T, s *Switch) (a, b *Namespace) {
	t.Helper()
	a, _ = idle(t, "a")
	b, _ = idle(t, "b")
	must(t, s.Plug(a, "a", at(10)))
	must(t, s.Plug(b, "b", at(server)))
	return a, b
}

func at(host int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("10.9.1.%d/24", host)) }

// Where serve listens, and whom hear asks: a port, and a host of at.
const served, server = 8002, 11

// serve answers every connection to a node with the node's name.
func serve(t *testing.T, n *Namespace) {
	t.Helper()
	var listener net.Listener
	must(t, n.inside("listen", func() (err error) {
		listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", served))
		return err
	}))
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, n.name)
			_ = conn.Close()
		}
	}()
}

func hear(ctx context.Context, from *Namespace) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	conn, err := from.DialContext(ctx, "tcp4", netip.AddrPortFrom(at(server).Addr(), served).String())
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(conn)
	return string(text), err
}

// told is what a node's resolver says of a name's addresses: one, or what came instead.
func told(t *testing.T, from *Namespace, network, name string) string {
	t.Helper()
	return heard(ask(t, from, network, embedded, question(name), soon))
}

// Two nodes reach each other by address and find each other by name; what is told of a name
// that nobody has, or that has no address of the kind, is what a resolver says.
func TestSwitchCarriesAndNames(t *testing.T) {
	s := newSwitch(t)
	a, _ := idle(t, "a")
	b, _ := idle(t, "b")
	must(t, s.Plug(a, "A", at(10)))
	must(t, s.Plug(b, "b", at(11)))
	must(t, s.Plug(b, "b", at(11))) // twice is harmless
	serve(t, b)
	if said, err := hear(t.Context(), a); err != nil || said != "b" {
		t.Errorf("a heard %q, %v from b", said, err)
	}
	for _, tc := range []struct{ network, name, want string }{
		{"udp", "b.", "10.9.1.11"},
		{"tcp", "b.", "10.9.1.11"},
		{"udp", "B.", "10.9.1.11"},
		{"udp", "a.", "10.9.1.10"},
		{"udp", "c.", "NXDOMAIN"},
		{"udp", "b.example.", "NXDOMAIN"},
	} {
		if got := told(t, a, tc.network, tc.name); got != tc.want {
			t.Errorf("%s over %s: %s, want %s", tc.name, tc.network, got, tc.want)
		}
	}
	answer, err := ask(t, a, "udp", embedded, new(dns.Msg).SetQuestion("b.", dns.TypeAAAA), soon)
	if err != nil || answer.Rcode != dns.RcodeSuccess || len(answer.Answer) > 0 {
		t.Errorf("IPv6 of a name that has none: %v, %v", answer, err)
	}
}

// What is plugged into two switches is apart, at the same addresses too.
func TestSwitchesAreApart(t *testing.T) {
	s := newSwitch(t)
	other, err := NewSwitch()
	must(t, err)
	defer other.Close() //nolint:errcheck // closed below
	a, _ := idle(t, "a")
	b, _ := idle(t, "b")
	stranger, _ := idle(t, "stranger")
	must(t, s.Plug(a, "a", at(10)))
	must(t, other.Plug(b, "b", at(11)))
	must(t, other.Plug(stranger, "stranger", at(10)))
	serve(t, b)
	if result := a.Probe(t.Context(), Probe{Target: netip.AddrPortFrom(at(11).Addr(), 8002), Protocol: "tcp", Timeout: silence}); result.Outcome == OK {
		t.Error("a reaches a node of another switch")
	}
	if got := told(t, a, "udp", "b."); got != "NXDOMAIN" {
		t.Errorf("a is told that b is at %s", got)
	}
	if said, err := hear(t.Context(), stranger); err != nil || said != "b" {
		t.Errorf("the other switch is broken: heard %q, %v", said, err)
	}
	must(t, other.Close())
	must(t, other.Close())
	if result := stranger.Probe(t.Context(), Probe{Target: netip.AddrPortFrom(at(11).Addr(), 8002), Protocol: "tcp", Timeout: silence}); result.Outcome == OK {
		t.Error("a closed switch carries packets")
	}
	if err := other.Plug(a, "late", at(12)); err == nil {
		t.Error("something was plugged into a closed switch")
	}
}

// A node that dies has no name any more; what comes back in its place, in another namespace,
// is reached at once by who has talked to the old one.
func TestSwitchTakesANodeBack(t *testing.T) {
	s := newSwitch(t)
	a, _ := idle(t, "a")
	b, command := idle(t, "b")
	must(t, s.Plug(a, "a", at(10)))
	must(t, s.Plug(b, "b", at(11)))
	serve(t, b)
	if said, err := hear(t.Context(), a); err != nil || said != "b" {
		t.Fatalf("a heard %q, %v", said, err)
	}
	second, _ := idle(t, "second")
	if err := s.Plug(second, "c", at(11)); !errors.Is(err, ErrAddressTaken) {
		t.Errorf("a second node at one address: %v", err)
	}
	must(t, command.Process.Kill())
	eventually(t, "the name is gone", func() bool { return told(t, a, "udp", "b.") == "NXDOMAIN" })
	third, _ := idle(t, "b again")
	must(t, s.Plug(third, "b", at(11)))
	serve(t, third)
	if said, err := hear(t.Context(), a); err != nil || said != "b again" {
		t.Errorf("a heard %q, %v from what came back", said, err)
	}
}

// A spoof lies over the switch's resolver as over Docker's, and passes the rest on to it.
func TestSpoofOverSwitch(t *testing.T) {
	s := newSwitch(t)
	a, _ := pair(t, s)
	var spoofs Spoofs
	must(t, spoofs.Add("liar", []*Namespace{a}, Spoof{Names: []string{"b"}, Answer: AnswerNXDomain}))
	if got := told(t, a, "udp", "b."); got != "NXDOMAIN" {
		t.Errorf("spoofed: %s", got)
	}
	if got := told(t, a, "tcp", "a."); got != "10.9.1.10" {
		t.Errorf("passed on: %s", got)
	}
	must(t, spoofs.Remove("liar"))
	if got := told(t, a, "udp", "b."); got != "10.9.1.11" {
		t.Errorf("healed: %s", got)
	}
}

// What is led nowhere is followed all the same: a rule that asks for a connection's direction
// must know it of those that were open before.
func TestSteeringNowhereFollowsConnections(t *testing.T) {
	s := newSwitch(t)
	a, b := pair(t, s)
	serve(t, b)
	followed := func() (flows int) {
		must(t, b.forget(func(flow *netlink.ConntrackFlow) bool {
			if flow.Forward.Protocol == unix.IPPROTO_TCP && flow.Forward.DstPort == served {
				flows++
			}
			return false
		}))
		return flows
	}
	if _, err := hear(t.Context(), a); err != nil || followed() > 0 {
		t.Fatalf("%v, %d connections are followed without steering: this test proves nothing", err, followed())
	}
	must(t, b.Steer(Steering{}))
	if _, err := hear(t.Context(), a); err != nil || followed() != 1 {
		t.Errorf("%v, %d connections are followed, want the one", err, followed())
	}
}

// A node that cannot be plugged in is left without a wire, so that another try fails for the
// same reason, or not at all.
func TestPlugLeavesNothingHalf(t *testing.T) {
	s := newSwitch(t)
	a, _ := idle(t, "a")
	must(t, a.netlink("bring lo up", func(handle *netlink.Handle) error {
		found, err := handle.LinkByName(lo)
		must(t, err)
		return handle.LinkSetUp(found)
	}))
	var taken net.PacketConn
	must(t, a.inside("listen", func() (err error) {
		taken, err = net.ListenPacket("udp4", embedded.String())
		return err
	}))
	for range 2 {
		if err := s.Plug(a, "a", at(10)); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("Plug with another resolver there = %v", err)
		}
	}
	must(t, taken.Close())
	must(t, s.Plug(a, "a", at(10)))
	if got := told(t, a, "udp", "a."); got != "10.9.1.10" {
		t.Errorf("told %s", got)
	}
}
