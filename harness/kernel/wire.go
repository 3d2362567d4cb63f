//go:build linux

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire is eth0 of one namespace while somebody bounds what leaves there: one HTB at its
// root, shared by all owners, with a class for each shape. What no class takes passes
// unlimited. The caller sees to it that one call is made at a time.
type wire struct {
	namespace *Namespace
	// laid says that the queue is there; eth0's own length was former before.
	laid    bool
	former  int
	classes map[uint32]*class
	ways    map[way]*class
	// latest is the number of the class that was entered last.
	latest uint16
	// sorted are the owners whose table is there.
	sorted map[string]bool
}

func newWire(namespace *Namespace) *wire {
	return &wire{namespace: namespace, classes: map[uint32]*class{}, ways: map[way]*class{}, sorted: map[string]bool{}}
}

// enter finds a place for a shape, before anything is changed.
func (w *wire) enter(owner string, index int, shape Shape) error {
	if other := w.ways[shape.way()]; other != nil {
		return fmt.Errorf("%s has a rate already, by owner %q", shape.way(), other.owner)
	}
	if len(w.classes) == mostClasses {
		return fmt.Errorf("%s: there are %d rates already", shape.way(), mostClasses)
	}
	c := &class{owner: owner, index: index, shape: shape}
	for c.handle == 0 || w.classes[c.handle] != nil {
		w.latest = w.latest%mostClasses + 1
		c.handle = netlink.MakeHandle(queueMajor, w.latest)
	}
	w.classes[c.handle], w.ways[shape.way()] = c, c
	return nil
}

// of lists an owner's classes.
func (w *wire) of(owner string) []*class {
	var own []*class
	for _, c := range w.classes {
		if c.owner == owner {
			own = append(own, c)
		}
	}
	slices.SortFunc(own, func(x, y *class) int { return cmp.Compare(x.index, y.index) })
	return own
}

// lay puts an owner's classes in force. What it did before an error clear undoes.
func (w *wire) lay(owner string) error {
	own := w.of(owner)
	// Before the queue, because it is the name of this table that tells whether the
	// owner is ours; without the queue a priority means nothing.
	if err := w.namespace.sortOut(owner, own); err != nil {
		return err
	}
	w.sorted[owner] = true
	return w.namespace.link("shape", func(handle *netlink.Handle, link netlink.Link) error {
		if err := w.layQueue(handle, link); err != nil {
			return err
		}
		for _, c := range own {
			if err := handle.ClassAdd(c.htb(link, c.shape.BytesPerSecond)); err != nil {
				return fmt.Errorf("%s: %w", c.shape.way(), err)
			}
			c.laid = true
			if err := handle.QdiscAdd(c.splitter(link)); err != nil {
				return fmt.Errorf("%s: add queue: %w", c.shape.way(), err)
			}
		}
		return nil
	})
}

// layQueue puts HTB at the root of eth0, if it is not there already.
func (w *wire) layQueue(handle *netlink.Handle, link netlink.Link) error {
	if w.laid {
		return nil
	}
	root, err := rootQueue(handle, link)
	if err != nil {
		return err
	}
	// What the kernel puts there itself has no handle.
	if root != nil && root.Attrs().Handle != 0 {
		return fmt.Errorf("%s has a queue of somebody else's: %s %s", device, root.Type(), netlink.HandleStr(root.Attrs().Handle))
	}
	w.former = link.Attrs().TxQLen
	direct := uint32(queueLength)
	htb := netlink.NewHtb(netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index,
		Handle:    netlink.MakeHandle(queueMajor, 0),
		Parent:    netlink.HANDLE_ROOT,
	})
	htb.DirectQlen = &direct
	if err := handle.QdiscAdd(htb); err != nil {
		return fmt.Errorf("add queue: %w", err)
	}
	w.laid = true
	return nil
}

// clear undoes what lay did for the owner, and what enter did once that is done. A
// namespace that is gone took all with it.
func (w *wire) clear(owner string) error {
	w.drain(owner)
	err := w.unlay(owner)
	if err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	for _, c := range w.of(owner) {
		delete(w.classes, c.handle)
		delete(w.ways, c.shape.way())
	}
	return nil
}

func (w *wire) unlay(owner string) error {
	if w.sorted[owner] {
		if err := w.namespace.removeRules(owner); err != nil {
			return err
		}
		delete(w.sorted, owner)
	}
	if !w.laid {
		return nil
	}
	return w.namespace.link("unshape", func(handle *netlink.Handle, link netlink.Link) error {
		for _, c := range w.of(owner) {
			if !c.laid {
				continue
			}
			if err := handle.ClassDel(c.htb(link, c.shape.BytesPerSecond)); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("%s: %w", c.shape.way(), err)
			}
			c.laid = false
		}
		for _, c := range w.classes {
			if c.laid {
				return nil
			}
		}
		return w.unlayQueue(handle, link)
	})
}

// unlayQueue takes HTB away, and so brings back what the kernel puts there itself.
func (w *wire) unlayQueue(handle *netlink.Handle, link netlink.Link) error {
	err := handle.QdiscDel(&netlink.Htb{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index,
		Handle:    netlink.MakeHandle(queueMajor, 0),
		Parent:    netlink.HANDLE_ROOT,
	}})
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove queue: %w", err)
	}
	// The kernel takes a length of 0, as a veth of Docker's may have, for a mistake, and
	// has made it 1000.
	if err := handle.LinkSetTxQLen(link, w.former); err != nil {
		return fmt.Errorf("restore the queue's length: %w", err)
	}
	w.laid = false
	return nil
}

// drain lets out what waits in the owner's classes: deleting them would drop it, and
// healing be a burst of loss. It tries, and no more: what the class owes for the last
// packet is waited for first, and that can be long on a very slow link.
func (w *wire) drain(owner string) {
	if !w.laid {
		return
	}
	_ = w.namespace.link("drain", func(handle *netlink.Handle, link netlink.Link) error {
		own := map[uint32]bool{}
		for _, c := range w.of(owner) {
			if c.laid && handle.ClassChange(c.htb(link, fastest)) == nil {
				own[c.handle] = true
			}
		}
		deadline, again := time.NewTimer(drainWithin), time.NewTicker(drainEvery)
		defer deadline.Stop()
		defer again.Stop()
		for len(own) > 0 {
			states, err := classStatistics(handle, link)
			if err != nil {
				return err
			}
			for class := range own {
				if states[class] == nil || states[class].Queue.Qlen == 0 {
					delete(own, class)
				}
			}
			select {
			case <-deadline.C:
				return nil
			case <-again.C:
			}
		}
		return nil
	})
}

// flows reads what the owner's classes have carried.
func (w *wire) flows(owner string) ([]Flow, error) {
	var flows []Flow
	err := w.namespace.link("read rates", func(handle *netlink.Handle, link netlink.Link) error {
		states, err := classStatistics(handle, link)
		if err != nil {
			return err
		}
		queues, err := handle.QdiscList(link)
		if err != nil {
			return fmt.Errorf("list queues: %w", err)
		}
		dropped := make(map[uint32]uint32, len(queues))
		for _, queue := range queues {
			// A class counts a packet that TBF has dropped in parts as a whole, or not.
			dropped[queue.Attrs().Parent] = queue.Attrs().Statistics.Queue.Drops
		}
		for _, c := range w.of(owner) {
			state := states[c.handle]
			if state == nil {
				return fmt.Errorf("%s: its rate is gone", c.shape.way())
			}
			flows = append(flows, Flow{
				Node: c.shape.Node, Rate: c.index,
				Packets: uint64(state.Basic.Packets), Bytes: state.Basic.Bytes,
				Delayed: uint64(state.Queue.Overlimits), Dropped: uint64(dropped[c.handle]),
			})
		}
		return nil
	})
	return flows, err
}

func classStatistics(handle *netlink.Handle, link netlink.Link) (map[uint32]*netlink.ClassStatistics, error) {
	classes, err := handle.ClassList(link, netlink.MakeHandle(queueMajor, 0))
	if err != nil {
		return nil, fmt.Errorf("list classes: %w", err)
	}
	states := make(map[uint32]*netlink.ClassStatistics, len(classes))
	for _, c := range classes {
		states[c.Attrs().Handle] = c.Attrs().Statistics
	}
	return states, nil
}
