//go:build linux

package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

const (
	// snapLength is how much is kept of a packet: its headers and how its payload begins.
	snapLength = 256
	// blockLength is what pcapng takes beside that for each packet.
	blockLength = 36
	// receiveBuffer is what the kernel holds until it was read, in bytes.
	receiveBuffer = 1 << 20
)

// Capture keeps the last packets of a node's eth0, of one namespace after another if the
// node is started again. Its memory is all taken at the beginning.
type Capture struct {
	mu     sync.Mutex
	slots  []slot
	data   []byte
	seen   int // packets, of which as many are kept as there are slots
	socket *os.File
	reads  sync.WaitGroup
}

type slot struct {
	at     time.Time
	length int // on the wire
	kept   int
}

// NewCapture has room for so many bytes of pcapng.
func NewCapture(atMost int) *Capture {
	n := max(atMost/(snapLength+blockLength), 1)
	return &Capture{slots: make([]slot, n), data: make([]byte, n*snapLength)}
}

// Begin listens on a namespace's eth0, in place of what it listened on before, until the
// namespace is gone or the capture was ended: its socket would keep the namespace alive.
// It takes CAP_NET_RAW.
func (c *Capture) Begin(n *Namespace) error {
	c.End()
	var socket *os.File
	err := n.inside("capture packets", func() (err error) {
		socket, err = listenPackets()
		return err
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.socket = socket
	c.mu.Unlock()
	over := make(chan struct{})
	c.reads.Go(func() {
		defer close(over)
		c.read(socket)
	})
	go func() {
		select {
		case <-n.Gone():
			_ = socket.Close()
		case <-over:
		}
	}()
	return nil
}

// listenPackets opens a socket for all packets of the device, in both directions.
func listenPackets() (*os.File, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	all := int(htons(unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, all)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: link.Index}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", device, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "packets"), nil
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

// read takes packets until the socket is closed.
func (c *Capture) read(socket *os.File) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	buffer := make([]byte, snapLength)
	for {
		var length int
		err := raw.Read(func(fd uintptr) bool {
			// MSG_TRUNC makes it tell the length on the wire.
			length, _, err = unix.Recvfrom(int(fd), buffer, unix.MSG_TRUNC)
			return !errors.Is(err, unix.EAGAIN)
		})
		if err != nil {
			return
		}
		if length > 0 {
			c.keep(buffer[:min(length, snapLength)], length)
		}
	}
}

func (c *Capture) keep(packet []byte, length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.seen % len(c.slots)
	c.seen++
	c.slots[i] = slot{time.Now(), length, len(packet)}
	copy(c.data[i*snapLength:], packet)
}

// End stops to listen; what was kept stays. It may be called twice.
func (c *Capture) End() {
	c.mu.Lock()
	socket := c.socket
	c.socket = nil
	c.mu.Unlock()
	if socket != nil {
		_ = socket.Close()
	}
	c.reads.Wait()
}

// Write is what was kept, as pcapng, the oldest first. It says how many packets are
// missing before these.
func (c *Capture) Write(name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := max(c.seen-len(c.slots), 0)
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{
		Name: device, Description: name, LinkType: layers.LinkTypeEthernet, SnapLength: snapLength, TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Application: "faultbed", Comment: fmt.Sprintf("%s: the last %d packets, %d older ones are not kept; %d bytes of each", name, c.seen-first, first, snapLength),
	}})
	if err != nil {
		return nil, fmt.Errorf("write pcapng: %w", err)
	}
	for n := first; n < c.seen; n++ {
		i := n % len(c.slots)
		s := c.slots[i]
		info := gopacket.CaptureInfo{Timestamp: s.at, CaptureLength: s.kept, Length: s.length}
		if err := w.WritePacket(info, c.data[i*snapLength:i*snapLength+s.kept]); err != nil {
			return nil, fmt.Errorf("write pcapng: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("write pcapng: %w", err)
	}
	return b.Bytes(), nil
}
