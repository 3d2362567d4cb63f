//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// addInterface gives a process's namespace an eth0 that is up, one end of a veth pair.
func addInterface(t *testing.T, process *os.Process) {
	t.Helper()
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process.Pid))
	must(t, err)
	defer namespace.Close() //nolint:errcheck // only read
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: int(namespace.Fd())})
	must(t, err)
	defer conn.Close() //nolint:errcheck // the answer is here
	attributes := netlink.NewAttributeEncoder()
	attributes.String(unix.IFLA_IFNAME, "eth0")
	attributes.Nested(unix.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
		info.String(unix.IFLA_INFO_KIND, "veth")
		return nil
	})
	encoded, err := attributes.Encode()
	must(t, err)
	info := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(info[8:], unix.IFF_UP)  // ifi_flags
	binary.NativeEndian.PutUint32(info[12:], unix.IFF_UP) // ifi_change
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_NEWLINK, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl},
		Data:   append(info, encoded...),
	})
	must(t, err)
}

func TestShapeRoundTrip(t *testing.T) {
	process := startNode(t)
	addInterface(t, process)
	const id = "0123456789abcdef"
	engine := &fakeEngine{containers: map[string]container{
		id: {ID: id, Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	client := dial(t, serve(t, engine, newLease(time.Hour, time.Hour)))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	before, err := client.Facts(ctx, id)
	must(t, err)
	if before.Queue != "noqueue" {
		t.Errorf("queue %q of a fresh interface", before.Queue)
	}

	rates := []agent.Rate{
		{Node: id, Direction: agent.Upstream, Original: netip.MustParseAddrPort("10.9.0.3:8002"), BytesPerSecond: 500_000},
		{Node: id[:12], Direction: agent.Downstream, Port: 20001, BytesPerSecond: 1_000_000},
	}
	must(t, client.Shape(ctx, "slow", rates))
	if err := client.Shape(ctx, "slow", rates); !errors.Is(err, agent.ErrExists) {
		t.Errorf("the same owner twice: %v, want ErrExists", err)
	}
	flows, err := client.Shaped(ctx, "slow")
	must(t, err)
	if want := []agent.Flow{{Node: id, Rate: 0}, {Node: id[:12], Rate: 1}}; !slices.Equal(flows, want) {
		t.Errorf("flows %+v, want %+v", flows, want)
	}
	during, err := client.Facts(ctx, id)
	must(t, err)
	if during.Queue != "htb" || !slices.Equal(during.Tables, []string{"ip fb-slow"}) {
		t.Errorf("facts under a rate: %+v, want htb and a table", during)
	}

	must(t, client.Unshape(ctx, "slow"))
	must(t, client.Unshape(ctx, "slow"))
	if after, err := client.Facts(ctx, id); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("facts %+v, %v; want %+v as before", after, err, before)
	}
	if flows, err := client.Shaped(ctx, "slow"); err != nil || len(flows) != 0 {
		t.Errorf("no rates, but flows %+v, %v", flows, err)
	}
	if err := client.Shape(ctx, "slow", []agent.Rate{{Node: "absent", Direction: agent.Downstream, Port: 1, BytesPerSecond: 500}}); !errors.Is(err, agent.ErrNodeGone) {
		t.Errorf("a rate on nobody: %v, want ErrNodeGone", err)
	}
}

func TestSenselessRequestsAreInvalid(t *testing.T) {
	process := startNode(t)
	engine := &fakeEngine{containers: map[string]container{
		"node": {ID: "node", Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	s := &service{nodes: newNodes(engine, mine)}
	shape := func(owner string, rate *agentpb.Rate) error {
		rate.Node = "node"
		_, err := s.Shape(t.Context(), &agentpb.ShapeRequest{Owner: owner, Rates: []*agentpb.Rate{rate}})
		return err
	}
	hog := func(owner, target string, connections int32) error {
		_, err := s.Hog(t.Context(), &agentpb.HogRequest{Owner: owner, Node: "node", Target: target, Connections: connections})
		return err
	}
	fill := func(owner string, spare uint64) error {
		_, err := s.Fill(t.Context(), &agentpb.FillRequest{Owner: owner, Node: "node", Folder: "/proc", Spare: spare})
		return err
	}
	down := agentpb.Direction_DIRECTION_DOWNSTREAM
	for name, err := range map[string]error{
		"rate of owner Upper":   shape("Upper", &agentpb.Rate{Direction: down, Port: 1, BytesPerSecond: 500}),
		"rate for no direction": shape("slow", &agentpb.Rate{Port: 1, BytesPerSecond: 500}),
		"rate for port 65537":   shape("slow", &agentpb.Rate{Direction: down, Port: 1<<16 + 1, BytesPerSecond: 500}),
		"rate for no address":   shape("slow", &agentpb.Rate{Direction: agentpb.Direction_DIRECTION_UPSTREAM, Original: "peer-1:80", BytesPerSecond: 500}),
		"no rate":               shape("slow", &agentpb.Rate{Direction: down, Port: 1}),
		"hog of owner Upper":    hog("Upper", "127.0.0.1:1", 1),
		"hog of a name":         hog("hog", "peer-1:80", 1),
		"hog of no connections": hog("hog", "127.0.0.1:1", 0),
		"fill of owner Upper":   fill("Upper", 0),
		"fill of less than is":  fill("full", 1),
	} {
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want InvalidArgument", name, err)
		}
	}
}
