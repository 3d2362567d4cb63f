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

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/agent/agentpb"
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

	// Each call, the stream too, and without any token.
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	for _, method := range agentpb.Agent_ServiceDesc.Methods {
		err := conn.Invoke(t.Context(), "/"+agentpb.Agent_ServiceDesc.ServiceName+"/"+method.MethodName, &agentpb.HelloRequest{}, &agentpb.HelloResponse{})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s without token: %v", method.MethodName, err)
		}
	}
	stream, err := agentpb.NewAgentClient(conn).Renew(t.Context())
	must(t, err)
	if err := stream.RecvMsg(&agentpb.RenewResponse{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("Renew without token: %v", err)
	}
	dial(t, address)
}

func TestForeignContainersAreRefused(t *testing.T) {
	engine := &fakeEngine{containers: map[string]container{
		"foreign": {ID: "foreign", Name: "somebody", Session: "session-2", Running: true, PID: os.Getpid()},
		"bare":    {ID: "bare", Name: "nobody", Running: true, PID: os.Getpid()},
		"exited":  {ID: "exited", Name: "late", Session: mine},
		"host":    {ID: "host", Name: "close", Session: mine, Running: true, PID: os.Getpid(), HostNetwork: true},
	}}
	client := dial(t, serve(t, engine, newLease(time.Hour, time.Hour)))
	for id, want := range map[string]string{
		"foreign": "somebody", "bare": "nobody", "exited": "does not run", "host": "host's network", "absent": "no such container", "": "without id",
	} {
		rules := []agent.Rule{{Node: id, Direction: agent.Upstream, Ports: []uint16{1}, Verdict: agent.Drop}}
		_, mtuErr := client.SetMTU(t.Context(), id, 1200)
		for name, err := range map[string]error{
			"steer":       client.Steer(t.Context(), id, agent.Steering{}),
			"add rules":   client.AddRules(t.Context(), "owner", rules),
			"offload":     client.Offload(t.Context(), "owner", []string{id}),
			"spoof names": client.SpoofNames(t.Context(), "owner", []string{id}, agent.Spoof{Answer: agent.AnswerSilence}),
			"set mtu":     mtuErr,
		} {
			if !errors.Is(err, agent.ErrNodeGone) || !strings.HasPrefix(err.Error(), "kernel: node ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s on %q: %v, want a refusal that says %q", name, id, err, want)
			}
		}
		results, err := client.Probe(t.Context(), []agent.Probe{{Node: id, Protocol: "tcp"}})
		if err == nil && results[0].Outcome != agent.OutcomeError {
			t.Errorf("probe on %q: %+v", id, results[0])
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
