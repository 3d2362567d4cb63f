package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

const (
	// together is how many simulated peers register at the same time.
	together = 16
	// timed is how many of the last come one after the other, each with its time taken.
	timed = 100
)

// crowd is all simulated peers.
type crowd struct {
	supernode, ip string
	profile       timers.Profile

	ctx     context.Context //nolint:containedctx // the life of all peers
	can     swarm.Capabilities
	network wire.Network
	grpc    *grpc.Server // answers health calls for all of them, each at a port of its own
	http    *http.Server

	mu     sync.Mutex
	peers  int
	lost   int // of them, whose announcements were cut off
	why    string
	timeMS []float64 // of the last registrations
}

// Grown is the answer of /grow: the times of the last registrations, when nearly all
// peers were there.
type Grown struct {
	Peers      int       `json:"peers"`
	Lost       int       `json:"lost"`
	Why        string    `json:"why,omitempty"`
	RegisterMS []float64 `json:"register_ms"`
}

func (c *crowd) open(ctx context.Context) error {
	can, err := swarm.CapabilitiesOf(swarm.Release)
	if err != nil {
		return err
	}
	c.ctx, c.can, c.network = ctx, can, wire.NewNetwork(nil, c.profile)
	c.grpc = wire.NewServer(c.profile, wire.Identity{Release: can.Release, Protocol: can.Protocol})
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	c.http = &http.Server{Handler: ok, ReadHeaderTimeout: c.profile.RPCTimeout}
	return nil
}

func (c *crowd) grown() Grown {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Grown{c.peers, c.lost, c.why, c.timeMS}
}

// grow lets peers register until there are so many.
func (c *crowd) grow(ctx context.Context, to int) error {
	c.mu.Lock()
	from := c.peers
	c.timeMS = nil
	c.mu.Unlock()
	many, manyCtx := errgroup.WithContext(ctx)
	many.SetLimit(together)
	last := max(from, to-timed)
	for i := from; i < last; i++ {
		many.Go(func() error { _, err := c.add(manyCtx, i); return err })
	}
	if err := many.Wait(); err != nil {
		return err
	}
	for i := last; i < to; i++ {
		took, err := c.add(ctx, i)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.timeMS = append(c.timeMS, float64(took.Microseconds())/1000)
		c.mu.Unlock()
	}
	return nil
}

// add lets one more peer in; it stays until the process ends. It has a connection of its
// own, and says how long the call took on it.
func (c *crowd) add(ctx context.Context, i int) (time.Duration, error) {
	host := &pb.Host{
		Name: fmt.Sprintf("crowd-%05d", i), Ip: c.ip, Idc: "a", Location: "earth|a",
		Release: c.can.Release, Protocol: c.can.Protocol,
	}
	var err error
	if host.GrpcPort, err = listen(c.grpc.Serve); err != nil {
		return 0, err
	}
	if host.ProxyPort, err = listen(c.http.Serve); err != nil {
		return 0, err
	}
	conn, err := c.network.Dial(c.supernode)
	if err != nil {
		return 0, err
	}
	if err := conn.Check(ctx); err != nil { // connected from here on
		return 0, fmt.Errorf("peer %d: %w", i, err)
	}
	began := time.Now()
	reply, err := pb.NewSupernodeClient(conn).Register(ctx, &pb.RegisterRequest{Host: host})
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("register peer %d: %w", i, conn.Explain(err))
	}
	c.mu.Lock()
	c.peers++
	c.mu.Unlock()
	go func() { //nolint:contextcheck // a peer outlives the request that made it
		defer func() { _ = conn.Close() }()
		err := c.announce(conn, host.GetName(), reply.GetSession())
		if c.ctx.Err() == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.lost++
			c.why = err.Error()
		}
	}()
	return took, nil
}

// announce keeps one peer's stream up, as an idle peer does.
func (c *crowd) announce(conn *wire.Conn, name, session string) error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	stream, err := pb.NewSupernodeClient(conn).Announce(ctx)
	if err != nil {
		return conn.Explain(err)
	}
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				cancel(err)
				return
			}
		}
	}()
	beat := time.NewTicker(c.profile.Heartbeat)
	defer beat.Stop()
	for {
		if err := stream.Send(&pb.Announcement{Name: name, Session: session, FreeSlots: 1}); err != nil {
			<-ctx.Done() // Recv learns why
			return context.Cause(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-beat.C:
		}
	}
}

// listen serves a port of its own.
func listen(serve func(net.Listener) error) (port int32, err error) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(fmt.Errorf("listen: %s is no TCP address", l.Addr()), l.Close())
	}
	go func() { _ = serve(l) }()
	return int32(addr.Port), nil //nolint:gosec // a port fits
}
