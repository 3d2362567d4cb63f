//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	trialTable = "fb-trial"
	trialLink  = "fbtrial0"
	trialPeer  = "fbtrial1"
	// able is how a capability that is there is reported; else it is the reason.
	able = "yes"
)

// trials is held while capabilities are tried: two at once in one namespace
// would use the same names.
var trials sync.Mutex

// Capabilities tries in the namespace what the kernel can do, undoes it, and
// says of each "yes" or why not. No packet of the node meets a trial: rules
// match a protocol that nobody speaks, queues go to an interface of their own.
func (n *Namespace) Capabilities() (map[string]string, error) {
	trials.Lock()
	defer trials.Unlock()
	can := map[string]string{}
	for name, trial := range map[string]struct {
		chain nftables.Chain
		exprs func(*nftables.Set) []expr.Any
	}{
		"nft-dnat-map": {
			nftables.Chain{Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest},
			steerRule,
		},
		"nft-ct-original": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any {
				return []expr.Any{
					&expr.Ct{Key: expr.CtKeyDST, Register: addressRegister, Direction: uint32(original)},
					&expr.Ct{Key: expr.CtKeyPROTODST, Register: portRegister, Direction: uint32(original)},
				}
			},
		},
		"nft-reject": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any {
				return append(isTCP(), &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
			},
		},
		"nft-numgen": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any {
				return []expr.Any{&expr.Numgen{Register: unix.NFT_REG_1, Type: unix.NFT_NG_RANDOM, Modulus: 100}}
			},
		},
		"nft-dup": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any { return Rule{Verdict: Duplicate}.effect() },
		},
		"nft-payload-write": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw},
			func(*nftables.Set) []expr.Any { return append(isTCP(), Rule{Verdict: Corrupt}.effect()...) },
		},
		"nft-ct-mark": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any { return []expr.Any{mark(), setMark()} },
		},
		"nft-limit": {
			nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter},
			func(*nftables.Set) []expr.Any {
				return []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: 10, Unit: expr.LimitTimeSecond, Burst: 5}}
			},
		},
	} {
		err := n.tryRule(trial.chain, trial.exprs)
		if errors.Is(err, ErrGone) {
			return nil, err
		}
		can[name] = verdict(err)
	}

	const slow = 1 << 20 // any rate in bytes per second will do
	for name, queue := range map[string]func(netlink.QdiscAttrs) netlink.Qdisc{
		"tbf": func(a netlink.QdiscAttrs) netlink.Qdisc {
			return &netlink.Tbf{QdiscAttrs: a, Rate: slow, Limit: slow, Buffer: slow}
		},
		"htb": func(a netlink.QdiscAttrs) netlink.Qdisc { return netlink.NewHtb(a) },
		"netem": func(a netlink.QdiscAttrs) netlink.Qdisc {
			return netlink.NewNetem(a, netlink.NetemQdiscAttrs{Latency: 1000})
		},
	} {
		can[name] = verdict(n.tryQueue(queue))
	}
	_, err := n.Offloads()
	can["offloads"] = verdict(err)
	return can, nil
}

func verdict(err error) string {
	if err == nil {
		return able
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// tryRule adds a rule to a chain of a table of its own, and deletes all.
func (n *Namespace) tryRule(chain nftables.Chain, exprs func(*nftables.Set) []expr.Any) error {
	return n.use("try rule", func(fd int) error {
		conn, err := tables(fd)
		if err != nil {
			return err
		}
		table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: trialTable})
		routes := &nftables.Set{Table: table, ID: 1, Name: "routes", IsMap: true, Concatenation: true, KeyType: endpoint, DataType: endpoint}
		if err := addSet(conn, routes, nil); err != nil {
			return err
		}
		chain.Name, chain.Table = "trial", table
		// Protocol 255 is reserved: the rest of the rule is never reached.
		never := []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{unix.IPPROTO_RAW}},
		}
		added := conn.AddChain(&chain)
		conn.AddRule(&nftables.Rule{Table: table, Chain: added, Exprs: append(never, exprs(routes)...)})
		if err := conn.Flush(); err != nil {
			return err
		}
		conn.DelTable(table)
		if err := conn.Flush(); err != nil {
			return fmt.Errorf("undo: %w", err)
		}
		return nil
	})
}

// tryQueue puts a queueing discipline on a pair of interfaces of its own.
func (n *Namespace) tryQueue(queue func(netlink.QdiscAttrs) netlink.Qdisc) error {
	return n.netlink("try queue", func(handle *netlink.Handle) (err error) {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = trialLink
		if err := handle.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: trialPeer}); err != nil {
			return fmt.Errorf("add an interface for the trial: %w", err)
		}
		link, err := handle.LinkByName(trialLink)
		if err != nil {
			return fmt.Errorf("find the trial's interface: %w", err)
		}
		defer func() {
			// The queue goes with its interface, and the peer with it.
			if undo := handle.LinkDel(link); undo != nil {
				err = errors.Join(err, fmt.Errorf("undo: %w", undo))
			}
		}()
		return handle.QdiscAdd(queue(netlink.QdiscAttrs{
			LinkIndex: link.Attrs().Index,
			Handle:    netlink.MakeHandle(1, 0),
			Parent:    netlink.HANDLE_ROOT,
		}))
	})
}
