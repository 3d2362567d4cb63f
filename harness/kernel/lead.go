//go:build linux

package kernel

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

const (
	questionPort = 53
	// leadPriority is before Docker's own, which in a container that it networks leads
	// questions for 127.0.0.11:53 to its resolver: of nat's chains the first that leads a
	// connection wins.
	leadPriority = -110
	// firstMark is before those of layers: 0xfb and a number.
	firstMark = 0xfb000000
)

// layerMark is on the sockets by which a layer passes questions on.
func layerMark(layer uint32) uint32 { return firstMark + layer }

// dockerResolver is where Docker's resolver is in a network that was made by hand, and that
// of a Switch.
var dockerResolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// resolvers are whom the node asks for names: Docker's, and what its resolv.conf says.
func (n *Namespace) resolvers() ([]netip.Addr, error) {
	found := []netip.Addr{dockerResolver}
	if n.pid == 0 {
		return found, nil
	}
	err := n.process("read resolv.conf", func(pid int) error {
		file, err := openInside(pid, "/etc/resolv.conf")
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // it is only read
		config, err := dns.ClientConfigFromReader(file)
		if err != nil {
			return err
		}
		for _, server := range config.Servers {
			// Others than IPv4 are not asked in a bed, which has no IPv6.
			if address, err := netip.ParseAddr(server); err == nil && address.Unmap().Is4() {
				found = append(found, address.Unmap())
			}
		}
		return nil
	})
	return found, err
}

// lead leads a namespace's questions for its resolvers to other ends, one for each
// protocol.
//
//	table ip fb-<owner> {
//	  set resolvers { type ipv4_addr }
//	  chain names { type nat hook output priority -110;
//	                meta l4proto udp udp dport 53 ip daddr @resolvers meta mark != 0xfb000001-<the layer's> dnat to <end>
//	                meta l4proto tcp tcp dport 53 ip daddr @resolvers meta mark != 0xfb000001-<the layer's> dnat to <end> }
//	}
//
// Only for its resolvers, because Docker's, too, asks others from inside the namespace:
// one question would be met twice.
//
// Of chains with one priority the kernel asks the newest first, which is the highest
// layer. What that passes on carries its mark, and so goes to the layers below.
func (n *Namespace) lead(owner string, layer uint32, resolvers []netip.Addr, ends map[byte]netip.AddrPort) error {
	return n.use("lead questions", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		// Create, unlike add, refuses a table that is there already.
		table := conn.CreateTable(ruleTable(owner))
		priority := nftables.ChainPriority(leadPriority)
		chain := conn.AddChain(&nftables.Chain{
			Name: "names", Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookOutput, Priority: &priority,
		})
		var elements []nftables.SetElement
		for _, resolver := range slices.Compact(slices.SortedFunc(slices.Values(resolvers), netip.Addr.Compare)) {
			elements = append(elements, nftables.SetElement{Key: resolver.AsSlice()})
		}
		asked := &nftables.Set{Table: table, ID: 1, Name: "resolvers", KeyType: nftables.TypeIPAddr}
		if err := addSet(conn, asked, elements); err != nil {
			return err
		}
		for protocol, end := range ends {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: leadRule(protocol, asked, layer, end)})
		}
		return conn.Flush()
	})
}

func leadRule(protocol byte, asked *nftables.Set, layer uint32, end netip.AddrPort) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{protocol}},
		destinationPort(unix.NFT_REG_1),
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(questionPort)},
		destinationAddress(),
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: asked.Name, SetID: asked.ID},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: unix.NFT_REG_1},
		// Ranges are compared byte by byte.
		&expr.Byteorder{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Range{
			Op: expr.CmpOpNeq, Register: unix.NFT_REG_1,
			FromData: binaryutil.BigEndian.PutUint32(layerMark(1)), ToData: binaryutil.BigEndian.PutUint32(layerMark(layer)),
		},
		&expr.Immediate{Register: addressRegister, Data: end.Addr().Unmap().AsSlice()},
		&expr.Immediate{Register: portRegister, Data: binaryutil.BigEndian.PutUint16(end.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: addressRegister, RegProtoMin: portRegister},
	}
}
