//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	mdlayher "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// dumpsAtMost is how often the flows are read anew when others came and went meanwhile.
const dumpsAtMost = 5

// flows is a conversation about a namespace's connections, as conntrack knows them.
// UDP has connections there, too: the packets between two endpoints.
type flows struct {
	mu   sync.Mutex
	conn *mdlayher.Conn
}

func openFlows(fd int) (*flows, error) {
	conn, err := mdlayher.Dial(unix.NETLINK_NETFILTER, &mdlayher.Config{NetNS: fd})
	if err != nil {
		return nil, fmt.Errorf("open conntrack: %w", err)
	}
	return &flows{conn: conn}, nil
}

func (f *flows) Close() error { return f.conn.Close() }

// Destination is where the client wanted to go before its packets were led to server.
func (f *flows) Destination(protocol byte, client, server netip.AddrPort) (netip.AddrPort, error) {
	request := mdlayher.NewAttributeEncoder()
	request.ByteOrder = binary.BigEndian
	// The way back, which the leading has turned round: from server to client.
	request.Nested(nl.CTA_TUPLE_REPLY, func(tuple *mdlayher.AttributeEncoder) error {
		tuple.Nested(nl.CTA_TUPLE_IP, func(ip *mdlayher.AttributeEncoder) error {
			ip.Bytes(nl.CTA_IP_V4_SRC, server.Addr().Unmap().AsSlice())
			ip.Bytes(nl.CTA_IP_V4_DST, client.Addr().Unmap().AsSlice())
			return nil
		})
		tuple.Nested(nl.CTA_TUPLE_PROTO, func(proto *mdlayher.AttributeEncoder) error {
			proto.Uint8(nl.CTA_PROTO_NUM, protocol)
			proto.Uint16(nl.CTA_PROTO_SRC_PORT, server.Port())
			proto.Uint16(nl.CTA_PROTO_DST_PORT, client.Port())
			return nil
		})
		return nil
	})
	attributes, err := request.Encode()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask conntrack: %w", err)
	}
	answers, err := f.ask(attributes)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask conntrack for %s: %w", client, err)
	}
	if len(answers) != 2 || len(answers[0].Data) < nl.SizeofNfgenmsg {
		return netip.AddrPort{}, fmt.Errorf("ask conntrack for %s: %d answers", client, len(answers))
	}
	destination, err := originalDestination(answers[0].Data[nl.SizeofNfgenmsg:])
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask conntrack for %s: %w", client, err)
	}
	return destination, nil
}

func (f *flows) ask(attributes []byte) ([]mdlayher.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return nil, err
	}
	return f.conn.Execute(mdlayher.Message{
		Header: mdlayher.Header{
			Type: unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_GET,
			// The answer says that it is one of many, but only an acknowledgement follows.
			Flags: mdlayher.Request | mdlayher.Acknowledge,
		},
		Data: append([]byte{unix.AF_INET, nl.NFNETLINK_V0, 0, 0}, attributes...),
	})
}

// originalDestination reads a connection's first way.
func originalDestination(attributes []byte) (netip.AddrPort, error) {
	var address netip.Addr
	var port uint16
	answer, err := mdlayher.NewAttributeDecoder(attributes)
	if err != nil {
		return netip.AddrPort{}, err
	}
	answer.ByteOrder = binary.BigEndian
	// inside reads the attributes of one that is among many.
	inside := func(name uint16, read func(*mdlayher.AttributeDecoder)) func(*mdlayher.AttributeDecoder) {
		return func(outer *mdlayher.AttributeDecoder) {
			if outer.Type() == name {
				outer.Nested(func(inner *mdlayher.AttributeDecoder) error {
					for inner.Next() {
						read(inner)
					}
					return nil
				})
			}
		}
	}
	ip := inside(nl.CTA_TUPLE_IP, func(ip *mdlayher.AttributeDecoder) {
		if ip.Type() == nl.CTA_IP_V4_DST {
			address, _ = netip.AddrFromSlice(ip.Bytes())
		}
	})
	proto := inside(nl.CTA_TUPLE_PROTO, func(proto *mdlayher.AttributeDecoder) {
		if proto.Type() == nl.CTA_PROTO_DST_PORT {
			port = proto.Uint16()
		}
	})
	way := inside(nl.CTA_TUPLE_ORIG, func(tuple *mdlayher.AttributeDecoder) {
		ip(tuple)
		proto(tuple)
	})
	for answer.Next() {
		way(answer)
	}
	if err := answer.Err(); err != nil {
		return netip.AddrPort{}, err
	}
	if !address.IsValid() || port == 0 {
		return netip.AddrPort{}, errors.New("no destination in the answer")
	}
	return netip.AddrPortFrom(address, port), nil
}

// flowFilter chooses connections.
type flowFilter func(*netlink.ConntrackFlow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (f flowFilter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool { return f(flow) }

// forget makes the namespace forget IPv4 connections: where the next packet of one goes
// is then asked of the rules again, which are otherwise asked of the first only.
func (n *Namespace) forget(chosen flowFilter) error {
	return n.use("forget connections", func(fd int) error {
		handle, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer handle.Close()
		for range dumpsAtMost {
			if _, err = handle.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, chosen); !errors.Is(err, netlink.ErrDumpInterrupted) {
				return err
			}
		}
		return err
	})
}
