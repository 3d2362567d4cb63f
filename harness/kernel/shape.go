//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// queueMajor is the number of our queue on eth0: "fb:" to tc.
	queueMajor = 0xfb
	// frame is the longest Ethernet frame at an MTU of 1500, but for its checksum.
	frame = 1514
	// mostClasses is how many numbers there are for classes of one queue.
	mostClasses = math.MaxUint16 - 1
	// queueLength is how many frames may wait in a class, and how many that no class
	// takes while a processor sends; an interface's usual length.
	queueLength = 1000
	// slowest is a rate at which a full frame costs 15 s. HTB forgets what a class
	// owes beyond a minute, so that much slower would not be kept.
	slowest = 100
	// fastest is what fits into HTB's older interface; no virtual wire carries it.
	fastest = math.MaxUint32
	// bucketsPerSecond makes a bucket worth 20 ms: a link that was idle is 2 % too
	// fast over a second, and one whose timer comes 20 ms late, on a busy machine,
	// is not too slow. A frame longer than the bucket passes, and is owed.
	bucketsPerSecond = 50
	// drainWithin bounds how long what waits in a class is let out at its end, and
	// drainEvery is how often is looked whether anything does.
	drainWithin = 500 * time.Millisecond
	drainEvery  = 2 * time.Millisecond
)

// Shape bounds one direction of one link where its packets leave through eth0, as a
// wire would: all connections of the link share the rate.
type Shape struct {
	// Node is what the caller calls the namespace.
	Node      string
	Namespace *Namespace
	Direction Direction
	// Port, for Downstream, is the link's listener port in this namespace.
	Port uint16
	// Original, for Upstream, is the server as this namespace dialled it.
	Original netip.AddrPort
	// BytesPerSecond counts Ethernet frames: 14 bytes more than the IP packet. A
	// frame of 1514 bytes carries 1448 of a TCP stream.
	BytesPerSecond uint64
}

func (s Shape) check() error {
	switch {
	case s.Direction != Upstream && s.Direction != Downstream:
		return invalid("no direction")
	case s.Direction == Upstream && s.Port != 0:
		return invalid("upstream needs an original destination, and nothing else")
	case s.Direction == Upstream && !isEndpoint(s.Original):
		return invalid("upstream to %s: want an IPv4 address with a port", s.Original)
	case s.Direction == Downstream && s.Original != netip.AddrPort{}:
		return invalid("downstream needs a listener port, and nothing else")
	case s.Direction == Downstream && s.Port == 0:
		return invalid("downstream from port 0")
	case s.BytesPerSecond < slowest || s.BytesPerSecond > fastest:
		return invalid("%d bytes per second: want %d to %d", s.BytesPerSecond, slowest, uint32(fastest))
	}
	return nil
}

// way is the one direction of one link that a shape is about.
type way struct {
	direction Direction
	port      uint16
	original  netip.AddrPort
}

func (s Shape) way() way {
	return way{s.Direction, s.Port, netip.AddrPortFrom(s.Original.Addr().Unmap(), s.Original.Port())}
}

func (w way) String() string {
	if w.direction == Upstream {
		return "upstream to " + w.original.String()
	}
	return fmt.Sprintf("downstream from port %d", w.port)
}

// class is a shape in force, or about to be. Its handle is its number in HTB, and the
// priority of the packets that belong to it.
type class struct {
	owner  string
	index  int
	shape  Shape
	handle uint32
	laid   bool
}

func (c *class) htb(link netlink.Link, rate uint64) *netlink.HtbClass {
	bucket := netlink.Xmittime(rate, uint32(rate/bucketsPerSecond))
	return &netlink.HtbClass{
		ClassAttrs: netlink.ClassAttrs{
			LinkIndex: link.Attrs().Index,
			Parent:    netlink.MakeHandle(queueMajor, 0),
			Handle:    c.handle,
		},
		Rate: rate, Buffer: bucket,
		Ceil: rate, Cbuffer: bucket,
		// What a class may borrow at a time; none does, but the kernel complains of
		// slow ones without.
		Quantum: frame,
	}
}

// splitter is the queue in a class. TCP hands packets of up to 64 KB down, whatever
// offloads say, and the kernel takes them apart behind the queue, where HTB has let them
// pass as one. TBF takes apart what does not fit into its bucket, so its bucket is one
// frame; it bounds nothing, because that is full again after one tick, of 64 ns.
func (c *class) splitter(link netlink.Link) *netlink.Tbf {
	size := max(frame, link.Attrs().MTU+frame-1500)
	const ticksPerSecond = 1_000_000_000 / 64
	return &netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: c.handle},
		Rate:       uint64(size) * ticksPerSecond,
		Buffer:     1,
		Limit:      uint32(size) * queueLength,
	}
}

// sortOut gives packets of the owner's links the priority by which HTB knows their
// class. That of a packet that no class takes is left alone.
//
//	table ip fb-<owner> {
//	  map upstream   { type ipv4_addr . inet_service : classid }
//	  map downstream { type inet_service : classid }
//	  chain sort { type filter hook postrouting priority filter;
//	               meta l4proto tcp ct direction original meta priority set ct original ip daddr . ct original proto-dst map @upstream
//	               meta l4proto tcp meta priority set tcp sport map @downstream }
//	}
func (n *Namespace) sortOut(owner string, classes []*class) error {
	var up, down []nftables.SetElement
	for _, c := range classes {
		handle := binaryutil.NativeEndian.PutUint32(c.handle)
		if c.shape.Direction == Upstream {
			up = append(up, nftables.SetElement{Key: endpointKey(c.shape.Original), Val: handle})
		} else {
			down = append(down, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(c.shape.Port), Val: handle})
		}
	}
	return n.use("sort out links", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		// Create, unlike add, refuses a table that is there already.
		table := conn.CreateTable(ruleTable(owner))
		chain := conn.AddChain(&nftables.Chain{
			Name: "sort", Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityFilter,
		})
		upstream := &nftables.Set{Table: table, ID: 1, Name: "upstream", IsMap: true, Concatenation: true, KeyType: endpoint, DataType: nftables.TypeClassID}
		downstream := &nftables.Set{Table: table, ID: 2, Name: "downstream", IsMap: true, KeyType: nftables.TypeInetService, DataType: nftables.TypeClassID}
		if err := errors.Join(addSet(conn, upstream, up), addSet(conn, downstream, down)); err != nil {
			return err
		}
		load := append(isTCP(), conntrackDirection(original)...)
		load = append(load,
			&expr.Ct{Key: expr.CtKeyDST, Register: addressRegister, Direction: uint32(original)},
			&expr.Ct{Key: expr.CtKeyPROTODST, Register: portRegister, Direction: uint32(original)},
		)
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(load, setPriority(upstream)...)})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(append(isTCP(), sourcePort(unix.NFT_REG_1)), setPriority(downstream)...)})
		err = conn.Flush()
		if errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("table %s is there already: %w", table.Name, err)
		}
		return err
	})
}

// setPriority looks up what is loaded, and ends the rule if it is not in the map.
func setPriority(classes *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: classes.Name, SetID: classes.ID, DestRegister: unix.NFT_REG_1, IsDestRegSet: true},
		&expr.Meta{Key: expr.MetaKeyPRIORITY, SourceRegister: true, Register: unix.NFT_REG_1},
	}
}

// Queue says what kind of queue eth0 has at its root: "noqueue" as a rule. While it is
// down it has none.
func (n *Namespace) Queue() (kind string, err error) {
	err = n.link("read queue", func(handle *netlink.Handle, link netlink.Link) error {
		root, err := rootQueue(handle, link)
		if err == nil && root != nil {
			kind = root.Type()
		}
		return err
	})
	return kind, err
}

// rootQueue is nil if the kernel tells of none.
func rootQueue(handle *netlink.Handle, link netlink.Link) (netlink.Qdisc, error) {
	queues, err := handle.QdiscList(link)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	for _, queue := range queues {
		if queue.Attrs().Parent == netlink.HANDLE_ROOT {
			return queue, nil
		}
	}
	return nil, nil
}
