//go:build linux

package kernel

import (
	"cmp"
	"syscall"

	"golang.org/x/sys/unix"
)

// Wire is what the kernel says of a probe's TCP connection; package agent describes its
// fields.
type Wire struct {
	SegmentsOut, SegmentsIn               uint32
	Retransmitted, OutOfOrder, Duplicated uint32
	PathMTU, SendMSS, ReceiveMSS          uint32
}

// readWire reads TCP_INFO (tcp(7)); without a socket there is nothing to say.
func readWire(socket int) Wire {
	if socket == 0 {
		return Wire{}
	}
	// It cannot fail on a TCP socket that is open, whatever became of the connection.
	info, err := unix.GetsockoptTCPInfo(socket, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Wire{}
	}
	return Wire{
		SegmentsOut:   info.Segs_out,
		SegmentsIn:    info.Segs_in,
		Retransmitted: info.Total_retrans,
		OutOfOrder:    info.Rcv_ooopack,
		Duplicated:    info.Dsack_dups,
		PathMTU:       info.Pmtu,
		SendMSS:       info.Snd_mss,
		ReceiveMSS:    info.Rcv_mss,
	}
}

// hold keeps a second descriptor of a TCP socket before it connects: the kernel can
// then be asked of a connection that has failed, too, whose first descriptor the dialer
// has closed. The connection ends when both are closed.
func (t *trace) hold(_, _ string, socket syscall.RawConn) error {
	var second int
	var failed error
	err := socket.Control(func(fd uintptr) { second, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := cmp.Or(err, failed); err != nil {
		return err
	}
	t.let()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.socket = second
	return nil
}

// let closes the descriptor that hold keeps.
func (t *trace) let() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.socket != 0 {
		_ = unix.Close(t.socket)
		t.socket = 0
	}
}
