//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// upWithin bounds how long the kernel may take to let a new wire carry packets: it says
	// so from a queue of its own (net/core/link_watch.c), mostly within a millisecond.
	upWithin = 5 * time.Second
	upPoll   = 2 * time.Millisecond
	// gatewayHost is the last byte of where the default route of a plugged node leads.
	// Nobody is there: what leaves the network vanishes, and the kernel says so after 3 s.
	gatewayHost = 1
)

// ErrAddressTaken refuses a second node at one address.
var ErrAddressTaken = errors.New("address is taken")

// Switch is an Ethernet of its own: a bridge in a network namespace in which nothing else
// is, with a wire to each node that is plugged in, and a resolver that tells each of them
// the others' names. Containers that start without any network get theirs here: the engine
// starts three processes of itself for each one that it networks, half of what the start of
// a container costs.
//
// It goes with the process that made it.
type Switch struct {
	laying sync.Mutex // held while wires change
	hub    *os.File   // nil when closed
	bridge int        // index of the bridge in it
	wires  int        // ever laid, for their names

	mu    sync.Mutex       // held for no longer than it takes to look
	plugs map[string]*plug // by canonical name
}

// plug is a node's wire, and what the others know it by.
type plug struct {
	name      string
	namespace *Namespace
	address   netip.Addr
	wire      int
}

// NewSwitch makes one that nobody is plugged into.
func NewSwitch() (*Switch, error) {
	hub, err := newHub()
	if err != nil {
		return nil, fmt.Errorf("make a network: %w", err)
	}
	s := &Switch{hub: hub, plugs: map[string]*plug{}}
	err = s.inHub(func(handle *netlink.Handle) error {
		bridge := &netlink.Bridge{LinkAttrs: named("bridge")}
		if err := handle.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add a bridge: %w", err)
		}
		s.bridge = bridge.Attrs().Index
		return handle.LinkSetUp(bridge)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a network: %w", err), hub.Close())
	}
	return s, nil
}

// newHub makes a network namespace that lives as long as the file is open.
func newHub() (*os.File, error) {
	type made struct {
		file *os.File
		err  error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- made{err: os.NewSyscallError("unshare", err)}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		done <- made{file, err}
	}()
	result := <-done
	return result.file, result.err
}

// Plug gives a namespace without any network an eth0 with that address, a way out by it, and
// a resolver at 127.0.0.11 that knows the names of all that are plugged in and live. It
// returns when packets pass. The hardware address is made of the address, as Docker does, so
// that a node that comes back in another namespace is found where it was. Twice is
// harmless.
func (s *Switch) Plug(n *Namespace, name string, address netip.Prefix) error {
	if !address.Addr().Is4() {
		return invalid("plug %s: address %s is not IPv4", name, address)
	}
	canonical := dns.CanonicalName(name)
	s.laying.Lock()
	defer s.laying.Unlock()
	plugs := s.known()
	before := plugs[canonical]
	if before != nil && before.namespace == n {
		return nil
	}
	for other, p := range plugs {
		if other != canonical && p.address == address.Addr() && p.namespace.Alive() {
			return fmt.Errorf("node %s: plug: %s is %s's: %w", n.name, address.Addr(), p.name, ErrAddressTaken)
		}
	}
	s.wires++
	now := &plug{name: name, namespace: n, address: address.Addr(), wire: s.wires}
	err := s.inHub(func(handle *netlink.Handle) error {
		if before != nil { // its namespace may take its time to go, and would hear what is for this one
			if err := removeWire(handle, before.wire); err != nil {
				return err
			}
		}
		return s.lay(handle, now, address)
	})
	if err == nil {
		err = n.netlink("plug", func(handle *netlink.Handle) error { return configure(handle, address) })
	}
	if err == nil {
		err = s.inHub(func(handle *netlink.Handle) error { return awaitUp(handle, wireName(now.wire)) })
	}
	if err == nil {
		err = n.resolve(s.lookup)
	}
	if err != nil {
		err = errors.Join(err, s.inHub(func(handle *netlink.Handle) error { return removeWire(handle, now.wire) }))
		return fmt.Errorf("node %s: plug: %w", n.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugs[canonical] = now
	return nil
}

// known is a copy of what is plugged in, by canonical name.
func (s *Switch) known() map[string]*plug {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.plugs)
}

// lay draws the wire from the bridge into the namespace.
func (s *Switch) lay(handle *netlink.Handle, p *plug, address netip.Prefix) error {
	hardware := net.HardwareAddr(append([]byte{0x02, 0x42}, address.Addr().AsSlice()...))
	return p.namespace.use("plug", func(fd int) error {
		wire := &netlink.Veth{
			LinkAttrs: named(wireName(p.wire)), PeerName: device,
			PeerNamespace: netlink.NsFd(fd), PeerHardwareAddr: hardware,
		}
		wire.MasterIndex = s.bridge
		if err := handle.LinkAdd(wire); err != nil {
			return fmt.Errorf("lay a wire: %w", err)
		}
		return handle.LinkSetUp(wire)
	})
}

// configure brings up a node's loopback, and its eth0 with an address and the default route.
func configure(handle *netlink.Handle, address netip.Prefix) error {
	loopback, err := handle.LinkByName(lo)
	if err == nil {
		err = handle.LinkSetUp(loopback)
	}
	if err != nil {
		return fmt.Errorf("bring %s up: %w", lo, err)
	}
	eth0, err := handle.LinkByName(device)
	if err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	// A bed has no IPv6: no link may have an address that nobody gave it.
	err = handle.LinkSetIP6AddrGenMode(eth0, noAddress)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("no IPv6: %w", err)
	}
	at := &netlink.Addr{IPNet: &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}}
	if err := handle.AddrAdd(eth0, at); err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	if err := handle.LinkSetUp(eth0); err != nil {
		return fmt.Errorf("bring %s up: %w", device, err)
	}
	gateway := address.Masked().Addr().As4()
	gateway[3] += gatewayHost
	if err := handle.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: gateway[:]}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// noAddress is how an interface makes IPv6 addresses of its own when it makes none
// (IN6_ADDR_GEN_MODE_NONE of linux/if_link.h).
const noAddress = 1

// lo is the interface that every namespace begins with.
const lo = "lo"

// awaitUp returns when a wire carries packets.
func awaitUp(handle *netlink.Handle, name string) error {
	again := time.NewTicker(upPoll)
	defer again.Stop()
	for deadline := time.Now().Add(upWithin); ; <-again.C {
		found, err := handle.LinkByName(name)
		if err != nil {
			return fmt.Errorf("wire %s: %w", name, err)
		}
		if found.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wire %s is %s after %s", name, found.Attrs().OperState, upWithin)
		}
	}
}

func removeWire(handle *netlink.Handle, number int) error {
	found, err := handle.LinkByName(wireName(number))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // went with its namespace
	}
	if err == nil {
		err = handle.LinkDel(found)
	}
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove wire %d: %w", number, err)
	}
	return nil
}

func wireName(number int) string { return "wire" + strconv.Itoa(number) }

func named(name string) netlink.LinkAttrs {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	return attributes
}

func (s *Switch) inHub(do func(*netlink.Handle) error) error {
	if s.hub == nil {
		return errors.New("the network is closed")
	}
	handle, err := netlink.NewHandleAt(netns.NsHandle(s.hub.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	return do(handle)
}

// lookup is where the node of that canonical name is. One whose process has ended has no
// name any more, as with Docker's resolver.
func (s *Switch) lookup(name string) (netip.Addr, bool) {
	s.mu.Lock()
	p := s.plugs[name]
	s.mu.Unlock()
	if p == nil || !p.namespace.Alive() {
		return netip.Addr{}, false
	}
	return p.address, true
}

// Close unplugs all. Twice is harmless.
func (s *Switch) Close() error {
	s.laying.Lock()
	defer s.laying.Unlock()
	if s.hub == nil {
		return nil
	}
	err := s.inHub(func(handle *netlink.Handle) error { // the kernel takes its time with the namespace
		bridge, err := handle.LinkByIndex(s.bridge)
		if err != nil {
			return err
		}
		return handle.LinkDel(bridge)
	})
	err = errors.Join(err, s.hub.Close()) // its wires end with it
	s.hub = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugs = map[string]*plug{}
	return err
}
