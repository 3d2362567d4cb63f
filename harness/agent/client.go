package agent

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

const (
	// renewEvery is the beat of the lease, an eighth of faultd's usual 8 s.
	renewEvery = time.Second
	// goodbyeWithin bounds the end of a lease that is not needed any more.
	goodbyeWithin = time.Second
	// largestMessage bounds an answer: Fetch's body of 8 MiB and its envelope.
	largestMessage = 9 << 20
	// quietFor and quietGrace let a client notice a machine that vanished
	// without a word. Generous: two busy cores stall a process for seconds.
	quietFor   = 10 * time.Second
	quietGrace = 10 * time.Second
)

// Client speaks to one faultd. It is safe for concurrent use.
type Client struct {
	conn  *grpc.ClientConn
	agent agentpb.AgentClient
}

// Dial returns when faultd at addr ("host:port") has answered, or with an
// error when ctx ends or the token is refused.
func Dial(ctx context.Context, addr, token string) (*Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: quietFor, Timeout: quietGrace}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return nil, fmt.Errorf("dial faultd at %s: %w", addr, err)
	}
	client := &Client{conn: conn, agent: agentpb.NewAgentClient(conn)}
	if _, err := client.agent.Hello(ctx, &agentpb.HelloRequest{}, grpc.WaitForReady(true)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("dial faultd at %s: %w", addr, translate(err))
	}
	return client, nil
}

// Close ends the connection. The lease runs out some seconds later.
func (c *Client) Close() error { return c.conn.Close() }

// KeepLease renews the session's lease every second until ctx is done, and
// then returns nil; or until faultd is gone, and then returns why.
func (c *Client) KeepLease(ctx context.Context) error {
	return c.renew(ctx, &agentpb.Beat{})
}

// KeepBeds does the same for the beds whose names begin with prefix: when their
// process dies they are removed, and the session goes on. When ctx is done the
// lease ends, and nothing is removed.
func (c *Client) KeepBeds(ctx context.Context, prefix string) error {
	return c.renew(ctx, &agentpb.Beat{Beds: prefix})
}

func (c *Client) renew(ctx context.Context, sign *agentpb.Beat) error {
	// Without ctx's deadline: faultd would be told of it, and could end the
	// stream a moment before ctx itself is done.
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stream, err := c.agent.Renew(alive)
	if err != nil {
		return c.leaseEnded(ctx, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stream.RecvMsg(&agentpb.RenewResponse{}) }()

	beat := time.NewTicker(renewEvery)
	defer beat.Stop()
	for {
		// A failed Send says only io.EOF; the reason comes through ended.
		if err := stream.Send(sign); err != nil {
			return c.leaseEnded(ctx, <-ended)
		}
		select {
		case <-ctx.Done():
			return goodbye(stream, ended)
		case err := <-ended:
			return c.leaseEnded(ctx, err)
		case <-beat.C:
		}
	}
}

// goodbye closes the stream in order. A faultd that does not answer to it is not
// waited for: the lease runs out by itself.
func goodbye(stream agentpb.Agent_RenewClient, ended <-chan error) error {
	if err := stream.CloseSend(); err != nil {
		return nil //nolint:nilerr // it is over in any case
	}
	select {
	case <-ended: //nolint:errcheck // in order or not
	case <-time.After(goodbyeWithin):
	}
	return nil
}

func (c *Client) leaseEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		return fmt.Errorf("keep lease: faultd ended the stream: %w", ErrGone)
	}
	return fmt.Errorf("keep lease: %w", translate(err))
}

// bearer is a session's token as gRPC credentials. The port is published on
// loopback only, so it travels without TLS.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return false }
