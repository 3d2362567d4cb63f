//go:build linux

package kernel

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ports are those of the TCP segments in a capture.
func ports(t *testing.T, pcapng []byte) (seen map[uint16]int, packets int) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(pcapng), pcapgo.DefaultNgReaderOptions)
	must(t, err)
	seen = map[uint16]int{}
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return seen, packets
		}
		packets++
		if info.CaptureLength > snapLength || info.Length < info.CaptureLength {
			t.Errorf("a packet of %d bytes has %d", info.Length, info.CaptureLength)
		}
		if tcp, ok := gopacket.NewPacket(data, layers.LinkTypeEthernet, gopacket.Default).Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
			seen[uint16(tcp.DstPort)]++
		}
	}
}

func TestCaptureKeepsPacketsOfBothDirections(t *testing.T) {
	l := newLab(t)
	c := NewCapture(1 << 20)
	must(t, c.Begin(l.b))
	t.Cleanup(c.End)
	to := netip.AddrPortFrom(addressB, 7)
	if conn, err := l.a.DialContext(t.Context(), "tcp", to.String()); err == nil {
		_ = conn.Close()
	} // refused: nobody listens there
	deadline := time.Now().Add(soon)
	for {
		text, err := c.Write("b")
		must(t, err)
		seen, _ := ports(t, text)
		if seen[7] > 0 && len(seen) > 1 { // there, and an answer
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it has packets to ports %v, want some to 7 and answers", seen)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestCaptureKeepsTheLastPacketsOnly(t *testing.T) {
	const room = 10
	c := NewCapture(room * (snapLength + blockLength))
	for i := range 25 {
		c.keep(bytes.Repeat([]byte{byte(i)}, min(100*i, snapLength)), 100*i)
	}
	text, err := c.Write("x")
	must(t, err)
	if len(text) > room*(snapLength+blockLength)+1000 {
		t.Errorf("%d bytes, want hardly more than there is room for", len(text))
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(text), pcapgo.DefaultNgReaderOptions)
	must(t, err)
	if comment := r.SectionInfo().Comment; comment != "x: the last 10 packets, 15 older ones are not kept; 256 bytes of each" {
		t.Errorf("it says %q", comment)
	}
	data, info, err := r.ReadPacketData()
	must(t, err)
	if data[0] != 15 || info.Length != 1500 {
		t.Errorf("the first is packet %d of %d bytes, want 15 of 1500", data[0], info.Length)
	}
}
