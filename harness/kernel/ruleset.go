//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ruleTable is the one table of an owner in a namespace. Its name says who may
// remove it.
func ruleTable(owner string) *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "fb-" + owner}
}

// ruleset writes an owner's rules for one namespace into a batch.
type ruleset struct {
	conn   *nftables.Conn
	owner  string
	table  *nftables.Table
	chains map[nftables.ChainHook]*nftables.Chain
	sets   uint32
}

// addRules puts an owner's rules in force, all in one step.
func (n *Namespace) addRules(owner string, rules []Rule) error {
	return n.use("add rules", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		// Create, unlike add, refuses a table that is there already.
		s := &ruleset{conn: conn, owner: owner, table: conn.CreateTable(ruleTable(owner)), chains: map[nftables.ChainHook]*nftables.Chain{}}
		for i, rule := range rules {
			if err := s.add(i, rule); err != nil {
				return err
			}
		}
		return conn.Flush()
	})
}

// chain is the base chain of a hook, made when it is first needed.
func (s *ruleset) chain(hook *nftables.ChainHook) *nftables.Chain {
	if s.chains[*hook] == nil {
		name := map[nftables.ChainHook]string{
			*nftables.ChainHookPrerouting: "prerouting", *nftables.ChainHookInput: "input",
			*nftables.ChainHookOutput: "output", *nftables.ChainHookPostrouting: "postrouting",
		}[*hook]
		priority := nftables.ChainPriorityFilter
		if hook == nftables.ChainHookPrerouting {
			priority = nftables.ChainPriorityRaw // before conntrack
		}
		s.chains[*hook] = s.conn.AddChain(&nftables.Chain{
			Name: name, Table: s.table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: priority,
		})
	}
	return s.chains[*hook]
}

// add writes the rule with index i, as nft would print it:
//
//	chain input { MATCH counter name counter0 drop }                          every packet
//	chain input { MATCH counter name seen0 jump rule0 }                       or a sample,
//	chain rule0 { ... numgen random mod 1000000 < N counter name counter0 drop }  chosen there
func (s *ruleset) add(i int, rule Rule) error {
	hook := nftables.ChainHookInput
	switch {
	case rule.Leaving:
		hook = nftables.ChainHookPostrouting
	case rule.Verdict == Corrupt:
		hook = nftables.ChainHookPrerouting
	}
	chain := s.chain(hook)
	match, err := s.match(i, rule)
	if err != nil {
		return err
	}
	hit := append(s.counted(counterName(i)), rule.effect()...)
	if rule.Verdict == Corrupt { // a packet without payload ends the rule before it is counted
		hit = append(rule.effect(), s.counted(counterName(i))...)
	}
	if rule.Verdict == TooBig {
		if err := s.tellMTU(i, rule); err != nil {
			return err
		}
	}
	if rule.Sample.all() {
		s.rule(chain, match, hit)
		return nil
	}
	sample := s.conn.AddChain(&nftables.Chain{Name: fmt.Sprintf("rule%d", i), Table: s.table})
	s.rule(chain, match, s.counted(seenName(i)), []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: sample.Name}})
	switch {
	case len(rule.Sample.Indices) > 0:
		return s.byNumber(i, sample, rule.Sample, hit)
	case rule.Sample.Burst > 1:
		s.inBursts(sample, rule.Sample, hit)
	default:
		s.rule(sample, chance(rule.Sample.PerMillion), hit)
	}
	return nil
}

func (s *ruleset) rule(chain *nftables.Chain, parts ...[]expr.Any) {
	s.conn.AddRule(&nftables.Rule{Table: s.table, Chain: chain, Exprs: slices.Concat(parts...)})
}

// counted makes a counter of that name and counts with it. Counters are named objects
// because the library cannot read a rule with "ct original" back (it takes the one byte
// of the direction for four).
func (s *ruleset) counted(name string) []expr.Any {
	s.conn.AddObj(&nftables.NamedObj{Table: s.table, Name: name, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
	return []expr.Any{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: name}}
}

func (s *ruleset) set(set nftables.Set, elements []nftables.SetElement) (*nftables.Set, error) {
	s.sets++
	set.Table, set.ID = s.table, s.sets
	return &set, addSet(s.conn, &set, elements)
}

// match is what a rule is about:
//
//	meta l4proto tcp tcp dport @links0                                                     [ip length > N]
//	meta l4proto tcp ct direction reply ct original ip daddr . ct original proto-dst @links0 [...]
//	ip saddr @peers0 meta l4proto udp udp dport @ports0                                    [...]
func (s *ruleset) match(i int, r Rule) ([]expr.Any, error) {
	var match []expr.Any
	switch {
	case len(r.Peers) > 0:
		peers, err := s.matchPeers(i, r)
		if err != nil {
			return nil, err
		}
		match = peers
	case r.byPorts():
		ports, err := s.set(nftables.Set{Name: fmt.Sprintf("links%d", i), KeyType: nftables.TypeInetService}, portElements(r.Ports))
		if err != nil {
			return nil, err
		}
		match = isTCP()
		if r.Leaving { // copies of our own have no connection: they are not counted again
			match = append(match, conntrackDirection(reply)...)
		}
		port := destinationPort(unix.NFT_REG_1)
		if r.Direction == Downstream {
			port = sourcePort(unix.NFT_REG_1)
		}
		match = append(match, port, lookup(ports))
	default:
		direction := reply
		if r.Leaving {
			direction = original
		}
		originals, err := s.originals(fmt.Sprintf("links%d", i), r)
		if err != nil {
			return nil, err
		}
		match = append(isTCP(), conntrackDirection(direction)...)
		match = append(match, originals...)
	}
	if r.LongerThan > 0 {
		match = append(match,
			&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpGt, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(uint16(r.LongerThan))},
		)
	}
	return match, nil
}

// originals matches connections by what this namespace dialled.
func (s *ruleset) originals(name string, r Rule) ([]expr.Any, error) {
	ends := slices.Clone(r.Originals)
	slices.SortFunc(ends, netip.AddrPort.Compare)
	var elements []nftables.SetElement
	for _, end := range slices.Compact(ends) {
		elements = append(elements, nftables.SetElement{Key: endpointKey(end)})
	}
	links, err := s.set(nftables.Set{Name: name, KeyType: endpoint, Concatenation: true}, elements)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeyDST, Register: addressRegister, Direction: uint32(original)},
		&expr.Ct{Key: expr.CtKeyPROTODST, Register: portRegister, Direction: uint32(original)},
		lookup(links),
	}, err
}

// matchPeers matches what comes from addresses: UDP of some ports, or all but TCP.
func (s *ruleset) matchPeers(i int, r Rule) ([]expr.Any, error) {
	var elements []nftables.SetElement
	for _, peer := range r.Peers {
		address := peer.Unmap().As4()
		elements = append(elements, nftables.SetElement{Key: address[:]})
	}
	peers, err := s.set(nftables.Set{Name: fmt.Sprintf("peers%d", i), KeyType: nftables.TypeIPAddr}, elements)
	if err != nil {
		return nil, err
	}
	match := []expr.Any{sourceAddress(unix.NFT_REG_1), lookup(peers)}
	protocol := &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1}
	if len(r.UDP) == 0 {
		return append(match, protocol, &expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_TCP}}), nil
	}
	ports, err := s.set(nftables.Set{Name: fmt.Sprintf("ports%d", i), KeyType: nftables.TypeInetService}, portElements(r.UDP))
	port := destinationPort(unix.NFT_REG_1)
	if r.Direction == Downstream {
		port = sourcePort(unix.NFT_REG_1)
	}
	return append(match, protocol, &expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_UDP}}, port, lookup(ports)), err
}

func portElements(ports []uint16) []nftables.SetElement {
	ports = slices.Clone(ports)
	slices.Sort(ports)
	var elements []nftables.SetElement
	for _, port := range slices.Compact(ports) {
		elements = append(elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(port)})
	}
	return elements
}

// effect is what befalls a packet that is hit.
func (r Rule) effect() []expr.Any {
	const (
		icmpUnreachable = unix.NFT_REJECT_ICMP_UNREACH
		fragNeeded      = 4 // RFC 1191
		// words is where two bytes of payload are, in a TCP segment with the timestamps
		// that Linux sends. In one with more options these change, to the same effect.
		words = 20 + 12
	)
	switch r.Verdict {
	case Reset:
		return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}
	case Unreach:
		return []expr.Any{&expr.Reject{Type: icmpUnreachable, Code: r.Code}}
	case TooBig:
		return []expr.Any{&expr.Reject{Type: icmpUnreachable, Code: fragNeeded}}
	case Duplicate:
		return []expr.Any{destinationAddress(), &expr.Dup{RegAddr: addressRegister}}
	case Corrupt:
		at := expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: words, Len: 2}
		load, store := at, at
		load.DestRegister = unix.NFT_REG_1
		store.OperationType, store.SourceRegister = expr.PayloadWrite, unix.NFT_REG_1
		return []expr.Any{&load, &expr.Bitwise{
			SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 2, Mask: []byte{0xff, 0xff}, Xor: []byte{0xa5, 0x5a},
		}, &store}
	default:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	}
}

// tellMTU writes the next hop's MTU into the ICMP messages that a TooBig rule makes,
// which the kernel sends with 0, where they leave:
//
//	chain output { meta l4proto icmp icmp type destination-unreachable icmp code 4 ct original ... @told0 icmp mtu set N }
func (s *ruleset) tellMTU(i int, r Rule) error {
	var links []expr.Any
	var err error
	if r.byPorts() {
		var ports *nftables.Set
		ports, err = s.set(nftables.Set{Name: fmt.Sprintf("told%d", i), KeyType: nftables.TypeInetService}, portElements(r.Ports))
		links = []expr.Any{&expr.Ct{Key: expr.CtKeyPROTODST, Register: unix.NFT_REG_1, Direction: uint32(original)}, lookup(ports)}
	} else {
		links, err = s.originals(fmt.Sprintf("told%d", i), r)
	}
	s.rule(s.chain(nftables.ChainHookOutput), []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_ICMP}},
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{3, 4}},
	}, links, []expr.Any{
		&expr.Immediate{Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(uint16(r.LongerThan))},
		&expr.Payload{
			OperationType: expr.PayloadWrite, SourceRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 6, Len: 2,
			CsumType: expr.CsumTypeInet, CsumOffset: 2,
		},
	})
	return err
}

// chance matches so many packets of a million.
func chance(perMillion uint32) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: unix.NFT_REG_1, Type: unix.NFT_NG_RANDOM, Modulus: million},
		// Comparing goes byte by byte, from the left.
		&expr.Byteorder{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint32(perMillion)},
	}
}

// inBurst is the bit of a connection's mark that says that it is in a burst. The other
// bits are for byNumber.
const inBurst uint32 = 1 << 31

// inBursts chooses by Gilbert's model. A connection whose very first packet is lost
// never got a mark, and starts anew with the next try.
//
//	ct mark & inBurst != 0 numgen random mod 1000000 < stay  ct mark set ct mark ^ inBurst return
//	ct mark & inBurst != 0 HIT
//	numgen random mod 1000000 < leave  ct mark set ct mark ^ inBurst HIT
func (s *ruleset) inBursts(chain *nftables.Chain, sample Sample, hit []expr.Any) {
	bit, zero, all := number(inBurst), number(0), number(^uint32(0))
	bursting := []expr.Any{
		mark(), &expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4, Mask: bit, Xor: zero},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: zero},
	}
	toggle := []expr.Any{
		mark(), &expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4, Mask: all, Xor: bit}, setMark(),
	}
	s.rule(chain, bursting, chance(sample.stay()), toggle, []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}})
	s.rule(chain, bursting, hit)
	s.rule(chain, chance(sample.leave()), toggle, hit)
}

// byNumber counts a connection's packets in its mark, from a first number that no other
// owner uses, by a map from each number to the next: nft cannot add. A mark from
// elsewhere, or of a fault that is healed, is none of these and starts at the first.
// Reading and writing a mark are two steps: of one connection's packets, two that arrive
// on two processors at the same moment can get the same number (seen once in some ten
// runs of the kernel tests, with both cores busy).
//
//	tcp flags & syn != 0 return
//	ct mark != @states0 ct mark set BASE
//	ct mark set ct mark map @next0
//	ct mark @chosen0 HIT
func (s *ruleset) byNumber(i int, chain *nftables.Chain, sample Sample, hit []expr.Any) error {
	digest := fnv.New32a()
	fmt.Fprintf(digest, "%s %d", s.owner, i)
	base := (digest.Sum32()%0x7fff + 1) << 16 &^ inBurst
	last := slices.Max(sample.Indices) + 1 // one past the last chosen, where counting ends
	var states, next, chosen []nftables.SetElement
	for _, bit := range []uint32{0, inBurst} { // as inBursts has left it
		for index := uint32(0); index <= last; index++ {
			state := number(base | bit | index)
			states = append(states, nftables.SetElement{Key: state})
			if index < last {
				next = append(next, nftables.SetElement{Key: state, Val: number(base | bit | index + 1)})
			}
			if slices.Contains(sample.Indices, index) {
				chosen = append(chosen, nftables.SetElement{Key: state})
			}
		}
	}
	set := func(name string, isMap bool, elements []nftables.SetElement) (*nftables.Set, error) {
		return s.set(nftables.Set{Name: fmt.Sprintf("%s%d", name, i), KeyType: nftables.TypeMark, IsMap: isMap, DataType: nftables.TypeMark}, elements)
	}
	stateSet, err := set("states", false, states)
	nextMap, err2 := set("next", true, next)
	chosenSet, err3 := set("chosen", false, chosen)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	outside := lookup(stateSet)
	outside.Invert = true
	following := lookup(nextMap)
	following.DestRegister, following.IsDestRegSet = unix.NFT_REG_1, true
	s.rule(chain, []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 1, Mask: []byte{2}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: []byte{0}},
		&expr.Verdict{Kind: expr.VerdictReturn},
	})
	s.rule(chain, []expr.Any{mark(), outside, &expr.Immediate{Register: unix.NFT_REG_1, Data: number(base)}, setMark()})
	s.rule(chain, []expr.Any{mark(), following, setMark()})
	s.rule(chain, []expr.Any{mark(), lookup(chosenSet)}, hit)
	return nil
}

// number is a register's content as the kernel keeps numbers.
func number(n uint32) []byte { return binaryutil.NativeEndian.PutUint32(n) }

func mark() expr.Any { return &expr.Ct{Key: expr.CtKeyMARK, Register: unix.NFT_REG_1} }

func setMark() expr.Any {
	return &expr.Ct{Key: expr.CtKeyMARK, Register: unix.NFT_REG_1, SourceRegister: true}
}

func lookup(set *nftables.Set) *expr.Lookup {
	return &expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: set.Name, SetID: set.ID}
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

// countRules reads the counters of so many rules of an owner, in their order.
func (n *Namespace) countRules(owner string, rules int) ([]Count, error) {
	counts := make([]Count, rules)
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
		for i := range counts {
			hit, seen := named[counterName(i)], named[seenName(i)]
			if hit == nil {
				return fmt.Errorf("no counter of rule %d", i)
			}
			counts[i] = Count{Packets: hit.Packets, Bytes: hit.Bytes, Seen: hit.Packets}
			if seen != nil {
				counts[i].Seen = seen.Packets
			}
		}
		return nil
	})
	return counts, err
}

func counterName(rule int) string { return fmt.Sprintf("counter%d", rule) }

func seenName(rule int) string { return fmt.Sprintf("seen%d", rule) }
