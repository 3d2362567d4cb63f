package wire

import (
	"context"
	"net"
	"syscall"

	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// Stack opens connections: the operating system's, or one in memory, in whose
// company a test's time can be virtual.
type Stack interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(network, address string) (net.Listener, error)
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// System is the stack of the operating system.
type System struct {
	net.Dialer
	net.ListenConfig
}

// Listen implements Stack.
func (s System) Listen(network, address string) (net.Listener, error) {
	return s.ListenConfig.Listen(context.Background(), network, address)
}

// LookupHost implements Stack.
func (s System) LookupHost(ctx context.Context, host string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, host)
}

// Network is a node's way to others: a stack, and the limits of its timers.
type Network struct {
	Stack   Stack
	Profile timers.Profile
}

// NewNetwork is the network of a node on a stack; nil is the operating system's.
func NewNetwork(stack Stack, profile timers.Profile) Network {
	if stack == nil {
		stack = &System{}
	}
	return Network{stack, profile}
}

// connect opens a TCP connection within the dial limit, name lookup included.
func (n Network) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.Profile.DialTimeout)
	defer cancel()
	conn, err := n.Stack.DialContext(ctx, network, address)
	if err == nil && diag.Yield(conn) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EMFILE}
	}
	return conn, err
}
