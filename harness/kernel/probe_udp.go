//go:build linux

package kernel

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// probeWord is what a datagram says if nothing else is wished.
const probeWord = "faultbed"

// probeUDP sends one datagram and waits for one.
func (n *Namespace) probeUDP(ctx context.Context, trace *trace, probe Probe) (detail string, err error) {
	conn, err := n.dialUDP(ctx, trace, probe.Target)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the probe is over
	if _, err := io.WriteString(conn, cmp.Or(probe.Path, probeWord)+strings.Repeat("x", probe.Pad)); err != nil {
		return "", fmt.Errorf("send datagram: %w", err)
	}
	answer := make([]byte, longestDatagram)
	size, err := conn.Read(answer)
	if err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	return fmt.Sprintf("%q", answer[:min(size, 64)]), nil
}

// longestDatagram is as long as any of UDP's can be, in bytes.
const longestDatagram = 1 << 16

// dialUDP opens a socket that sends to target only, hears it only, and ends with ctx.
func (n *Namespace) dialUDP(ctx context.Context, trace *trace, target netip.AddrPort) (net.Conn, error) {
	// Without this option the kernel keeps some ICMP answers, "host unreachable" among
	// them, from a UDP socket: ip(7).
	tell := socketOption(unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	conn, err := n.dial(ctx, tell, "udp4", target.String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		// An error would show at the next read.
		_ = conn.SetDeadline(deadline)
	}
	// Not follow: nothing has connected.
	return &followed{Conn: conn, trace: trace}, nil
}
