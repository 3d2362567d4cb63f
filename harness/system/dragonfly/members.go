package dragonfly

import (
	"context"
	"fmt"
	"net"

	"github.com/jhump/protoreflect/v2/grpcdynamic"
	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Members implements system.System.
func (s *System) Members(ctx context.Context, in system.Inside, supernode topology.Node) ([]system.Member, error) {
	r, err := s.release(supernode)
	if err != nil {
		return nil, err
	}
	if !r.listHosts {
		return s.announcing(ctx, in, supernode)
	}
	members, err := listHosts(ctx, func(ctx context.Context, _ string) (net.Conn, error) {
		return in.Dial(ctx, supernode.Name, fmt.Sprintf("127.0.0.1:%d", SchedulerPort))
	})
	if err != nil {
		return nil, fmt.Errorf("list hosts of %s: %w", supernode.Name, err)
	}
	return members, nil
}

// The method that lists hosts, as schedulers describe it themselves by reflection. Its
// answer is read by the names of fields, which are the same in all releases, so that no
// generated code of one release has to fit the others.
const (
	schedulerService protoreflect.FullName = "scheduler.v2.Scheduler"
	listHostsMethod  protoreflect.Name     = "ListHosts"
)

func listHosts(ctx context.Context, dial func(context.Context, string) (net.Conn, error)) ([]system.Member, error) {
	conn, err := grpc.NewClient("passthrough:///scheduler",
		grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // what was asked has been answered
	reflection := grpcreflect.NewClientAuto(ctx, conn)
	defer reflection.Reset()
	file, err := reflection.FileContainingSymbol(schedulerService)
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", schedulerService, err)
	}
	service := file.Services().ByName(schedulerService.Name())
	if service == nil {
		return nil, fmt.Errorf("%s does not describe %s", file.Path(), schedulerService)
	}
	method := service.Methods().ByName(listHostsMethod)
	if method == nil {
		return nil, fmt.Errorf("%s has no method %s", schedulerService, listHostsMethod)
	}
	answer, err := grpcdynamic.NewStub(conn).InvokeRPC(ctx, method, &emptypb.Empty{})
	if err != nil {
		return nil, err
	}
	return members(answer)
}

// members reads the answer of ListHosts.
func members(answer proto.Message) ([]system.Member, error) {
	list, err := field(answer.ProtoReflect(), "hosts")
	if err != nil {
		return nil, err
	}
	var found []system.Member
	for i := range list.List().Len() {
		host := list.List().Get(i).Message()
		name, err := field(host, "hostname")
		if err != nil {
			return nil, err
		}
		kind, err := field(host, "type")
		if err != nil {
			return nil, err
		}
		build, err := field(host, "build")
		if err != nil {
			return nil, err
		}
		version, err := field(build.Message(), "git_version")
		if err != nil {
			return nil, err
		}
		// Types: 0 is a normal peer, 1 to 3 are super, strong and weak seeds. Schedulers
		// check nobody's reachability.
		found = append(found, system.Member{Name: name.String(), Release: version.String(), Seed: kind.Uint() != 0, Reachable: true})
	}
	return found, nil
}

func field(m protoreflect.Message, name protoreflect.Name) (protoreflect.Value, error) {
	d := m.Descriptor().Fields().ByName(name)
	if d == nil {
		return protoreflect.Value{}, fmt.Errorf("%s has no field %s", m.Descriptor().FullName(), name)
	}
	return m.Get(d), nil
}
