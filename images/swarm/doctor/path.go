package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/faultbed/faultbed/images/swarm/cause"
)

// long is a message that fills several packets of any path, and is no load for a slow one.
const long = 16 << 10

// ladder are lengths of messages around those that fit into one packet of a path with
// tunnels: with headers and framing they take some 60 to 250 bytes more.
var ladder = []int{64, 256, 512, 768, 1000, 1100, 1200, 1300, 1400}

// httpPaths looks how long requests to and answers from a piece port may be.
func (e *examination) httpPaths(ctx context.Context, node, target string) {
	e.paths(ctx, Path{Target: target, Node: node}, long, ladder, func(ctx context.Context, n int) error {
		_, err := e.ask(ctx, "http://"+target+"/healthy", n)
		return err
	})
	e.paths(ctx, Path{Target: target, Node: node, Back: true}, long, ladder, func(ctx context.Context, n int) error {
		text, err := e.ask(ctx, fmt.Sprintf("http://%s/probe?bytes=%d", target, n), 0)
		if err == nil && len(text) != n {
			err = fmt.Errorf("%w: %d bytes instead of %d", cause.ErrBadAnswer, len(text), n)
		}
		return err
	})
}

// grpcPaths does the same with a supernode, whose answers have the lengths that they have.
func (e *examination) grpcPaths(ctx context.Context, target string) {
	e.paths(ctx, Path{Target: target, Node: "the supernode"}, long, ladder, func(ctx context.Context, n int) error {
		_, err := e.identify(ctx, target, strings.Repeat("x", n))
		return err
	})
	var sizes []int
	bySize := map[int]string{}
	for _, file := range descriptions {
		n := sizeOf(file)
		sizes, bySize[n] = append(sizes, n), file
	}
	e.paths(ctx, Path{Target: target, Node: "the supernode", Back: true}, sizes[0], sizes[1:], func(ctx context.Context, n int) error {
		return e.describe(ctx, target, bySize[n])
	})
}

// paths tries a long message, and if it does not pass, shorter ones, all at once.
func (e *examination) paths(ctx context.Context, p Path, long int, shorter []int, send func(context.Context, int) error) {
	try := func(n int) error {
		return e.within(ctx, e.network.Profile.CheckTimeout, func(ctx context.Context) error { return send(ctx, n) })
	}
	e.work.Go(func() {
		err := try(long)
		p.Passed = long
		if err != nil {
			p.Passed, p.Lost, p.Failed = 0, long, failed(err)
			var mu sync.Mutex
			var all sync.WaitGroup
			for _, n := range shorter {
				all.Go(func() {
					err := try(n)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						p.Passed = max(p.Passed, n)
					} else {
						p.Lost = min(p.Lost, n)
					}
				})
			}
			all.Wait()
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.facts.Paths = append(e.facts.Paths, p)
	})
}

// descriptions are files that every supernode describes on a short question, the longest
// first: more than two packets, more than one, less than one, and next to nothing.
var descriptions = []string{"swarm.proto", "grpc/reflection/v1/reflection.proto", "grpc/health/v1/health.proto", "google/protobuf/any.proto"}

// describe asks a server for a description in a short request.
func (e *examination) describe(ctx context.Context, target, file string) error {
	conn, err := e.network.Dial(target)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return conn.Explain(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileByFilename{FileByFilename: file},
	}); err != nil {
		return conn.Explain(err)
	}
	if _, err := stream.Recv(); err != nil {
		return conn.Explain(err)
	}
	return nil
}

// sizeOf is how long the description of a file is.
func sizeOf(file string) int {
	d, err := protoregistry.GlobalFiles.FindFileByPath(file)
	if err != nil {
		return 0
	}
	return proto.Size(protodesc.ToFileDescriptorProto(d))
}

// sort puts facts into an order that does not depend on who answered first.
func (f *Facts) sort() {
	slices.SortFunc(f.Names, func(a, b Name) int { return strings.Compare(a.Host, b.Host) })
	role := func(p Port) int { return slices.Index([]string{roleSupernode, roleSeed, rolePeer}, p.Role) }
	slices.SortFunc(f.Ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(role(a), role(b)), strings.Compare(a.Node, b.Node), strings.Compare(a.Target, b.Target))
	})
	slices.SortFunc(f.Paths, func(a, b Path) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), cmp.Compare(fmt.Sprint(a.Back), fmt.Sprint(b.Back)))
	})
}
