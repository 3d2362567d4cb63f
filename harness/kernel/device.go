//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// aggregations are the kernel's names of what makes a packet on a virtual wire other
// than on a real one (net/ethtool/common.c, netdev_features_strings): longer, or, the
// last, without a checksum, so that a corrupt one would pass for good.
var aggregations = []string{
	"tx-generic-segmentation",
	"tx-tcp-segmentation",
	"tx-tcp-ecn-segmentation",
	"tx-tcp-mangleid-segmentation",
	"tx-tcp6-segmentation",
	"tx-udp-segmentation",
	"tx-gso-list",
	"rx-gro",
	"rx-gro-list",
	"rx-udp-gro-forwarding",
	"tx-checksum-ip-generic",
}

// SetMTU sets the MTU of eth0 in bytes and says what it was.
func (n *Namespace) SetMTU(mtu int) (previous int, err error) {
	err = n.link("set mtu", func(handle *netlink.Handle, link netlink.Link) error {
		previous = link.Attrs().MTU
		if err := handle.LinkSetMTU(link, mtu); err != nil {
			return fmt.Errorf("to %d: %w", mtu, err)
		}
		return nil
	})
	return previous, err
}

// MTU reads the MTU of eth0 in bytes.
func (n *Namespace) MTU() (mtu int, err error) {
	err = n.link("read mtu", func(_ *netlink.Handle, link netlink.Link) error {
		mtu = link.Attrs().MTU
		return nil
	})
	return mtu, err
}

func (n *Namespace) link(what string, do func(*netlink.Handle, netlink.Link) error) error {
	return n.netlink(what, func(handle *netlink.Handle) error {
		link, err := handle.LinkByName(device)
		if err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
		return do(handle, link)
	})
}

func (n *Namespace) netlink(what string, do func(*netlink.Handle) error) error {
	return n.use(what, func(fd int) error {
		handle, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer handle.Close()
		return do(handle)
	})
}

// Offloads reads which of the features are on that make packets other than on
// a wire. Features that the kernel does not know are left out.
func (n *Namespace) Offloads() (map[string]bool, error) {
	states := map[string]bool{}
	err := n.ethtool("read offloads", func(tool *ethtool.Ethtool) error {
		features, err := tool.Features(device)
		if err != nil {
			return err
		}
		for _, name := range aggregations {
			if on, known := features[name]; known {
				states[name] = on
			}
		}
		return nil
	})
	return states, err
}

// setOffloads switches features and makes sure that they are as wished: the
// kernel may accept a wish without a word and not grant it.
func (n *Namespace) setOffloads(wish map[string]bool) error {
	if len(wish) == 0 {
		return nil
	}
	return n.ethtool("switch offloads", func(tool *ethtool.Ethtool) error {
		if err := tool.Change(device, wish); err != nil {
			return err
		}
		now, err := tool.Features(device)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(wish)) {
			if now[name] != wish[name] {
				return fmt.Errorf("%s stays %t", name, now[name])
			}
		}
		return nil
	})
}

// ethtool opens its socket inside; the socket remembers where it was opened.
func (n *Namespace) ethtool(what string, do func(*ethtool.Ethtool) error) error {
	return n.inside(what, func() error {
		tool, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer tool.Close()
		return do(tool)
	})
}

// FlushRoutes makes the namespace forget what it has learned of the paths over eth0,
// their MTU above all, which it would keep for ten minutes (ip_rt_mtu_expires). That
// hangs on the routes: each is replaced by one of another origin, and put back.
func (n *Namespace) FlushRoutes() error {
	return n.link("flush routes", func(handle *netlink.Handle, link netlink.Link) error {
		routes, err := handle.RouteList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, route := range routes {
			passing := route
			passing.Protocol = unix.RTPROT_STATIC
			if route.Protocol == unix.RTPROT_STATIC {
				passing.Protocol = unix.RTPROT_BOOT
			}
			if err := errors.Join(handle.RouteReplace(&passing), handle.RouteReplace(&route)); err != nil {
				return fmt.Errorf("route to %s: %w", route.Dst, err)
			}
		}
		return nil
	})
}
