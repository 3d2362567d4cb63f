package harness

import (
	"context"
	"io"
	"net"
	"sync"
)

// forwarder lends a port on this machine's loopback to something that is reached in another
// way: each connection to it is carried over one of those that dial opens.
type forwarder struct {
	listener net.Listener
	dial     func(context.Context) (net.Conn, error)
	stop     context.CancelFunc
	open     sync.WaitGroup
}

// forward listens until it is closed.
func forward(dial func(context.Context) (net.Conn, error)) (*forwarder, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it listens at once
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &forwarder{listener: listener, dial: dial, stop: stop}
	f.open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.open.Go(func() { f.carry(ctx, conn) })
		}
	})
	return f, nil
}

// Addr is host:port of the listener.
func (f *forwarder) Addr() string { return f.listener.Addr().String() }

// carry ends when one end does, or when the forwarder is closed.
func (f *forwarder) carry(ctx context.Context, near net.Conn) {
	defer near.Close() //nolint:errcheck // whoever wanted it has all of it
	far, err := f.dial(ctx)
	if err != nil {
		return // which the near end sees
	}
	defer far.Close() //nolint:errcheck // as above
	defer context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}()
	_, _ = io.Copy(far, near)
	_ = far.Close()
	<-back
}

// Close ends all connections.
func (f *forwarder) Close() {
	f.stop()
	_ = f.listener.Close()
	f.open.Wait()
}
