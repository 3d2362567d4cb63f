//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	engineapi "github.com/moby/moby/api/types/container"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/agent/agentpb"
	"github.com/faultbed/faultbed/harness/agent/agenttest"
)

func TestCallsWithoutTheTokenAreRefused(t *testing.T) {
	address := serve(t, &fakeEngine{}, newLease(time.Hour, time.Hour))
	for _, wrong := range []string{"", "another", token + "x", token[:len(token)-1]} {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		if _, err := agent.Dial(ctx, address, wrong); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("token %q: %v, want ErrPermission", wrong, err)
		}
		cancel()
	}

	// Each call, streams too, without any token or with another's.
	for what, header := range map[string][]string{
		"no token": nil, "another's token": {"authorization", "Bearer another"}, "a bare token": {"authorization", token},
		"two tokens": {"authorization", "Bearer " + token, "authorization", "Bearer another"},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), header...)
		for _, answer := range every(ctx, t, bare(t, address), "any") {
			if status.Code(answer.Err) != codes.Unauthenticated {
				t.Errorf("%s with %s: %v", answer.Method, what, answer.Err)
			}
		}
	}
	dial(t, address)
}

// bare connects without a token.
func bare(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func every(ctx context.Context, t *testing.T, conn *grpc.ClientConn, node string) []agenttest.Answer {
	t.Helper()
	answers, err := agenttest.Every(ctx, conn, node)
	must(t, err)
	if methods := len(agentpb.Agent_ServiceDesc.Methods) + len(agentpb.Agent_ServiceDesc.Streams); len(answers) != methods {
		t.Fatalf("%d calls were made, faultd knows %d", len(answers), methods)
	}
	return answers
}

// Every call that names a node refuses one that is no business of the session's.
func TestForeignContainersAreRefused(t *testing.T) {
	engine := &fakeEngine{containers: map[string]container{
		"foreign": {ID: "foreign", Name: "somebody", Session: "session-2", Running: true, PID: os.Getpid()},
		"bare":    {ID: "bare", Name: "nobody", Running: true, PID: os.Getpid()},
		"exited":  {ID: "exited", Name: "late", Session: mine},
		"host":    {ID: "host", Name: "close", Session: mine, Running: true, PID: os.Getpid(), Shared: true},
		"first":   {ID: "first", Name: "init", Session: mine, Running: true, PID: 1},
		"itself":  {ID: "itself", Name: "faultd", Session: mine, Running: true, PID: os.Getpid()},
	}}
	address := serve(t, engine, newLease(time.Hour, time.Hour))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	conn := bare(t, address)
	for id, want := range map[string]string{
		"foreign": "somebody", "bare": "nobody", "exited": "does not run", "host": "network of others", "absent": "no such container", "": "without id",
		"first": "init", "itself": "host's network",
	} {
		asked := 0
		for _, answer := range every(ctx, t, conn, id) {
			if !answer.Node {
				continue
			}
			asked++
			code, says := status.Code(answer.Err), status.Convert(answer.Err).Message()
			if probed, ok := answer.Response.(*agentpb.ProbeResponse); ok && answer.Err == nil { // a result like others
				if result := probed.GetResults()[0]; result.GetOutcome() == agent.OutcomeError {
					code, says = codes.FailedPrecondition, result.GetDetail()
				}
			}
			switch {
			case id == "first" && answer.Err != nil: // whoever may not even look at process 1 says so
			case code != codes.FailedPrecondition || !strings.HasPrefix(says, "node ") || !strings.Contains(says, want):
				t.Errorf("%s on %q: %v (%s), want a refusal that says %q", answer.Method, id, code, says, want)
			}
		}
		if asked < 12 {
			t.Errorf("%d calls name a node, there must be more", asked)
		}
	}
	// The harness knows such a refusal when it sees one.
	if err := dial(t, address).OpenGate(t.Context(), "foreign"); !errors.Is(err, agent.ErrNodeGone) {
		t.Errorf("open the gate of a foreign container: %v, want ErrNodeGone", err)
	}
}

// Whoever has no network of its own is told from whoever has.
func TestSharedNetworksAreSeen(t *testing.T) {
	for mode, shared := range map[engineapi.NetworkMode]bool{
		"default": false, "bridge": false, "a-bed": false, "none": false, "host": true, "container:0123": true,
	} {
		if got := describe(engineapi.InspectResponse{HostConfig: &engineapi.HostConfig{NetworkMode: mode}}); got.Shared != shared {
			t.Errorf("network mode %s is taken for shared: %v", mode, got.Shared)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := map[string]string{"FAULTBED_SESSION": "s", "FAULTBED_TOKEN": "t", "FAULTBED_LEASE": "5s"}
	if got, err := readConfig(func(name string) string { return good[name] }); err != nil || got.lease != 5*time.Second {
		t.Errorf("%+v, %v", got, err)
	}
	for name, value := range map[string]string{"FAULTBED_SESSION": "", "FAULTBED_TOKEN": "", "FAULTBED_LEASE": "-1s"} {
		_, err := readConfig(func(asked string) string {
			if asked == name {
				return value
			}
			return good[asked]
		})
		if err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s=%q: %v, want an error about it", name, value, err)
		}
	}
}

func TestFindSelf(t *testing.T) {
	engine := &fakeEngine{containers: map[string]container{
		"peer": {ID: "peer", Session: mine, PID: 1},
		"self": {ID: "self", Session: mine, PID: os.Getpid()},
	}}
	if id, err := findSelf(t.Context(), engine, mine); err != nil || id != "self" {
		t.Errorf("found %q, %v", id, err)
	}
	delete(engine.containers, "self")
	if id, err := findSelf(t.Context(), engine, mine); err == nil || !strings.Contains(err.Error(), "--pid=host") {
		t.Errorf("found %q, %v; want advice", id, err)
	}
}
