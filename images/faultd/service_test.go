//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
)

// The whole way from package agent through the server into a kernel and back.
// Package kernel's own tests show that what is done there bites.
func TestRoundTrip(t *testing.T) {
	process := startNode(t)
	const id = "0123456789abcdef"
	engine := &fakeEngine{containers: map[string]container{
		id: {ID: id, Name: "peer-1", Session: mine, Running: true, PID: process.Pid},
	}}
	client := dial(t, serve(t, engine, newLease(time.Hour, time.Hour)))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	server, listener := netip.MustParseAddrPort("10.9.0.3:8002"), netip.MustParseAddrPort("10.9.0.2:20001")

	must(t, client.OpenGate(ctx, id))
	must(t, client.Steer(ctx, id, agent.Steering{
		Routes: map[netip.AddrPort]netip.AddrPort{server: listener},
		Nodes:  []netip.Addr{server.Addr()},
	}))
	if packets, err := client.Bypass(ctx, id); err != nil || packets != 0 {
		t.Errorf("bypass %d, %v", packets, err)
	}

	// The same container by its short id is the same node.
	rules := []agent.Rule{
		{Node: id, Direction: agent.Upstream, Ports: []uint16{20001}, Verdict: agent.Reset},
		{Node: id[:12], Direction: agent.Downstream, Originals: []netip.AddrPort{server}, LongerThan: 1200, Verdict: agent.Drop},
	}
	must(t, client.AddRules(ctx, "fault", rules))
	if err := client.AddRules(ctx, "fault", rules); !errors.Is(err, agent.ErrExists) {
		t.Errorf("the same owner twice: %v, want ErrExists", err)
	}
	counts, err := client.Counters(ctx, "fault")
	must(t, err)
	if want := []agent.Count{{Node: id, Rule: 0}, {Node: id[:12], Rule: 1}}; !slices.Equal(counts, want) {
		t.Errorf("counters %+v, want %+v", counts, want)
	}
	must(t, client.RemoveRules(ctx, "fault"))
	must(t, client.RemoveRules(ctx, "fault"))
	if err := client.AddRules(ctx, "fault", []agent.Rule{{Node: id}}); err == nil {
		t.Error("a rule without anything was accepted")
	}

	descriptors, err := client.Descriptors(ctx, id)
	must(t, err)
	if descriptors.Open == 0 || descriptors.Open != uint64(len(descriptors.Numbers)) {
		t.Errorf("descriptors %+v", descriptors)
	}
	previous, err := client.LimitDescriptors(ctx, id, descriptors.Soft-1)
	must(t, err)
	if now, err := client.Descriptors(ctx, id); err != nil || previous != descriptors.Soft || now.Soft != previous-1 || now.Hard != descriptors.Hard {
		t.Errorf("descriptors %+v (%v), limit was %d", now, err, previous)
	}

	results, err := client.Probe(ctx, []agent.Probe{
		{Node: id, Target: server, Protocol: "tcp"},
		{Node: "absent", Target: server, Protocol: "tcp"},
	})
	must(t, err)
	if results[0].Outcome != agent.OutcomeUnreachable || results[0].Total <= 0 || results[1].Outcome != agent.OutcomeError {
		t.Errorf("probes %+v, want unreachable and error", results)
	}
	if _, _, err := client.Fetch(ctx, id, "http://127.0.0.1:1/"); err == nil {
		t.Error("fetched from nobody")
	}
	if _, err := client.DialNode(ctx, "absent", "127.0.0.1:1"); !errors.Is(err, agent.ErrNodeGone) {
		t.Errorf("dialled inside nobody: %v", err)
	}

	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte("x"), 0o600))
	if sum, size, err := client.HashFile(ctx, id, path); err != nil || size != 1 || len(sum) != 64 {
		t.Errorf("hash %q, %d, %v", sum, size, err)
	}
	if _, _, err := client.HashFile(ctx, id, path+"x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want ErrNotExist", err)
	}
	if can, err := client.Capabilities(ctx, id); err != nil || can["nft-dnat-map"] != "yes" {
		t.Errorf("capabilities %v, %v", can, err)
	}

	// No eth0 here.
	if _, err := client.SetMTU(ctx, id, 1200); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("set mtu: %v", err)
	}
	if err := client.Offload(ctx, "fault", []string{id}); err == nil {
		t.Error("offloads of no interface")
	}
	must(t, client.RestoreOffload(ctx, "fault"))
	if _, err := client.Facts(ctx, id); err == nil {
		t.Error("facts of no interface")
	}
}

func TestNodesAreAskedForAgainWhenTheyRestart(t *testing.T) {
	first, second := startNode(t), startNode(t)
	engine := &fakeEngine{containers: map[string]container{"node": {ID: "node", Name: "peer-1", Session: mine, Running: true, PID: first.Pid}}}
	nodes := newNodes(engine, mine)
	before, err := nodes.Find(t.Context(), "node")
	must(t, err)
	if again, err := nodes.Find(t.Context(), "node"); err != nil || again != before || engine.inspected != 1 {
		t.Errorf("found %p then %p (%v), asked the engine %d times; want one", before, again, err, engine.inspected)
	}

	must(t, first.Kill())
	select {
	case <-before.Gone():
	case <-time.After(soon):
		t.Fatal("the namespace of a dead process is kept")
	}
	engine.containers["node"] = container{ID: "node", Name: "peer-1", Session: mine, Running: true, PID: second.Pid}
	after, err := nodes.Find(t.Context(), "node")
	must(t, err)
	if after == before || !after.Alive() {
		t.Error("the restarted node is the old one")
	}
}
