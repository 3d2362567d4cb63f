//go:build linux

package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestDNSProbe(t *testing.T) {
	l := newLab(t)
	resolver := serveNames(t, l.b, addressB.String()+":53")
	at := netip.AddrPortFrom(addressB, 53)
	// Noise is what came for another question, before the answer.
	l.datagrams(8001, func(raw []byte) []byte {
		noise := new(dns.Msg)
		if err := noise.Unpack(raw); err != nil {
			t.Error(err)
		}
		noise.Id++
		packed, err := noise.SetRcode(noise, dns.RcodeNameError).Pack()
		if err != nil {
			t.Error(err)
		}
		return packed
	})
	l.datagrams(8002, func([]byte) []byte { return []byte("no DNS") })

	for name, c := range map[string]struct {
		probe  Probe
		want   Outcome
		detail string
	}{
		"ok":          {Probe{Target: at, Path: "origin.test"}, OK, truth.String()},
		"dot":         {Probe{Target: at, Path: "origin.test."}, OK, truth.String()},
		"many":        {Probe{Target: at, Path: "large.test"}, OK, truth.String() + ", " + truth.String()},
		"nxdomain":    {Probe{Target: at, Path: "absent.test"}, NXDomain, "answered NXDOMAIN"},
		"servfail":    {Probe{Target: at, Path: "broken.test"}, ServFail, "answered SERVFAIL"},
		"no will":     {Probe{Target: at, Path: "banned.test"}, Failed, "answered REFUSED"},
		"refused":     {Probe{Target: netip.AddrPortFrom(addressB, 1), Path: "origin.test"}, Refused, "refused"},
		"timeout":     {Probe{Target: at, Path: "silent.test"}, TimedOut, "timeout"},
		"noise only":  {Probe{Target: netip.AddrPortFrom(addressB, 8001), Path: "origin.test"}, TimedOut, "timeout"},
		"no dns":      {Probe{Target: netip.AddrPortFrom(addressB, 8002), Path: "origin.test"}, Failed, "read answer"},
		"unreachable": {Probe{Target: netip.MustParseAddrPort("198.51.100.1:53"), Path: "origin.test"}, Unreachable, "unreachable"},
		"no name":     {Probe{Target: at}, Failed, "no name"},
		"bad name":    {Probe{Target: at, Path: "a..b"}, Failed, "a..b"},
	} {
		c.probe.Protocol, c.probe.Timeout = "dns", soon
		if c.want == TimedOut {
			c.probe.Timeout = silence
		}
		before := resolver.questions.Load()
		got := l.a.Probe(t.Context(), c.probe)
		if got.Outcome != c.want || !strings.Contains(got.Detail, c.detail) || got.Wire != (Wire{}) {
			t.Errorf("%s: %+v, want %s and %q", name, got, c.want, c.detail)
		}
		if asked := resolver.questions.Load() - before; asked > 1 {
			t.Errorf("%s: asked %d times", name, asked)
		}
		if got.Outcome == OK && got.FirstByte <= 0 {
			t.Errorf("%s: no times: %+v", name, got)
		}
		if got.Total <= 0 || got.FirstByte > got.Total {
			t.Errorf("%s: times out of order: %+v", name, got)
		}
	}
}
