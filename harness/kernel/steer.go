//go:build linux

package kernel

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	steeringTable = "faultbed"
	bypassCounter = "bypass"
)

// Steering is the way of a node's TCP connections to all others.
type Steering struct {
	// Routes leads a destination to a listener.
	Routes map[netip.AddrPort]netip.AddrPort
	// Nodes are the addresses of all other nodes; a connection to one of them
	// that no route took is counted as a bypass.
	Nodes []netip.Addr
}

func (s Steering) check() error {
	for destination, listener := range s.Routes {
		for _, end := range []netip.AddrPort{destination, listener} {
			if !end.Addr().Unmap().Is4() || end.Port() == 0 {
				return fmt.Errorf("route %s to %s: %s is not an IPv4 address with a port", destination, listener, end)
			}
		}
	}
	for _, node := range s.Nodes {
		if !node.Unmap().Is4() {
			return fmt.Errorf("node address %s is not IPv4", node)
		}
	}
	return nil
}

// Steer installs the steering, or replaces it in one step. Connections that are
// open keep the way that they took, and the bypass counter its count.
//
//	table ip faultbed {
//	  map routes { type ipv4_addr . inet_service : ipv4_addr . inet_service }
//	  set nodes  { type ipv4_addr }
//	  chain steer  { type nat hook output priority dstnat;
//	                 meta l4proto tcp dnat to ip daddr . tcp dport map @routes }
//	  chain bypass { type filter hook output priority filter;
//	                 meta l4proto tcp ct direction original ct state new ip daddr @nodes counter name bypass }
//	}
func (n *Namespace) Steer(s Steering) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("node %s: steer: %w", n.name, err)
	}
	return n.use("steer", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: steeringTable})
		routes := &nftables.Set{Table: table, ID: 1, Name: "routes", IsMap: true, Concatenation: true, KeyType: endpoint, DataType: endpoint}
		nodes := &nftables.Set{Table: table, ID: 2, Name: "nodes", KeyType: nftables.TypeIPAddr}
		steer := conn.AddChain(&nftables.Chain{
			Name: "steer", Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
		})
		// After nat, a destination that is still a node's was not steered.
		bypass := conn.AddChain(&nftables.Chain{
			Name: "bypass", Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
		})
		conn.AddObj(&nftables.NamedObj{Table: table, Name: bypassCounter, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})

		// What is there already is emptied in the same transaction. All names
		// above are kept if they exist, and their sets and chains with them.
		conn.FlushChain(steer)
		conn.FlushChain(bypass)
		for _, fill := range []struct {
			set      *nftables.Set
			elements []nftables.SetElement
		}{{routes, s.routes()}, {nodes, s.nodes()}} {
			if err := addSet(conn, fill.set, nil); err != nil {
				return err
			}
			conn.FlushSet(fill.set)
			if err := addSet(conn, fill.set, fill.elements); err != nil {
				return err
			}
		}
		conn.AddRule(&nftables.Rule{Table: table, Chain: steer, Exprs: steerRule(routes)})
		conn.AddRule(&nftables.Rule{Table: table, Chain: bypass, Exprs: bypassRule(nodes)})
		return conn.Flush()
	})
}

func (s Steering) routes() []nftables.SetElement {
	elements := make([]nftables.SetElement, 0, len(s.Routes))
	ordered := slices.SortedFunc(maps.Keys(s.Routes), netip.AddrPort.Compare)
	for _, destination := range ordered {
		elements = append(elements, nftables.SetElement{Key: endpointKey(destination), Val: endpointKey(s.Routes[destination])})
	}
	return elements
}

func (s Steering) nodes() []nftables.SetElement {
	ordered := slices.Clone(s.Nodes)
	slices.SortFunc(ordered, netip.Addr.Compare)
	elements := make([]nftables.SetElement, 0, len(ordered))
	for _, node := range slices.Compact(ordered) {
		address := node.Unmap().As4()
		elements = append(elements, nftables.SetElement{Key: address[:]})
	}
	return elements
}

func steerRule(routes *nftables.Set) []expr.Any {
	return append(isTCP(),
		destinationAddress(),
		destinationPort(portRegister),
		&expr.Lookup{SourceRegister: addressRegister, SetName: routes.Name, SetID: routes.ID, DestRegister: addressRegister, IsDestRegSet: true},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: addressRegister, RegProtoMin: portRegister},
	)
}

func bypassRule(nodes *nftables.Set) []expr.Any {
	rule := append(isTCP(), conntrackDirection(original)...)
	state := binaryutil.NativeEndian.PutUint32(expr.CtStateBitNEW)
	zero := binaryutil.NativeEndian.PutUint32(0)
	return append(rule,
		&expr.Ct{Key: expr.CtKeySTATE, Register: unix.NFT_REG_1},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4, Mask: state, Xor: zero},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: zero},
		destinationAddress(),
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: nodes.Name, SetID: nodes.ID},
		&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: bypassCounter},
	)
}

// Bypass counts the packets that opened a TCP connection to another node past
// the steering. A node that is not steered is an error.
func (n *Namespace) Bypass() (packets uint64, err error) {
	err = n.use("read bypass counter", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: steeringTable}
		object, err := conn.GetObject(&nftables.NamedObj{Table: table, Name: bypassCounter, Type: nftables.ObjTypeCounter})
		if err != nil {
			return err
		}
		named, ok := object.(*nftables.NamedObj)
		if !ok {
			return fmt.Errorf("unexpected object %T", object)
		}
		counter, ok := named.Obj.(*expr.Counter)
		if !ok {
			return fmt.Errorf("unexpected object %T", named.Obj)
		}
		packets = counter.Packets
		return nil
	})
	return packets, err
}

// Tables lists the namespace's nftables as "family name", sorted.
func (n *Namespace) Tables() ([]string, error) {
	var names []string
	err := n.use("list nftables", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		list, err := conn.ListTables()
		if err != nil {
			return err
		}
		for _, table := range list {
			names = append(names, cmp.Or(familyNames[table.Family], fmt.Sprint(table.Family))+" "+table.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

var familyNames = map[nftables.TableFamily]string{
	nftables.TableFamilyINet:   "inet",
	nftables.TableFamilyIPv4:   "ip",
	nftables.TableFamilyIPv6:   "ip6",
	nftables.TableFamilyARP:    "arp",
	nftables.TableFamilyNetdev: "netdev",
	nftables.TableFamilyBridge: "bridge",
}
