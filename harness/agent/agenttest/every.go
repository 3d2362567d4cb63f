// Package agenttest makes every call that faultd knows, as its service's descriptor lists
// them: for tests that no call may escape, those of tomorrow included.
package agenttest

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Answer is what came of one call.
type Answer struct {
	Method   string
	Node     bool // whether its request names one
	Response proto.Message
	Err      error
}

// Every makes each call once, unary or stream, about a node; all else that it asks for is
// sensible, so that nothing but the node can be the reason of a refusal.
func Every(ctx context.Context, conn grpc.ClientConnInterface, node string) ([]Answer, error) {
	service := agentpb.File_agent_proto.Services().ByName("Agent")
	var answers []Answer
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		request, err := message(method.Input())
		if err != nil {
			return nil, err
		}
		response, err := message(method.Output())
		if err != nil {
			return nil, err
		}
		a := Answer{Method: string(method.Name()), Response: response}
		a.Node = fill(request.ProtoReflect(), node)
		a.Err = call(ctx, conn, fmt.Sprintf("/%s/%s", service.FullName(), method.Name()), method, request, response)
		answers = append(answers, a)
	}
	return answers, nil
}

func message(of protoreflect.MessageDescriptor) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		return nil, fmt.Errorf("make a %s: %w", of.FullName(), err)
	}
	return kind.New().Interface(), nil
}

func call(ctx context.Context, conn grpc.ClientConnInterface, path string, method protoreflect.MethodDescriptor, request, response proto.Message) error {
	if !method.IsStreamingClient() && !method.IsStreamingServer() {
		return conn.Invoke(ctx, path, request, response)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: method.IsStreamingClient(), ServerStreams: method.IsStreamingServer()}, path)
	if err != nil {
		return err
	}
	_ = stream.SendMsg(request) // why not is said by RecvMsg
	_ = stream.CloseSend()
	return stream.RecvMsg(response)
}

// sensible are values for fields of these names. Fields that are not here stay empty.
var sensible = map[protoreflect.Name]any{
	"owner": "owner", "network": "network", "name": "name", "prefix": "10.9.0.3/24", "protocol": "tcp", "path": "/etc/hostname", "folder": "/", "answer": "silence",
	"target": "10.9.0.3:8002", "destination": "10.9.0.3:8002", "listener": "10.9.0.2:20001", "original": "10.9.0.3:8002",
	"ports": uint32(20001), "port": uint32(20001), "mtu": int32(1400), "soft": uint64(100),
	"direction":        protoreflect.EnumNumber(agentpb.Direction_DIRECTION_UPSTREAM),
	"verdict":          protoreflect.EnumNumber(agentpb.Verdict_VERDICT_DROP),
	"bytes_per_second": uint64(1 << 20), "connections": int32(1), "spare": uint64(1 << 30), "at_most": int32(1 << 20),
}

// fill gives a request its fields, and says whether a node is among them, at any depth.
func fill(m protoreflect.Message, node string) (named bool) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		value, known := sensible[field.Name()]
		switch {
		case field.Name() == "node", field.Name() == "nodes" && m.Descriptor().Name() != "SteerRequest": // there they are addresses
			value, known, named = node, true, true
		case field.Kind() == protoreflect.MessageKind && field.IsList():
			inner := m.Mutable(field).List().AppendMutable().Message()
			named = fill(inner, node) || named
		}
		switch {
		case !known:
		case field.IsList():
			m.Mutable(field).List().Append(protoreflect.ValueOf(value))
		default:
			m.Set(field, protoreflect.ValueOf(value))
		}
	}
	return named
}
