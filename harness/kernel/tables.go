//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// answerWithin bounds a conversation with nftables, which answers in
	// milliseconds: it can hang on an answer that the kernel never sends.
	answerWithin = 10 * time.Second
	// batchBuffer holds the largest batch: 12500 listener ports (a bed of 50
	// nodes cut to pieces) take about 400 KB.
	batchBuffer = 4 << 20
	// chunk is how many elements go into one message, whose attribute may be
	// 64 KB; an element takes up to 48 bytes.
	chunk = 1000
	// addressRegister and portRegister are neighbours of 4 bytes each (nft's
	// NFT_REG_1 and NFT_REG32_01), so that together they hold an address . port.
	addressRegister = unix.NFT_REG_1
	portRegister    = unix.NFT_REG32_01
)

// endpoint is nft's "ipv4_addr . inet_service".
var endpoint = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)

// tables opens a conversation with the namespace's nftables.
func tables(fd int) (*nftables.Conn, error) {
	return nftables.New(nftables.WithNetNSFd(fd), nftables.WithSockOptions(func(conn *netlink.Conn) error {
		if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
			return err
		}
		if err := conn.SetWriteBuffer(batchBuffer); err != nil {
			return err
		}
		return conn.SetReadBuffer(batchBuffer)
	}))
}

// addSet adds a set and its elements to the batch, in chunks.
func addSet(conn *nftables.Conn, set *nftables.Set, elements []nftables.SetElement) error {
	set.KeyByteOrder = binaryutil.BigEndian
	if err := conn.AddSet(set, nil); err != nil {
		return fmt.Errorf("add set %s: %w", set.Name, err)
	}
	for len(elements) > 0 {
		size := min(chunk, len(elements))
		if err := conn.SetAddElements(set, elements[:size]); err != nil {
			return fmt.Errorf("fill set %s: %w", set.Name, err)
		}
		elements = elements[size:]
	}
	return nil
}

// endpointKey lays an endpoint out as the two registers hold it.
func endpointKey(endpoint netip.AddrPort) []byte {
	address := endpoint.Addr().Unmap().As4()
	key := make([]byte, 0, 8)
	key = append(key, address[:]...)
	key = append(key, binaryutil.BigEndian.PutUint16(endpoint.Port())...)
	return append(key, 0, 0)
}

// isTCP matches TCP packets.
func isTCP() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_TCP}},
	}
}

// destinationPort loads the destination port of a TCP or UDP packet.
func destinationPort(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

// sourcePort loads the source port of a TCP or UDP packet.
func sourcePort(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2}
}

// sourceAddress loads the source address of an IPv4 packet.
func sourceAddress(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
}

// destinationAddress loads the destination address of an IPv4 packet.
func destinationAddress() expr.Any {
	return &expr.Payload{DestRegister: addressRegister, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
}

// conntrackDirection matches packets of a connection's one direction. The
// numbers are the kernel's IP_CT_DIR_ORIGINAL and IP_CT_DIR_REPLY.
func conntrackDirection(direction byte) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeyDIRECTION, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{direction}},
	}
}

const (
	original byte = 0
	reply    byte = 1
)
