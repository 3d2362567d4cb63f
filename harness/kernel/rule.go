//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

// Direction says which packets of a link a rule judges: Upstream from client to
// server, Downstream from server to client.
type Direction int

// Verdict says what becomes of a packet that a rule hits.
type Verdict int

// The directions and verdicts; zero is neither.
const (
	Upstream   Direction = 1
	Downstream Direction = 2

	Drop Verdict = 1
	// Reset drops the packet and answers its sender with a TCP reset.
	Reset Verdict = 2
	// Unreach drops it and answers with ICMP destination unreachable, Rule.Code.
	Unreach Verdict = 3
	// TooBig drops it and answers with ICMP fragmentation needed, in which
	// Rule.LongerThan is the next hop's MTU.
	TooBig Verdict = 4
	// Duplicate sends a second copy. It acts where packets leave: the copy has to go
	// over the wire.
	Duplicate Verdict = 5
	// Corrupt changes two bytes of the payload and leaves the checksum as it was, so
	// that the receiver finds out, if the sender has computed one: see Offloads. It acts
	// before the connection is looked up, because that takes the checksum for proven.
	Corrupt Verdict = 6
)

// Rule judges packets of links where they arrive, in the input hook (Corrupt: in the
// prerouting hook), or, if Leaving, where they leave, in the postrouting hook.
type Rule struct {
	Direction Direction
	// Ports are the links' listener ports: for Upstream packets that arrive, Downstream
	// packets that leave, and for Corrupt.
	Ports []uint16
	// Originals, for all else, are the servers as this namespace dialled them.
	Originals []netip.AddrPort
	// Peers, in place of links, takes packets that come from these addresses and are
	// not TCP; if UDP names ports, UDP packets only: Upstream to these ports,
	// Downstream from them.
	Peers []netip.Addr
	UDP   []uint16
	// Leaving judges packets where they leave.
	Leaving bool
	// LongerThan spares packets whose IP total length is not above so many
	// bytes; 0 spares none.
	LongerThan int
	// Sample says which of the packets that match are hit; the zero value is all.
	Sample  Sample
	Verdict Verdict
	// Code of ICMP destination unreachable (RFC 792, RFC 1812 section 5.2.7.1).
	Code uint8
}

// Sample chooses among packets, by chance or by number.
type Sample struct {
	// PerMillion hits so many of a million packets, by chance.
	PerMillion uint32
	// Burst hits so many packets in a row, on average, and of all of them still
	// PerMillion: the model of Gilbert (Bell System Technical Journal 39, 1960), with a
	// state of its own for each connection. 0 and 1 are independent chances.
	Burst uint32
	// Indices hits the packets with these numbers, from 1, of each connection. The
	// handshake's SYN has none.
	Indices []uint32
}

const (
	million = 1_000_000
	// lastIndex bounds Sample.Indices: every number up to the largest takes two
	// elements of a map.
	lastIndex = 20_000
)

// Count is what a rule has hit so far, and Seen what it has chosen that from.
type Count struct {
	Packets, Bytes uint64
	Seen           uint64
}

func (r Rule) check() error {
	switch {
	case r.Direction != Upstream && r.Direction != Downstream:
		return errors.New("no direction")
	case r.Verdict < Drop || r.Verdict > Corrupt:
		return errors.New("no verdict")
	case r.LongerThan < 0 || r.LongerThan > math.MaxUint16:
		return fmt.Errorf("length %d is not one of an IP packet", r.LongerThan)
	case r.Verdict == TooBig && r.LongerThan == 0:
		return errors.New("too big for nothing: want a length")
	case (r.Verdict == Duplicate) != r.Leaving:
		return errors.New("packets are duplicated where they leave, all else befalls them where they arrive")
	case slices.Contains(r.Ports, 0) || slices.Contains(r.UDP, 0):
		return errors.New("port 0")
	case r.Verdict == Corrupt && (r.Sample.Burst > 1 || len(r.Sample.Indices) > 0):
		return errors.New("corrupt in bursts or by number: its connection is not known yet")
	case len(r.Peers) > 0 && len(r.Sample.Indices) > 0:
		return errors.New("peers by number: without a handshake the first packet would have one")
	}
	if err := r.checkEnds(); err != nil {
		return err
	}
	return r.Sample.check()
}

func (r Rule) checkEnds() error {
	links := len(r.Ports) + len(r.Originals)
	switch {
	case len(r.Peers) > 0 && (links > 0 || r.Leaving || r.Verdict == Reset || r.Verdict == Corrupt):
		return errors.New("what comes from peers has no links, and cannot be reset, duplicated or corrupted")
	case len(r.Peers) == 0 && len(r.UDP) > 0:
		return errors.New("UDP ports without peers")
	case len(r.Peers) == 0 && r.byPorts() && (len(r.Ports) == 0 || len(r.Originals) > 0):
		return errors.New("want listener ports, and nothing else")
	case len(r.Peers) == 0 && !r.byPorts() && (len(r.Originals) == 0 || len(r.Ports) > 0):
		return errors.New("want original destinations, and nothing else")
	}
	for _, end := range r.Originals {
		if !end.Addr().Unmap().Is4() || end.Port() == 0 {
			return fmt.Errorf("%s is not an IPv4 address with a port", end)
		}
	}
	for _, peer := range r.Peers {
		if !peer.Unmap().Is4() {
			return fmt.Errorf("peer %s is not IPv4", peer)
		}
	}
	return nil
}

// byPorts says that links are told by their listener ports: where no connection is known
// or no address was rewritten.
func (r Rule) byPorts() bool { return (r.Direction == Upstream) != r.Leaving || r.Verdict == Corrupt }

func (s Sample) check() error {
	chance := s.PerMillion > 0 || s.Burst > 0
	switch {
	case chance && len(s.Indices) > 0:
		return errors.New("by chance and by number")
	case chance && (s.PerMillion == 0 || s.PerMillion >= million):
		return fmt.Errorf("%d of a million: want 1 to %d", s.PerMillion, million-1)
	case s.Burst > 1 && s.leave() > million:
		return fmt.Errorf("%d of a million in bursts of %d: so many cannot be lost in bursts so short", s.PerMillion, s.Burst)
	}
	for _, index := range s.Indices {
		if index == 0 || index > lastIndex {
			return fmt.Errorf("packet number %d: want 1 to %d", index, lastIndex)
		}
	}
	return nil
}

// all says that every packet is hit.
func (s Sample) all() bool { return s.PerMillion == 0 && len(s.Indices) == 0 }

// stay is Gilbert's chance of coming back from a burst with the next packet, and leave
// that of getting into one, both of a million. The share of packets in bursts is
// leave/(leave+stay).
func (s Sample) stay() uint32 { return million / s.Burst }

func (s Sample) leave() uint32 {
	return uint32(uint64(s.stay()) * uint64(s.PerMillion) / uint64(million-s.PerMillion))
}
