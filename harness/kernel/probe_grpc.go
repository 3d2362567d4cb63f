//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// bulkSymbol is what a bulk probe asks server reflection for: a file that each
// server with reflection links, with a descriptor of about 10 KB.
const bulkSymbol = "google.protobuf.DescriptorProto"

// errSpent refuses gRPC a second connection: a probe is one.
var errSpent = errors.New("the probe's one connection is spent")

// probeGRPC makes one call on one connection. Any status is an answer if the
// server has sent it.
func probeGRPC(ctx context.Context, dial func(context.Context) (net.Conn, error), trace *trace, probe Probe) (detail string, err error) {
	answered := &answered{}
	var used atomic.Bool
	conn, err := grpc.NewClient("passthrough:///"+probe.Target.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errSpent
			}
			// The probe's context, not gRPC's: its deadline is the probe's.
			conn, err := dial(ctx)
			if err != nil {
				trace.failed(err)
			}
			return conn, err
		}),
		grpc.WithStatsHandler(answered),
		grpc.WithDisableRetry(),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the probe is over
	if probe.Pad > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-pad", strings.Repeat("x", probe.Pad))
	}
	if probe.Bulk {
		detail, err = askReflection(ctx, conn)
	} else {
		detail, err = checkHealth(ctx, conn)
	}
	if err == nil {
		return detail, nil
	}
	if answered.Load() && !probe.Bulk {
		return status.Code(err).String(), nil
	}
	// A bulk probe without reflection on the other side is an answer too; one
	// whose large answer never came whole is none.
	if answered.Load() && ctx.Err() == nil && trace.failure() == nil {
		return status.Code(err).String(), nil
	}
	if ctx.Err() != nil && trace.failure() == nil {
		return "", fmt.Errorf("%s: %w", status.Convert(err).Message(), ctx.Err())
	}
	if cause := trace.failure(); cause != nil {
		return "", cause
	}
	return "", err
}

func checkHealth(ctx context.Context, conn *grpc.ClientConn) (detail string, err error) {
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return answer.GetStatus().String(), err
}

func askReflection(ctx context.Context, conn *grpc.ClientConn) (detail string, err error) {
	stream, err := reflection.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return "", err
	}
	// A failure here says only io.EOF; Recv has the reason.
	_ = stream.Send(&reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: bulkSymbol},
	})
	answer, err := stream.Recv()
	if err != nil {
		return "", err
	}
	if refusal := answer.GetErrorResponse(); refusal != nil {
		return "reflection: " + refusal.GetErrorMessage(), nil
	}
	size := 0
	for _, file := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		size += len(file)
	}
	return fmt.Sprintf("reflection of %d bytes", size), nil
}

// answered notes that the server has sent the head or the end of an answer.
type answered struct{ atomic.Bool }

// TagRPC implements stats.Handler.
func (*answered) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (a *answered) HandleRPC(_ context.Context, event stats.RPCStats) {
	switch event.(type) {
	case *stats.InHeader, *stats.InTrailer:
		a.Store(true)
	}
}

// TagConn implements stats.Handler.
func (*answered) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (*answered) HandleConn(context.Context, stats.ConnStats) {}
