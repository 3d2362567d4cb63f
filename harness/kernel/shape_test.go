//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// slow is a rate, in bytes per second, at which a megabyte takes two seconds.
	slow = 500_000
	// window is how long a rate is measured.
	window = 500 * time.Millisecond
)

func shapeUp(l *lab, k *link, rate uint64) Shape {
	return Shape{Node: "a", Namespace: l.a, Direction: Upstream, Original: k.server, BytesPerSecond: rate}
}

func shapeDown(l *lab, k *link, rate uint64) Shape {
	return Shape{Node: "t", Namespace: l.t, Direction: Downstream, Port: k.listener.Port(), BytesPerSecond: rate}
}

// twoPipes is a bed with two links for much to one server, whose packets are as long as
// on a wire.
func twoPipes(t *testing.T) (l *lab, k, sibling *link) {
	t.Helper()
	l = newLab(t)
	l.bulk(65002)
	l.bulk(65003)
	k, sibling = l.link(65002, 20001), l.link(65003, 20002)
	l.steer(k, sibling)
	must(t, new(Offloads).Disable("test", []*Namespace{l.a, l.t, l.b}))
	return l, k, sibling
}

// flow is what the owner's one shape has let pass.
func flow(t *testing.T, shapes *Shapes, owner string) Flow {
	t.Helper()
	flows, err := shapes.Flows(owner)
	must(t, err)
	if len(flows) != 1 {
		t.Fatalf("flows of %s: %+v, want one", owner, flows)
	}
	return flows[0]
}

// state is what a shape may leave behind on eth0.
type state struct {
	queue  string
	length int
	tables int
}

func stateOf(t *testing.T, n *Namespace) (s state) {
	t.Helper()
	var err error
	s.queue, err = n.Queue()
	must(t, err)
	tables, err := n.Tables()
	must(t, err)
	s.tables = len(tables)
	must(t, n.link("read length", func(_ *netlink.Handle, link netlink.Link) error {
		s.length = link.Attrs().TxQLen
		return nil
	}))
	return s
}

func TestRateHoldsForItsDirectionOfItsLinkOnly(t *testing.T) {
	for name, side := range map[string]struct {
		shape           func(*lab, *link, uint64) Shape
		bounded, spared func(*lab, *link, int, time.Duration) error
	}{
		"upstream":   {shapeUp, (*lab).upload, (*lab).download},
		"downstream": {shapeDown, (*lab).download, (*lab).upload},
	} {
		t.Run(name, func(t *testing.T) {
			l, k, sibling := twoPipes(t)
			shape := side.shape(l, k, slow)
			before := stateOf(t, shape.Namespace)
			var shapes Shapes
			must(t, shapes.Add("slow", []Shape{shape}))

			// What the machine is busy with only ever makes it slower.
			started := time.Now()
			done := make(chan error, 1)
			go func() { done <- side.bounded(l, k, megabyte, soon) }()
			eventually(t, "the link is full", func() bool { return flow(t, &shapes, "slow").Delayed > 0 })
			must(t, side.bounded(l, sibling, megabyte, soon))
			select {
			case err := <-done:
				t.Errorf("the sibling of a slow link was no faster than that (%v)", err)
				done <- err
			default:
			}
			atLeast, atMost := measure(t, &shapes, 2*window)
			if atLeast > 1.1*slow || atMost < 0.9*slow {
				t.Errorf("in its best %s the link carried %.0f to %.0f bytes per second; want %d and 10%%", window, atLeast, atMost, slow)
			}
			must(t, <-done)
			took := time.Since(started)
			if all := megabyte / took.Seconds(); all > 1.1*slow {
				t.Errorf("1 MB took %s, that is %.0f bytes per second", took, all)
			}
			t.Logf("%d bytes per second asked for, %.0f to %.0f in the best %s; 1 MB took %s", slow, atLeast, atMost, window, took)

			full := flow(t, &shapes, "slow")
			if full.Node != shape.Node || full.Rate != 0 || full.Bytes < megabyte || full.Bytes > 5*megabyte/4 ||
				full.Packets < full.Bytes/frame || full.Dropped != 0 {
				t.Errorf("flow %+v, want little more than 1 MB on node %s and nothing dropped", full, shape.Node)
			}
			// The other way only acknowledgements are bounded.
			must(t, side.spared(l, k, megabyte, soon))
			if now := flow(t, &shapes, "slow"); now.Bytes-full.Bytes > megabyte/4 {
				t.Errorf("%d bytes of a megabyte the other way were bounded", now.Bytes-full.Bytes)
			}

			must(t, shapes.Remove("slow"))
			must(t, shapes.Remove("slow"))
			if after := stateOf(t, shape.Namespace); after != before || after.queue != "noqueue" {
				t.Errorf("healed: %+v, want %+v as before", after, before)
			}
			if flows, err := shapes.Flows("slow"); err != nil || len(flows) != 0 {
				t.Errorf("an owner without rates let pass %+v, %v", flows, err)
			}
			started = time.Now()
			must(t, side.bounded(l, k, megabyte, soon))
			if took := time.Since(started); took > 3*time.Second/2 {
				t.Errorf("healed, but 1 MB took %s", took)
			}
		})
	}
}

// measure reads a full link's counter again and again, and says how fast it was in the
// fastest window, once at least and once at most: the counter is read some time between
// two readings of the clock.
func measure(t *testing.T, shapes *Shapes, long time.Duration) (atLeast, atMost float64) {
	t.Helper()
	type reading struct {
		before, after time.Time
		bytes         uint64
	}
	var readings []reading
	again := time.NewTicker(window / 20)
	defer again.Stop()
	for started := time.Now(); time.Since(started) < long; <-again.C {
		before := time.Now()
		bytes := flow(t, shapes, "slow").Bytes
		readings = append(readings, reading{before, time.Now(), bytes})
		for _, earlier := range readings {
			bytes := float64(bytes - earlier.bytes)
			if inner := before.Sub(earlier.after); inner >= window {
				atMost = max(atMost, bytes/inner.Seconds())
				atLeast = max(atLeast, bytes/time.Since(earlier.before).Seconds())
			}
		}
	}
	return atLeast, atMost
}

func TestHealingLetsWhatWaitsGo(t *testing.T) {
	l, k, _ := twoPipes(t)
	var shapes Shapes
	must(t, shapes.Add("slow", []Shape{shapeUp(l, k, slow/10)}))
	conn := l.dial(k)
	_, err := conn.Write([]byte{'u', 4, 0, 0})
	must(t, err)
	_, err = conn.Write(make([]byte, 4<<16))
	must(t, err)
	eventually(t, "the link is full", func() bool { return flow(t, &shapes, "slow").Delayed > 2 })
	must(t, shapes.Remove("slow"))
	must(t, hears(conn, "\x01", soon))
	raw, err := conn.SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	must(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	must(t, err)
	if info.Total_retrans > 10 { // 34 if what waits is dropped, 0 as a rule
		t.Errorf("%d packets were sent again, want none of those that waited", info.Total_retrans)
	}
}

func TestRatesOfOwnersCompose(t *testing.T) {
	l, k, sibling := twoPipes(t)
	before := stateOf(t, l.a)
	var shapes Shapes
	must(t, shapes.Add("one", []Shape{shapeUp(l, k, slow)}))
	must(t, shapes.Add("two", []Shape{shapeUp(l, sibling, slow), shapeDown(l, sibling, 2*slow)}))
	for _, refused := range []struct {
		owner string
		shape Shape
		want  error
	}{{"one", shapeDown(l, k, slow), ErrOwnerExists}, {"three", shapeUp(l, k, 2*slow), nil}} {
		if err := shapes.Add(refused.owner, []Shape{shapeDown(l, k, slow), refused.shape}); err == nil || refused.want != nil && !errors.Is(err, refused.want) {
			t.Errorf("owner %s: added %+v: %v", refused.owner, refused.shape, err)
		}
	}
	must(t, l.upload(k, megabyte/8, soon))
	must(t, l.upload(sibling, megabyte/8, soon))
	if one := flow(t, &shapes, "one"); one.Bytes < megabyte/8 || one.Delayed == 0 {
		t.Errorf("flow %+v, want an eighth of a megabyte, and some of it late", one)
	}
	must(t, shapes.Remove("one"))

	// The other's goes on, with all that it has counted.
	flows, err := shapes.Flows("two")
	must(t, err)
	if len(flows) != 2 || flows[0].Rate != 0 || flows[1].Rate != 1 || flows[0].Bytes < megabyte/8 || flows[1].Packets == 0 {
		t.Errorf("flows %+v, want an eighth of a megabyte and its acknowledgements", flows)
	}
	started := time.Now()
	must(t, l.upload(sibling, megabyte/4, soon))
	if took := time.Since(started); took < 400*time.Millisecond {
		t.Errorf("a quarter of a megabyte took %s after another owner has left", took)
	}
	started = time.Now()
	must(t, l.upload(k, megabyte, soon))
	if took := time.Since(started); took > 3*time.Second/2 {
		t.Errorf("healed, but 1 MB took %s", took)
	}
	must(t, shapes.Remove("two"))
	if after := stateOf(t, l.a); after != before {
		t.Errorf("healed: %+v, want %+v as before", after, before)
	}
}

func TestRateAndDropCompose(t *testing.T) {
	l, k, sibling := twoPipes(t)
	var shapes Shapes
	var book Rulebook
	must(t, shapes.Add("slow", []Shape{shapeUp(l, k, slow), shapeDown(l, k, slow)}))
	must(t, book.Add("cut", []Placement{upstream(l, Drop, sibling), downstream(l, Drop, sibling)}))
	l.wantTCP(sibling, TimedOut)
	must(t, l.upload(k, megabyte/8, soon))
	must(t, shapes.Remove("slow"))
	l.wantTCP(sibling, TimedOut)
	must(t, shapes.Add("slow", []Shape{shapeUp(l, k, slow)}))
	must(t, book.Remove("cut"))
	l.wantTCP(sibling, OK)
	must(t, l.upload(k, megabyte/8, soon))
	if got := flow(t, &shapes, "slow"); got.Bytes < megabyte/8 || got.Delayed == 0 {
		t.Errorf("flow %+v, want an eighth of a megabyte, and some of it late", got)
	}
}

func TestPartialShapeLeavesNothing(t *testing.T) {
	l, k, sibling := twoPipes(t)
	before, beforeT := stateOf(t, l.a), stateOf(t, l.t)
	gone := Attach("gone", newNamespace(t))
	gone.Close()
	var shapes Shapes
	late := Shape{Namespace: gone, Direction: Downstream, Port: 1, BytesPerSecond: slow}
	if err := shapes.Add("slow", []Shape{shapeUp(l, k, slow), shapeDown(l, k, slow), late}); !errors.Is(err, ErrGone) {
		t.Errorf("add: %v, want ErrGone", err)
	}
	invalid := shapeDown(l, sibling, 0)
	if err := shapes.Add("slow", []Shape{shapeUp(l, k, slow), invalid}); err == nil {
		t.Error("no bytes per second were accepted")
	}
	// Another's table of this name stays; found when A may be bounded already.
	var theirs Rulebook
	must(t, theirs.Add("slow", []Placement{upstream(l, Drop, sibling)}))
	if err := shapes.Add("slow", []Shape{shapeUp(l, k, slow), shapeDown(l, k, slow)}); !errors.Is(err, unix.EEXIST) {
		t.Errorf("add: %v, want EEXIST", err)
	}
	l.wantTCP(sibling, TimedOut)
	must(t, theirs.Remove("slow"))

	// And another's queue, found when the table is there already.
	tbf := &netlink.Tbf{QdiscAttrs: netlink.QdiscAttrs{Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}, Rate: 1 << 30, Limit: 1 << 20, Buffer: 1 << 20}
	must(t, l.t.link("test", func(handle *netlink.Handle, link netlink.Link) error {
		tbf.LinkIndex = link.Attrs().Index
		return handle.QdiscAdd(tbf)
	}))
	if err := shapes.Add("slow", []Shape{shapeUp(l, k, slow), shapeDown(l, k, slow)}); err == nil || !strings.Contains(err.Error(), "node t: shape: eth0 has a queue of somebody else's: tbf 1:0") {
		t.Errorf("where another's queue is: %v, want a refusal", err)
	}
	if now, err := l.t.Queue(); err != nil || now != "tbf" {
		t.Errorf("queue %s (%v), want tbf still", now, err)
	}
	must(t, l.t.link("test", func(handle *netlink.Handle, _ netlink.Link) error { return handle.QdiscDel(tbf) }))
	must(t, l.t.link("test", func(handle *netlink.Handle, link netlink.Link) error {
		return handle.LinkSetTxQLen(link, beforeT.length)
	}))

	if after, afterT := stateOf(t, l.a), stateOf(t, l.t); after != before || afterT != beforeT {
		t.Errorf("left behind: %+v and %+v, want %+v and %+v as before", after, afterT, before, beforeT)
	}
	must(t, shapes.Add("slow", []Shape{shapeUp(l, k, slow), shapeDown(l, k, slow)}))
	l.t.Close()
	if left := flow(t, &shapes, "slow"); left.Rate != 0 {
		t.Errorf("flow %+v, want that of rate 0 only", left)
	}
	must(t, shapes.Remove("slow"))
	if after := stateOf(t, l.a); after != before {
		t.Errorf("left behind: %+v, want %+v as before", after, before)
	}
}

func TestInvalidShapesAreRefused(t *testing.T) {
	server := netip.AddrPortFrom(addressB, 1)
	for name, shape := range map[string]Shape{
		"no direction":    {Port: 1, BytesPerSecond: slow},
		"no port":         {Direction: Downstream, BytesPerSecond: slow},
		"no original":     {Direction: Upstream, BytesPerSecond: slow},
		"wrong side up":   {Direction: Upstream, Original: server, Port: 1, BytesPerSecond: slow},
		"wrong side down": {Direction: Downstream, Original: server, Port: 1, BytesPerSecond: slow},
		"ipv6":            {Direction: Upstream, Original: netip.MustParseAddrPort("[::1]:1"), BytesPerSecond: slow},
		"no rate":         {Direction: Downstream, Port: 1},
		"too slow":        {Direction: Downstream, Port: 1, BytesPerSecond: slowest - 1},
		"too fast":        {Direction: Downstream, Port: 1, BytesPerSecond: 1 << 32},
	} {
		if shape.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := new(Shapes).Add("Upper", nil); err == nil {
		t.Error("owner Upper: accepted")
	}
}
