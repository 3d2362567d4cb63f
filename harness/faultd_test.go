package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/agent/agenttest"
	"github.com/faultbed/faultbed/harness/cluster"
)

// The tests below start real faultds: make engine runs them.

// soon bounds what must happen; generous, for two busy cores.
const soon = 30 * time.Second

// onEngine is an engine, our images, and what to call a session of a test.
func onEngine(t *testing.T) (context.Context, *cluster.Engine, Handoff) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test starts containers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // from an empty build cache
	t.Cleanup(cancel)
	engine, err := cluster.Connect(ctx)
	must(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	images, err := engine.BuildImages(ctx, func(line string) { t.Log(line) })
	must(t, err)
	h := Handoff{ID: "fb-" + randomHex(4), Token: NewToken(), Images: images}
	end, err := startUndertaker(h.ID) // should this test be killed
	must(t, err)
	t.Cleanup(func() { end(true) })
	return ctx, engine, h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withFaultd starts one with these capabilities, and keeps its lease.
func withFaultd(ctx context.Context, t *testing.T, engine *cluster.Engine, h Handoff, caps []string) (faultd, *agent.Client, string) {
	t.Helper()
	f, err := startFaultd(ctx, engine, h, caps)
	t.Cleanup(func() {
		if err := f.remove(ctx, engine); err != nil {
			t.Error(err)
		}
	})
	must(t, err)
	address, err := f.Endpoint(ctx, faultdPort)
	must(t, err)
	client, err := agent.Dial(ctx, address, h.Token)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	lease, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { _ = client.KeepLease(lease) })
	t.Cleanup(func() { stop(); kept.Wait() })
	return f, client, address
}

// idleNode starts a container that does nothing, behind its gate, with a session's label or
// without any.
func idleNode(ctx context.Context, t *testing.T, engine *cluster.Engine, h Handoff, name, session string) string {
	t.Helper()
	spec := cluster.Spec{Name: h.ID + "-" + name, Host: name, Image: h.Images["origin"]}
	if session != "" {
		spec.Labels = map[string]string{cluster.LabelSession: session, cluster.LabelRole: "origin"}
	}
	n, err := engine.Run(ctx, spec)
	if n != nil {
		t.Cleanup(func() {
			if err := engine.RemoveNode(context.WithoutCancel(ctx), n.ID); err != nil {
				t.Error(err)
			}
		})
	}
	must(t, err)
	return n.ID
}

// deeds are things that faultd does to a node, by name.
var deeds = map[string]func(ctx context.Context, c *agent.Client, node string) error{
	"change its MTU": func(ctx context.Context, c *agent.Client, node string) error {
		_, err := c.SetMTU(ctx, node, 1400)
		return err
	},
	"lay rules": func(ctx context.Context, c *agent.Client, node string) error {
		rule := agent.Rule{Node: node, Direction: agent.Upstream, Ports: []uint16{1}, Verdict: agent.Drop}
		return errors.Join(c.AddRules(ctx, "owner", []agent.Rule{rule}), c.RemoveRules(ctx, "owner"))
	},
	"switch its offloads": func(ctx context.Context, c *agent.Client, node string) error {
		return errors.Join(c.Offload(ctx, "owner", []string{node}), c.RestoreOffload(ctx, "owner"))
	},
	"dial inside it": func(ctx context.Context, c *agent.Client, node string) error {
		results, err := c.Probe(ctx, []agent.Probe{{Node: node, Target: netip.MustParseAddrPort("127.0.0.1:1"), Protocol: "tcp"}})
		if err == nil && results[0].Outcome != agent.OutcomeRefused {
			err = errors.New(results[0].Detail)
		}
		return err
	},
	"open its gate": func(ctx context.Context, c *agent.Client, node string) error { return c.OpenGate(ctx, node) },
	"count its descriptors": func(ctx context.Context, c *agent.Client, node string) error {
		_, err := c.Descriptors(ctx, node)
		return err
	},
	"limit its descriptors": func(ctx context.Context, c *agent.Client, node string) error {
		now, err := c.Descriptors(ctx, node)
		if err == nil {
			_, err = c.LimitDescriptors(ctx, node, now.Soft-1)
		}
		return err
	},
	"read its file": func(ctx context.Context, c *agent.Client, node string) error {
		_, _, err := c.HashFile(ctx, node, "/etc/hostname")
		return err
	},
}

// Each capability is there for a reason: without it something fails, with all of them
// nothing does.
func TestFaultdNeedsEachOfItsCapabilities(t *testing.T) {
	ctx, engine, h := onEngine(t)
	for without, fails := range map[string]struct{ deed, says string }{
		"NET_ADMIN":  {"change its MTU", "operation not permitted"},
		"SYS_ADMIN":  {"dial inside it", "enter network namespace: operation not permitted"},
		"SYS_PTRACE": {"count its descriptors", "open network namespace"},
	} {
		t.Run("without "+without, func(t *testing.T) {
			t.Parallel()
			own := h.as(strings.ToLower(strings.ReplaceAll(without, "_", "")))
			caps := slices.DeleteFunc(slices.Clone(faultdCaps), func(c string) bool { return c == without })
			_, client, _ := withFaultd(ctx, t, engine, own, caps)
			err := deeds[fails.deed](ctx, client, idleNode(ctx, t, engine, own, "node", own.ID))
			if err == nil || !strings.Contains(err.Error(), fails.says) || !strings.Contains(err.Error(), "permi") {
				t.Errorf("%s: %v, want %q, not permitted", fails.deed, err, fails.says)
			}
		})
	}
	t.Run("with all", func(t *testing.T) {
		t.Parallel()
		own := h.as("all")
		_, client, _ := withFaultd(ctx, t, engine, own, faultdCaps)
		id := idleNode(ctx, t, engine, own, "node", own.ID)
		for name, deed := range deeds {
			if err := deed(ctx, client, id); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// as is a session of its own within a test.
func (h Handoff) as(name string) Handoff {
	h.ID += "-" + name
	return h
}

// inspected is what the engine knows of a container, as far as it is asked here.
type inspected struct {
	State      struct{ Pid int }
	Config     struct{ Env []string }
	HostConfig struct {
		Privileged      bool
		CapAdd, CapDrop []string
	}
	NetworkSettings struct {
		Ports    map[string][]struct{ HostIp, HostPort string } //nolint:revive // the engine's names
		Networks map[string]struct{ IPAddress string }
	}
}

func inspect(ctx context.Context, t *testing.T, engine *cluster.Engine, id string) (found inspected, text string) {
	t.Helper()
	raw, err := engine.Inspect(ctx, id)
	must(t, err)
	must(t, json.Unmarshal(raw, &found))
	return found, string(raw)
}

// faultd has the capabilities that are listed and no others, is reached on the host's
// loopback only, and keeps its token to itself.
func TestFaultdIsShutIn(t *testing.T) {
	ctx, engine, h := onEngine(t)
	f, client, address := withFaultd(ctx, t, engine, h, faultdCaps)
	found, _ := inspect(ctx, t, engine, f.ID)

	if found.HostConfig.Privileged || !slices.Equal(found.HostConfig.CapDrop, []string{"ALL"}) || len(found.HostConfig.CapAdd) != len(faultdCaps) {
		t.Errorf("privileged %v, capabilities dropped %v and added %v", found.HostConfig.Privileged, found.HostConfig.CapDrop, found.HostConfig.CapAdd)
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", found.State.Pid)); err == nil { // the engine is here
		for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
			if got := capabilities(string(status), set); got != 1<<12|1<<19|1<<21 { // capability.h: SYS_PTRACE 19, SYS_ADMIN 21, NET_ADMIN 12
				t.Errorf("%s is %x, want NET_ADMIN, SYS_PTRACE and SYS_ADMIN", set, got)
			}
		}
	}

	for port, bindings := range found.NetworkSettings.Ports {
		for _, b := range bindings {
			if b.HostIp != "127.0.0.1" {
				t.Errorf("port %s is published on %q", port, b.HostIp)
			}
		}
	}
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	addresses, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().Is4() || prefix.Addr().IsLoopback() {
			continue
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(prefix.Addr().String(), port), soon)
		if err == nil {
			_ = conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s:%s: %v, want a refusal", prefix.Addr(), port, err)
		}
	}

	// Nobody else is on its network: another container finds no way to it.
	neighbour := idleNode(ctx, t, engine, h, "neighbour", h.ID)
	own := found.NetworkSettings.Networks[f.network.Name].IPAddress
	results, err := client.Probe(ctx, []agent.Probe{{
		Node: neighbour, Target: netip.AddrPortFrom(netip.MustParseAddr(own), 50051), Protocol: "tcp", Timeout: time.Second,
	}})
	must(t, err)
	if len(found.NetworkSettings.Networks) != 1 || results[0].Outcome == agent.OutcomeOK || results[0].Outcome == agent.OutcomeError {
		t.Errorf("on networks %v; its neighbour's connection: %+v", found.NetworkSettings.Networks, results[0])
	}

	// Who may ask the engine for faultd's environment is root already. Nobody else is told.
	if !slices.Contains(found.Config.Env, "FAULTBED_TOKEN="+h.Token) {
		t.Error("the token is not where this test looks for it")
	}
	log, err := engine.Logs(ctx, f.ID)
	must(t, err)
	_, known := inspect(ctx, t, engine, neighbour)
	for what, text := range map[string]string{"faultd's log": string(log), "what the engine knows of a node": known} {
		if strings.Contains(text, h.Token) {
			t.Errorf("the token is in %s", what)
		}
	}
}

// capabilities reads a set of them from a process's status.
func capabilities(status, set string) (bits uint64) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, set+":"); ok {
			_, _ = fmt.Sscanf(strings.TrimSpace(value), "%x", &bits)
		}
	}
	return bits
}

// What is no business of the session's is refused, by every call that names a node, and
// nothing is changed there.
func TestFaultdTouchesItsSessionOnly(t *testing.T) {
	ctx, engine, h := onEngine(t)
	f, _, address := withFaultd(ctx, t, engine, h, faultdCaps)
	theirs := h.as("theirs")
	_, their, _ := withFaultd(ctx, t, engine, theirs, faultdCaps)
	foreign := idleNode(ctx, t, engine, h, "foreign", theirs.ID)
	before, err := their.Facts(ctx, foreign)
	must(t, err)

	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	asked := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.Token)
	for what, id := range map[string]string{
		"another session's": foreign,
		"an unlabelled one": idleNode(ctx, t, engine, h, "bare", ""),
		"its own":           f.ID, // in the host's process ids, as process 1 is
		"no container":      "1",
	} {
		answers, err := agenttest.Every(asked, conn, id)
		must(t, err)
		for _, a := range answers {
			probed, isProbe := a.Response.(*agentpb.ProbeResponse)
			switch code := status.Code(a.Err); {
			case !a.Node, code == codes.FailedPrecondition, code == codes.Unimplemented:
			case isProbe && a.Err == nil && probed.GetResults()[0].GetOutcome() == agent.OutcomeError:
			default:
				t.Errorf("%s on %s: %v, want a refusal", a.Method, what, a.Err)
			}
		}
	}
	after, err := their.Facts(ctx, foreign)
	must(t, err)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the foreign container was %+v, is %+v", before, after)
	}
}
