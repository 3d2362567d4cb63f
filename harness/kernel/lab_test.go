//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The main thread cannot be thrown away, so no test may run on it.
func init() { runtime.LockOSThread() }

const (
	// soon bounds what must happen; generous, for two busy cores.
	soon = 10 * time.Second
	// silence is how long nothing must happen to count as never. A packet
	// between these namespaces takes under a millisecond.
	silence = 300 * time.Millisecond
)

// lab is three bare namespaces on one bridge, laid out like a bed: A dials B's
// ports, and is steered to listeners in T that forward to B.
//
//	A 10.9.0.1 ---- T 10.9.0.2 ---- B 10.9.0.3
type lab struct {
	tb      testing.TB
	a, t, b *Namespace
}

var (
	addressA = netip.MustParseAddr("10.9.0.1")
	addressT = netip.MustParseAddr("10.9.0.2")
	addressB = netip.MustParseAddr("10.9.0.3")
)

// newLab needs root: an empty network namespace cannot be made without. Tests
// with labs run side by side: most of their time they wait for silence.
func newLab(t *testing.T) *lab {
	t.Helper()
	requireRoot(t)
	t.Parallel()
	hub := newNamespace(t)
	handle, err := netlink.NewHandleAt(netns.NsHandle(hub.Fd()), unix.NETLINK_ROUTE)
	must(t, err)
	t.Cleanup(handle.Close)
	bridge := &netlink.Bridge{LinkAttrs: named("br0")}
	must(t, handle.LinkAdd(bridge))
	must(t, handle.LinkSetUp(bridge))

	l := &lab{tb: t}
	for i, node := range []struct {
		name    string
		address netip.Addr
		into    **Namespace
	}{{"a", addressA, &l.a}, {"t", addressT, &l.t}, {"b", addressB, &l.b}} {
		file := newNamespace(t)
		outer := &netlink.Veth{LinkAttrs: named("v" + strconv.Itoa(i)), PeerName: device, PeerNamespace: netlink.NsFd(int(file.Fd()))}
		must(t, handle.LinkAdd(outer))
		must(t, handle.LinkSetMaster(outer, bridge))
		must(t, handle.LinkSetUp(outer))

		inner, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
		must(t, err)
		for _, name := range []string{"lo", device} {
			link, err := inner.LinkByName(name)
			must(t, err)
			if name == device {
				address, err := netlink.ParseAddr(node.address.String() + "/24")
				must(t, err)
				must(t, inner.AddrAdd(link, address))
			}
			must(t, inner.LinkSetUp(link))
		}
		inner.Close()
		*node.into = Attach(node.name, file)
		t.Cleanup((*node.into).Close)
	}
	// Until the wires are up a packet can be lost, and be taken for dropped.
	for from, to := range map[*Namespace]netip.Addr{l.a: addressT, l.t: addressB, l.b: addressA} {
		eventually(t, "node "+from.name+" reaches "+to.String(), func() bool {
			return from.Probe(t.Context(), Probe{Target: netip.AddrPortFrom(to, 1), Protocol: "tcp", Timeout: soon}).Outcome == Refused
		})
	}
	return l
}

func requireRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: kernel tests make network namespaces")
	}
	if os.Geteuid() != 0 {
		t.Fatal("kernel tests make network namespaces: run them as root (sudo go test ./harness/kernel/), or leave them out with -short")
	}
}

func newNamespace(t *testing.T) *os.File {
	t.Helper()
	file, err := newHub()
	must(t, err)
	return file
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// eventually polls until the condition holds.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	deadline, again := time.NewTimer(soon), time.NewTicker(5*time.Millisecond)
	defer deadline.Stop()
	defer again.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			tb.Fatalf("not within %s: %s", soon, what)
		case <-again.C:
		}
	}
}

// serve accepts connections in a namespace until the test ends.
func (l *lab) serve(n *Namespace, port uint16, handle func(*net.TCPConn)) {
	l.tb.Helper()
	listener := l.listen(n, port)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(conn.(*net.TCPConn))
		}
	}()
}

func (l *lab) listen(n *Namespace, port uint16) net.Listener {
	l.tb.Helper()
	var listener net.Listener
	must(l.tb, n.inside("listen", func() (err error) {
		listener, err = net.Listen("tcp4", ":"+strconv.Itoa(int(port)))
		return err
	}))
	l.tb.Cleanup(func() { _ = listener.Close() })
	return listener
}

// echo answers every byte with itself, and counts them.
func (l *lab) echo(port uint16) *atomic.Int64 {
	l.tb.Helper()
	received := &atomic.Int64{}
	l.serve(l.b, port, func(conn *net.TCPConn) {
		defer conn.Close() //nolint:errcheck // the client tells how it went
		buffer := make([]byte, 32<<10)
		for {
			size, err := conn.Read(buffer)
			received.Add(int64(size))
			if _, writeErr := conn.Write(buffer[:size]); err != nil || writeErr != nil {
				return
			}
		}
	})
	return received
}

// link is one directed link: A dials server and is steered to a listener in T,
// which forwards and counts what it accepted.
type link struct {
	server   netip.AddrPort
	listener netip.AddrPort
	accepted atomic.Int64
}

func (l *lab) link(port, listener uint16) *link {
	l.tb.Helper()
	k := &link{server: netip.AddrPortFrom(addressB, port), listener: netip.AddrPortFrom(addressT, listener)}
	l.serve(l.t, listener, func(client *net.TCPConn) {
		k.accepted.Add(1)
		defer client.Close() //nolint:errcheck // the client tells how it went
		conn, err := l.t.DialContext(l.tb.Context(), "tcp", k.server.String())
		if err != nil {
			return
		}
		server := conn.(*net.TCPConn)
		defer server.Close() //nolint:errcheck // the client tells how it went
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(server, client); _ = server.CloseWrite() })
		both.Go(func() { _, _ = io.Copy(client, server); _ = client.CloseWrite() })
		both.Wait()
	})
	return k
}

// steer lays the links' steering in A.
func (l *lab) steer(links ...*link) {
	l.tb.Helper()
	routes := map[netip.AddrPort]netip.AddrPort{}
	for _, k := range links {
		routes[k.server] = k.listener
	}
	must(l.tb, l.a.Steer(Steering{Routes: routes, Nodes: []netip.Addr{addressB}}))
}

// dial opens a connection from A over the link.
func (l *lab) dial(k *link) *net.TCPConn {
	l.tb.Helper()
	conn, err := l.a.DialContext(l.tb.Context(), "tcp", k.server.String())
	must(l.tb, err)
	l.tb.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// says sends a word over an open connection and wants it back in time.
func says(conn net.Conn, word string, within time.Duration) error {
	if _, err := io.WriteString(conn, word); err != nil {
		return err
	}
	return hears(conn, word, within)
}

func hears(conn net.Conn, word string, within time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	answer := make([]byte, len(word))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != word {
		return errors.New("heard " + string(answer) + ", want " + word)
	}
	return nil
}

// wantTCP connects over a link. Silence is waited for briefly, an answer long.
func (l *lab) wantTCP(k *link, want Outcome) {
	l.tb.Helper()
	probe := Probe{Target: k.server, Protocol: "tcp", Timeout: soon}
	if want == TimedOut {
		probe.Timeout = silence
	}
	if got := l.a.Probe(l.tb.Context(), probe); got.Outcome != want {
		l.tb.Errorf("connect to %s: %+v, want %s", k.server, got, want)
	}
}
