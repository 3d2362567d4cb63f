package dfget

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// errUnreachable is in the chain when no daemon answered at all.
var errUnreachable = errors.New("the daemon cannot be reached")

// Preheat makes the daemon, which must be that of a seed, bring a file into the swarm,
// and waits until it holds the file.
func Preheat(ctx context.Context, r Request) Result {
	r.Part, r.BackSource = Request{}.Part, false
	return r.within(ctx, func(ctx context.Context, g *getting) error {
		return g.ask(ctx, &pb.DownloadRequest{Url: r.URL, Digest: r.Digest, Preheat: true})
	})
}

func (g *getting) fromDaemon(ctx context.Context) error {
	return g.ask(ctx, &pb.DownloadRequest{Url: g.URL, Digest: g.Digest, Offset: g.Part.Offset, Length: g.Part.Length})
}

// ask makes one request of the daemon and takes in what it sends until it is done.
func (g *getting) ask(ctx context.Context, request *pb.DownloadRequest) error {
	stack := wire.NewNetwork(g.Stack, g.Profile).Stack
	conn, err := grpc.NewClient("passthrough:///daemon", grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return stack.DialContext(ctx, "unix", g.Socket) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: g.Profile.DialTimeout}))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = conn.Close() }()
	// A daemon that is stopped, or out of descriptors, takes the call and says nothing.
	limit := 2 * g.Profile.StallTimeout
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w: the daemon is silent for %s", cause.ErrStalled, limit)) })
	defer silence.Stop()
	stream, err := pb.NewLocalClient(conn).Download(ctx, request)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	for heard := false; ; heard = true {
		event, err := stream.Recv()
		if err != nil && errors.Is(context.Cause(ctx), cause.ErrStalled) {
			err = context.Cause(ctx)
		}
		silence.Reset(limit)
		switch {
		case err != nil && cause.RefusalOf(err) != nil:
			return refused{cause.RefusalOf(err).GetReason(), err}
		case err != nil && !heard:
			return fmt.Errorf("%w: %w", errUnreachable, err)
		case err != nil:
			return fmt.Errorf("daemon: %w", err)
		}
		if result := event.GetResult(); result != nil {
			g.result.From = From{result.GetFromOrigin(), result.GetFromSeeds(), result.GetFromPeers()}
			if request.GetPreheat() {
				g.result.Bytes, g.result.SHA256 = event.GetTotal(), result.GetSha256()
			}
			return nil
		}
		if request.GetPreheat() {
			g.tell(event.GetHeld(), event.GetTotal())
			continue
		}
		if _, err := g.Write(event.GetChunk()); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		if event.GetTotal() >= 0 {
			g.total = event.GetTotal()
			_, length, _ := g.Part.Resolve(event.GetTotal())
			g.tell(g.bytes, length)
		}
	}
}
