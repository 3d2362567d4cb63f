package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/faultbed/faultbed/harness/agent"
)

// Inside is the system.Inside that leads through faultd.
type Inside struct {
	Agent *agent.Client
	// Container is the container id of a node.
	Container func(node string) string
}

// Get implements system.Inside.
func (i Inside) Get(ctx context.Context, node, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Observation)
	defer cancel()
	status, body, err := i.Agent.Fetch(ctx, i.Container(node), url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s: %w", node, url, err)
	}
	return body, nil
}

// Dial implements system.Inside.
func (i Inside) Dial(ctx context.Context, node, address string) (net.Conn, error) {
	conn, err := i.Agent.DialNode(ctx, i.Container(node), address)
	if err != nil {
		return nil, fmt.Errorf("dial %s inside %s: %w", address, node, err)
	}
	return conn, nil
}
