//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Direction says which packets of a link a rule judges: Upstream from client to
// server, Downstream from server to client.
type Direction int

// Verdict says what becomes of a packet that a rule matches.
type Verdict int

// The directions and verdicts; zero is neither.
const (
	Upstream   Direction = 1
	Downstream Direction = 2

	Drop Verdict = 1
	// Reset drops the packet and answers its sender with a TCP reset.
	Reset Verdict = 2
)

// Rule judges TCP packets of links where they arrive, in the input hook.
type Rule struct {
	Direction Direction
	// Ports, for Upstream, are the links' listener ports in this namespace.
	Ports []uint16
	// Originals, for Downstream, are the servers as this namespace dialled them.
	Originals []netip.AddrPort
	// LongerThan spares packets whose IP total length is not above so many
	// bytes; 0 spares none.
	LongerThan int
	Verdict    Verdict
}

// Count is what a rule has matched so far.
type Count struct {
	Packets, Bytes uint64
}

func (r Rule) check() error {
	switch {
	case r.Verdict != Drop && r.Verdict != Reset:
		return errors.New("no verdict")
	case r.LongerThan < 0 || r.LongerThan > math.MaxUint16:
		return fmt.Errorf("length %d is not one of an IP packet", r.LongerThan)
	case r.Direction == Upstream && (len(r.Ports) == 0 || len(r.Originals) > 0):
		return errors.New("upstream needs listener ports, and nothing else")
	case r.Direction == Downstream && (len(r.Originals) == 0 || len(r.Ports) > 0):
		return errors.New("downstream needs original destinations, and nothing else")
	case r.Direction != Upstream && r.Direction != Downstream:
		return errors.New("no direction")
	case slices.Contains(r.Ports, 0):
		return errors.New("port 0")
	}
	for _, end := range r.Originals {
		if !end.Addr().Unmap().Is4() || end.Port() == 0 {
			return fmt.Errorf("%s is not an IPv4 address with a port", end)
		}
	}
	return nil
}

// set names the links that the rule is about.
func (r Rule) set() (nftables.SetDatatype, []nftables.SetElement) {
	var elements []nftables.SetElement
	if r.Direction == Upstream {
		ports := slices.Clone(r.Ports)
		slices.Sort(ports)
		for _, port := range slices.Compact(ports) {
			elements = append(elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(port)})
		}
		return nftables.TypeInetService, elements
	}
	ends := slices.Clone(r.Originals)
	slices.SortFunc(ends, netip.AddrPort.Compare)
	for _, end := range slices.Compact(ends) {
		elements = append(elements, nftables.SetElement{Key: endpointKey(end)})
	}
	return endpoint, elements
}

// expressions is the rule in nftables' terms, as nft would print it:
//
//	meta l4proto tcp tcp dport @links0 [ip length > N] counter name counter0 drop
//	meta l4proto tcp ct direction reply ct original ip daddr . ct original proto-dst @links0 [...] counter name counter0 drop
func (r Rule) expressions(links *nftables.Set, counter string) []expr.Any {
	rule := isTCP()
	if r.Direction == Upstream {
		rule = append(rule, destinationPort(unix.NFT_REG_1))
	} else {
		rule = append(rule, conntrackDirection(reply)...)
		rule = append(rule,
			&expr.Ct{Key: expr.CtKeyDST, Register: addressRegister, Direction: uint32(original)},
			&expr.Ct{Key: expr.CtKeyPROTODST, Register: portRegister, Direction: uint32(original)},
		)
	}
	rule = append(rule, &expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: links.Name, SetID: links.ID})
	if r.LongerThan > 0 {
		rule = append(rule,
			&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpGt, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(uint16(r.LongerThan))},
		)
	}
	rule = append(rule, &expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: counter})
	if r.Verdict == Reset {
		return append(rule, &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	}
	return append(rule, &expr.Verdict{Kind: expr.VerdictDrop})
}

// ruleTable is the one table of an owner in a namespace. Its name says who may
// remove it.
func ruleTable(owner string) *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "fb-" + owner}
}

const ruleChain = "input"

// addRules puts an owner's rules in force, all in one step.
func (n *Namespace) addRules(owner string, rules []Rule) error {
	return n.use("add rules", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		// Create, unlike add, refuses a table that is there already.
		table := conn.CreateTable(ruleTable(owner))
		chain := conn.AddChain(&nftables.Chain{
			Name: ruleChain, Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
		})
		for i, rule := range rules {
			kind, elements := rule.set()
			links := &nftables.Set{
				Table: table, ID: uint32(i + 1), Name: fmt.Sprintf("links%d", i),
				KeyType: kind, Concatenation: rule.Direction == Downstream,
			}
			if err := addSet(conn, links, elements); err != nil {
				return err
			}
			counter := counterName(i)
			conn.AddObj(&nftables.NamedObj{Table: table, Name: counter, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule.expressions(links, counter)})
		}
		return conn.Flush()
	})
}

// removeRules deletes an owner's table. One that is not there, or in a
// namespace that is gone, is as good as deleted.
func (n *Namespace) removeRules(owner string) error {
	err := n.use("remove rules", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		conn.DelTable(ruleTable(owner))
		return conn.Flush()
	})
	if errors.Is(err, ErrGone) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// countRules reads the counters of an owner's rules, in their order. They are
// named objects because the library cannot read a rule with "ct original" back
// (it takes the one byte of the direction for four).
func (n *Namespace) countRules(owner string) ([]Count, error) {
	var counts []Count
	err := n.use("read counters", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		objects, err := conn.GetNamedObjects(ruleTable(owner))
		if err != nil {
			return err
		}
		named := make(map[string]*expr.Counter, len(objects))
		for _, object := range objects {
			if it, ok := object.(*nftables.NamedObj); ok {
				named[it.Name], _ = it.Obj.(*expr.Counter)
			}
		}
		for i := range len(named) {
			counter := named[counterName(i)]
			if counter == nil {
				return fmt.Errorf("no counter of rule %d", i)
			}
			counts = append(counts, Count{Packets: counter.Packets, Bytes: counter.Bytes})
		}
		return nil
	})
	return counts, err
}

func counterName(rule int) string { return fmt.Sprintf("counter%d", rule) }
