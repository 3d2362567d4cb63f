//go:build linux

package kernel

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

var (
	// embedded is where Docker's resolver is, seen from a container.
	embedded = netip.MustParseAddrPort("127.0.0.11:53")
	truth    = netip.MustParseAddr("10.9.0.42")
	lie      = netip.MustParseAddr("203.0.113.1")
)

// newAlone makes a namespace with nothing but loopback.
func newAlone(t *testing.T, name string) *Namespace {
	t.Helper()
	requireRoot(t)
	file := newNamespace(t)
	handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
	must(t, err)
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	must(t, err)
	must(t, handle.LinkSetUp(lo))
	n := Attach(name, file)
	t.Cleanup(n.Close)
	return n
}

// newResolved makes a namespace with a resolver as Docker makes them.
func newResolved(t *testing.T, name string) (*Namespace, *stub) {
	t.Helper()
	n := newAlone(t, name)
	s := serveNames(t, n, embedded.Addr().String()+":0")
	s.hide(t, n)
	return n, s
}

// stub is a resolver. Names tell it what to answer: absent.test and broken.test what
// they say, large.test more than a datagram holds, huge.test as much as a message does, silent.test
// nothing, all others the truth.
type stub struct {
	udp, tcp  netip.AddrPort
	questions atomic.Int64
}

func serveNames(t *testing.T, n *Namespace, address string) *stub {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	must(t, n.inside("listen", func() (err error) {
		if packets, err = net.ListenPacket("udp4", address); err == nil {
			listener, err = net.Listen("tcp4", address)
		}
		return err
	}))
	s := &stub{
		udp: packets.LocalAddr().(*net.UDPAddr).AddrPort(),
		tcp: listener.Addr().(*net.TCPAddr).AddrPort(),
	}
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: s},
		{Listener: listener, Handler: s, IdleTimeout: func() time.Duration { return soon }},
	} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// ServeDNS implements dns.Handler.
func (s *stub) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	s.questions.Add(1)
	name := question.Question[0].Name
	answer := new(dns.Msg).SetReply(question)
	record := func(address netip.Addr) {
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 600},
			A:   address.AsSlice(),
		})
	}
	switch name {
	case "silent.test.":
		return
	case "absent.test.":
		answer.Rcode = dns.RcodeNameError
	case "broken.test.":
		answer.Rcode = dns.RcodeServerFailure
	case "banned.test.":
		answer.Rcode = dns.RcodeRefused
	case "large.test.":
		for range 100 {
			record(truth)
		}
	case "huge.test.":
		answer.Compress = true
		for range 4000 {
			record(truth)
		}
	default:
		if question.Question[0].Qtype == dns.TypeA {
			record(truth)
		}
	}
	room := dns.MinMsgSize
	if extended := question.IsEdns0(); extended != nil {
		room = int(extended.UDPSize())
		answer.Extra = append(answer.Extra, extended)
	}
	if _, ok := w.LocalAddr().(*net.UDPAddr); ok {
		answer.Truncate(room)
	}
	_ = w.WriteMsg(answer)
}

// hide puts the resolver at port 53 as Docker does: by nat's output hook on the way to
// it, and by postrouting for what it sends.
func (s *stub) hide(t *testing.T, n *Namespace) {
	t.Helper()
	must(t, n.use("hide resolver", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "docker"})
		to := conn.AddChain(&nftables.Chain{
			Name: "output", Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
		})
		from := conn.AddChain(&nftables.Chain{
			Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
		})
		address := embedded.Addr().AsSlice()
		port := func(number uint16) []byte { return binaryutil.BigEndian.PutUint16(number) }
		match := func(protocol byte, load expr.Any, want uint16, ip uint32) []expr.Any {
			return []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{protocol}},
				&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: ip, Len: 4},
				&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: address},
				load,
				&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: port(want)},
				&expr.Immediate{Register: addressRegister, Data: address},
			}
		}
		sourcePort := &expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2}
		for protocol, at := range map[byte]uint16{unix.IPPROTO_UDP: s.udp.Port(), unix.IPPROTO_TCP: s.tcp.Port()} {
			conn.AddRule(&nftables.Rule{Table: table, Chain: to, Exprs: append(
				match(protocol, destinationPort(unix.NFT_REG_1), questionPort, 16),
				&expr.Immediate{Register: portRegister, Data: port(at)},
				&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: addressRegister, RegProtoMin: portRegister},
			)})
			conn.AddRule(&nftables.Rule{Table: table, Chain: from, Exprs: append(
				match(protocol, sourcePort, at, 12),
				&expr.Immediate{Register: portRegister, Data: port(questionPort)},
				&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: addressRegister, RegProtoMin: portRegister},
			)})
		}
		return conn.Flush()
	}))
}

// question asks for a name's addresses of IPv4.
func question(name string) *dns.Msg { return new(dns.Msg).SetQuestion(name, dns.TypeA) }

// ask asks a resolver from within a namespace, over a fresh connection.
func ask(t *testing.T, n *Namespace, network string, resolver netip.AddrPort, q *dns.Msg, within time.Duration) (*dns.Msg, error) {
	t.Helper()
	conn, err := n.DialContext(t.Context(), network, resolver.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // all is read
	return askOver(conn, q, within)
}

func askOver(conn net.Conn, q *dns.Msg, within time.Duration) (*dns.Msg, error) {
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	over := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if err := over.WriteMsg(q); err != nil {
		return nil, err
	}
	return over.ReadMsg()
}

// heard puts an answer, or that there was none, into one word.
func heard(answer *dns.Msg, err error) string {
	switch {
	case err != nil:
		return string(classify(err))
	case answer.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[answer.Rcode]
	default:
		return addresses(answer)
	}
}

// wantHeard asks the namespace's own resolver by both protocols.
func wantHeard(t *testing.T, n *Namespace, name, want string) {
	t.Helper()
	within := soon
	if want == string(TimedOut) {
		within = silence
	}
	for _, network := range []string{"udp", "tcp"} {
		if got := heard(ask(t, n, network, embedded, question(name), within)); got != want {
			t.Errorf("%s asked %s by %s: %s, want %s", n.Name(), name, network, got, want)
		}
	}
}
