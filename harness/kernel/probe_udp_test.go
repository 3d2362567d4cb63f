//go:build linux

package kernel

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// datagrams hands each datagram that comes to a port of B to handle, which says what is
// sent back, if anything.
func (l *lab) datagrams(port uint16, handle func([]byte) []byte) {
	l.tb.Helper()
	var conn net.PacketConn
	must(l.tb, l.b.inside("listen", func() (err error) {
		conn, err = net.ListenPacket("udp4", ":"+strconv.Itoa(int(port)))
		return err
	}))
	l.tb.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, longestDatagram)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := handle(buffer[:size]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}

// unreachable makes B answer datagrams for a port with that code of ICMP's destination
// unreachable; a code below 0 lets them vanish.
func (l *lab) unreachable(port uint16, code int) {
	l.tb.Helper()
	must(l.tb, l.b.use("answer with icmp", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "icmp"})
		chain := conn.AddChain(&nftables.Chain{
			Name: "input", Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
		})
		var answer expr.Any = &expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: uint8(code)}
		if code < 0 {
			answer = &expr.Verdict{Kind: expr.VerdictDrop}
		}
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_UDP}},
			destinationPort(unix.NFT_REG_1),
			&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(port)},
			answer,
		}})
		return conn.Flush()
	}))
}

func TestUDPProbe(t *testing.T) {
	l := newLab(t)
	l.datagrams(8001, func(said []byte) []byte { return []byte("you said " + string(said)) })
	l.datagrams(8002, func([]byte) []byte { return nil })
	l.datagrams(8003, func(said []byte) []byte { return said })
	l.unreachable(8004, -1)
	// Codes of ICMP's destination unreachable, from 0: net, host, protocol, port, ...
	codes := map[int]Outcome{
		0: Unreachable, 1: Unreachable, 2: Unreachable, 3: Refused, 5: Unreachable, 6: Unreachable, 7: Unreachable,
		8: Unreachable, 9: Unreachable, 10: Unreachable, 13: Unreachable,
	}
	// One a second to each address is the kernel's limit (icmp(7)).
	must(t, l.b.inside("lift a limit", func() error {
		return os.WriteFile("/proc/sys/net/ipv4/icmp_ratelimit", []byte("0"), 0)
	}))
	for code := range codes {
		l.unreachable(uint16(9000+code), code)
	}
	b := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(addressB, port) }

	type c struct {
		probe  Probe
		want   Outcome
		detail string
		bytes  int64
	}
	cases := map[string]c{
		"ok":        {Probe{Target: b(8001)}, OK, "you said faultbed", 17},
		"words":     {Probe{Target: b(8001), Path: "hello"}, OK, `"you said hello"`, 14},
		"padded":    {Probe{Target: b(8003), Path: "hello", Pad: 5000}, OK, "helloxxx", 5005},
		"refused":   {Probe{Target: b(1)}, Refused, "refused", 0},
		"timeout":   {Probe{Target: b(8002)}, TimedOut, "timeout", 0},
		"dropped":   {Probe{Target: b(8004)}, TimedOut, "timeout", 0},
		"no route":  {Probe{Target: netip.MustParseAddrPort("198.51.100.1:1")}, Unreachable, "unreachable", 0},
		"too large": {Probe{Target: b(8003), Pad: 1 << 16}, Failed, "message too long", 0},
	}
	for code, want := range codes {
		cases["icmp code "+strconv.Itoa(code)] = c{Probe{Target: b(uint16(9000 + code))}, want, "read answer", 0}
	}
	for name, c := range cases {
		c.probe.Protocol, c.probe.Timeout = "udp", soon
		if c.want == TimedOut {
			c.probe.Timeout = silence
		}
		got := l.a.Probe(t.Context(), c.probe)
		if got.Outcome != c.want || !strings.Contains(got.Detail, c.detail) || got.Bytes != c.bytes {
			t.Errorf("%s: %+v, want %s, %q and %d bytes", name, got, c.want, c.detail, c.bytes)
		}
		if got.Connect != 0 || got.Wire != (Wire{}) {
			t.Errorf("%s: %+v speaks of a connection", name, got)
		}
		wantTimes(t, name, got, c.probe.Timeout)
	}
}

// wantTimes checks that the times of an answer, or of none, are in order.
func wantTimes(t *testing.T, name string, got ProbeResult, timeout time.Duration) {
	t.Helper()
	if got.Total <= 0 || got.Total > timeout+time.Second || got.FirstByte > got.Total || (got.FirstByte > 0) != (got.Bytes > 0) {
		t.Errorf("%s: times out of order: %+v", name, got)
	}
	if got.Outcome == TimedOut && got.Total < timeout {
		t.Errorf("%s: gave up after %s of %s", name, got.Total, timeout)
	}
}
