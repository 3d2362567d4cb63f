package dragonfly

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// What a scheduler describes, as far as it is read; numbers of fields do not matter.
var protos = map[string]string{
	"common.proto": `
		syntax = "proto3";
		package common.v2;
		message Build { string git_version = 7; }
		message Host { string id = 1; uint32 type = 9; string hostname = 3; optional Build build = 4; }`,
	"scheduler.proto": `
		syntax = "proto3";
		package scheduler.v2;
		import "google/protobuf/empty.proto";
		import "common.proto";
		message ListHostsResponse { repeated common.v2.Host hosts = 2; }
		service Scheduler { rpc ListHosts(google.protobuf.Empty) returns (ListHostsResponse); }`,
	"old.proto": `
		syntax = "proto3";
		package scheduler.v2;
		import "google/protobuf/empty.proto";
		service Scheduler { rpc LeaveHost(google.protobuf.Empty) returns (google.protobuf.Empty); }`,
	"other.proto": `
		syntax = "proto3";
		package scheduler.v2;
		import "google/protobuf/empty.proto";
		message ListHostsResponse { repeated string names = 1; }
		service Scheduler { rpc ListHosts(google.protobuf.Empty) returns (ListHostsResponse); }`,
}

// schedulerOf serves the service of a file, with reflection, and answers ListHosts with
// text, or with an error if that is not nil.
func schedulerOf(t *testing.T, file, text string, fail error) system.Inside {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(protos),
	})}
	files, err := compiler.Compile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	service := files[0].Services().ByName("Scheduler")
	desc := &grpc.ServiceDesc{ServiceName: string(service.FullName()), HandlerType: (*any)(nil), Metadata: file}
	if method := service.Methods().ByName("ListHosts"); method != nil {
		desc.Methods = []grpc.MethodDesc{{MethodName: "ListHosts", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(&emptypb.Empty{}); err != nil || fail != nil {
				return nil, errors.Join(err, fail)
			}
			answer := dynamicpb.NewMessage(method.Output())
			return answer, prototext.Unmarshal([]byte(text), answer)
		}}}
	}
	server.RegisterService(desc, struct{}{})
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflection.ServerOptions{
		Services: server, DescriptorResolver: files.AsResolver(),
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener) //nolint:errcheck // ends with the test
	t.Cleanup(server.Stop)
	return inside{dial: func(ctx context.Context, node, address string) (net.Conn, error) {
		if node != "supernode-1" || address != "127.0.0.1:8002" {
			return nil, fmt.Errorf("dialled %s of %s", address, node)
		}
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}}
}

// inside is a way into nodes that are not there.
type inside struct {
	get  func(node, url string) ([]byte, error)
	dial func(ctx context.Context, node, address string) (net.Conn, error)
}

func (i inside) Get(_ context.Context, node, url string) ([]byte, error) { return i.get(node, url) }

func (i inside) Dial(ctx context.Context, node, address string) (net.Conn, error) {
	return i.dial(ctx, node, address)
}

func TestMembers(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	topo := topology.Small().Released("v2.2.1", "supernode-1")
	supernode, _ := topo.Node("supernode-1")
	in := schedulerOf(t, "scheduler.proto", `
		hosts { id: "1-seed" type: 1 hostname: "seed-1" build { git_version: "v2.2.1" } }
		hosts { id: "2" hostname: "peer-1" build { git_version: "v2.1.67" } }
		hosts { id: "3" hostname: "peer-2" }`, nil)
	got, err := s.Members(t.Context(), in, supernode)
	want := []system.Member{
		{Name: "seed-1", Release: "v2.2.1", Seed: true, Reachable: true},
		{Name: "peer-1", Release: "v2.1.67", Reachable: true},
		{Name: "peer-2", Reachable: true},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := s.Members(t.Context(), schedulerOf(t, "scheduler.proto", "", nil), supernode); err != nil || len(got) != 0 {
		t.Errorf("of an empty scheduler: %+v, %v", got, err)
	}
}

func TestMembersOfOtherSchedulers(t *testing.T) {
	s := newSystem(t, "v2.2.1", "fast")
	supernode, _ := topology.Small().Node("supernode-1")
	for _, tc := range []struct {
		file string
		fail error
		want string
	}{
		{"old.proto", nil, "no method ListHosts"},
		{"other.proto", nil, "no field hosts"},
		{"scheduler.proto", status.Error(codes.Unimplemented, "method ListHosts not implemented"), "not implemented"},
	} {
		_, err := s.Members(t.Context(), schedulerOf(t, tc.file, "", tc.fail), supernode)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "supernode-1") {
			t.Errorf("%s: %v; want %q", tc.file, err, tc.want)
		}
	}
}

// TestMembersInTime: a scheduler that takes connections and never answers is given up
// when the caller's time is over.
func TestMembersInTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	in := inside{dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	supernode, _ := topology.Small().Node("supernode-1")
	if _, err := newSystem(t, "v2.2.1", "fast").Members(ctx, in, supernode); err == nil {
		t.Error("a silent scheduler has answered")
	}
}

// TestAnnouncing counts daemons by the pace of their announcements.
func TestAnnouncing(t *testing.T) {
	start := time.Now()
	at := func(seconds float64, counts map[string]float64) watch {
		return watch{start.Add(time.Duration(seconds * float64(time.Second))), counts}
	}
	releasesOf := func(members []system.Member) string {
		var all []string
		for _, m := range members {
			all = append(all, m.Release)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	var w watches
	for i := range 10 {
		n := float64(i)
		if got, err := w.members("s", at(n, map[string]float64{"v2.1.0": 3 * n}), time.Second); err == nil {
			t.Fatalf("counted %v after %d s", got, i)
		}
	}
	got, err := w.members("s", at(10.2, map[string]float64{"v2.1.0": 32, "v2.2.1": 9}), time.Second)
	if err != nil || releasesOf(got) != "v2.1.0 v2.1.0 v2.1.0 v2.2.1" {
		t.Errorf("after 10 s: %v, %v; want three of v2.1.0 and one of v2.2.1", got, err)
	}
	// One of them falls silent; ten seconds later it is no longer counted.
	for i := 11; i <= 21; i++ {
		got, err = w.members("s", at(float64(i)+0.2, map[string]float64{"v2.1.0": 32 + 2*float64(i-10), "v2.2.1": float64(i - 1)}), time.Second)
	}
	if err != nil || releasesOf(got) != "v2.1.0 v2.1.0 v2.2.1" {
		t.Errorf("with one silent: %v, %v; want two of v2.1.0 and one of v2.2.1", got, err)
	}
	if got, err := w.members("s", at(22, map[string]float64{"v2.1.0": 1}), time.Second); err == nil {
		t.Errorf("right after a restart: %v", got)
	}
}
