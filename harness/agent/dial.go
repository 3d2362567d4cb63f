package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

const (
	// dialChunk is how much of a connection travels in one message, in bytes.
	dialChunk = 32 << 10
	// fetchLimit is the largest body that Fetch takes, in bytes.
	fetchLimit = 8 << 20
)

// DialNode opens a TCP connection inside a node's namespace, steered like the node's
// own. The target is "ip:port": names would be looked up outside. ctx bounds the dial,
// not the connection.
func (c *Client) DialNode(ctx context.Context, node, target string) (net.Conn, error) {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	stream, err := c.agent.Dial(alive)
	if err == nil {
		if err = stream.Send(&agentpb.DialRequest{Node: node, Target: target}); err == nil {
			_, err = stream.Recv()
		} else {
			_, err = stream.Recv() // Send says only io.EOF, the reason comes here
		}
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, translate(err)
	}
	ours, theirs := net.Pipe()
	go func() {
		defer end() // our side was closed, or the stream has ended
		buffer := make([]byte, dialChunk)
		for {
			n, err := theirs.Read(buffer)
			if n > 0 && stream.Send(&agentpb.DialRequest{Data: buffer[:n]}) != nil || err != nil {
				return
			}
		}
	}()
	go func() {
		defer theirs.Close() //nolint:errcheck // a pipe
		for {
			answer, err := stream.Recv()
			if err != nil {
				return
			}
			if _, err := theirs.Write(answer.GetData()); err != nil {
				return
			}
		}
	}()
	return ours, nil
}

// Fetch does an HTTP GET from inside a node's namespace. The host in url must
// be an address (http://127.0.0.1:8003/peers); the body may be 8 MiB.
func (c *Client) Fetch(ctx context.Context, node, url string) (status int, body []byte, err error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, target string) (net.Conn, error) {
			return c.DialNode(ctx, node, target)
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("fetch: %w", err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, fmt.Errorf("fetch %s: %w", url, err)
	}
	defer response.Body.Close() //nolint:errcheck // all that is wanted of it is read
	body, err = io.ReadAll(io.LimitReader(response.Body, fetchLimit+1))
	if err == nil && len(body) > fetchLimit {
		err = fmt.Errorf("body is larger than %d bytes", fetchLimit)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("fetch %s: read body: %w", url, err)
	}
	return response.StatusCode, body, nil
}
