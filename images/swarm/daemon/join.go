package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// newBackoff makes the exponential backoff with jitter that all retries use.
func newBackoff(p timers.Profile) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = p.RetryInitial, p.RetryMax
	b.Reset()
	return b
}

// errMoved ends a stay with a supernode whose name leads elsewhere by now.
var errMoved = errors.New("the supernode's name leads elsewhere now")

// run keeps the peer registered with one of the place's supernodes, the first that takes it.
func (p *place) run() {
	wait := newBackoff(p.d.cfg.Profile)
	started := time.Now()
	for attempt := 1; p.d.ctx.Err() == nil && !p.d.leaving.Load(); attempt++ {
		var last error
		refused, began := true, time.Now()
		for _, target := range p.targets {
			joined, err := p.stay(target, attempt)
			if p.d.ctx.Err() != nil {
				return
			}
			last, refused = err, refused && errors.Is(err, swarm.ErrVersionMismatch)
			if joined {
				attempt = 0
				wait.Reset()
				refused = false
				break
			}
		}
		// What failed sooner than a dial may take was no silence, whatever it is called.
		early := unstarted(last) || !refused && time.Since(began) < p.d.cfg.Profile.DialTimeout
		if !p.d.can.Retry && (p.everJoined() || !early || time.Since(started) > p.d.cfg.Profile.StartGrace) {
			p.d.log.Info("stays out of the swarm", "reason", "this release does not retry", "joined", p.everJoined(), "error", fmt.Sprint(last))
			return
		}
		pause := wait.NextBackOff()
		if refused {
			pause = p.d.cfg.Profile.RefusedRetry
		}
		select {
		case <-time.After(pause):
		case <-p.d.ctx.Done():
			return
		}
	}
}

// unstarted says whether a supernode may only not have started yet: whatever failed at
// once. Silence, no way there, and a release that is refused are answers. A resolver that
// is not ready, or a proxy that hangs up in the middle of a greeting, has many words.
func unstarted(err error) bool {
	switch cause.Of(err) {
	case cause.TimedOut, cause.Stalled, cause.Unreachable, cause.VersionMismatch:
		return false
	default:
		return true
	}
}

// stay registers with one supernode and stays until that ends; joined says
// whether it was ever in.
func (p *place) stay(target string, attempt int) (joined bool, err error) {
	conn, err := p.d.network.Dial(target)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	session, err := p.register(conn)
	if err != nil {
		if p.d.ctx.Err() == nil {
			p.d.reporter.Failed(diag.Register, target, conn.IP(), attempt, err)
		}
		return false, err
	}
	ctx, cancel := context.WithCancelCause(p.d.ctx)
	defer cancel(nil)
	p.d.work.Go(func() { p.watchName(ctx, cancel, target, conn.IP()) })
	err = p.announce(ctx, cancel, conn, session)
	p.lose()
	switch {
	case errors.Is(err, errMoved):
		p.d.log.Info("supernode moved", "supernode", target, "ip", conn.IP(), "error", err.Error())
		p.goodbye(ctx, conn, session)
	case p.d.ctx.Err() == nil && !p.d.leaving.Load():
		p.d.reporter.Failed(diag.Announce, target, conn.IP(), 1, err)
	}
	return true, err
}

func (p *place) register(conn *wire.Conn) (session string, err error) {
	ctx, cancel := context.WithTimeout(p.d.ctx, p.d.cfg.Profile.RegisterTimeout)
	defer cancel()
	reply, err := pb.NewSupernodeClient(conn).Register(ctx, &pb.RegisterRequest{Host: p.d.host, Sessions: p.m.sessions()})
	if err != nil {
		err = conn.Explain(err)
		if cause.Of(err) == cause.VersionMismatch {
			err = fmt.Errorf("%w: %w", swarm.ErrVersionMismatch, err)
		}
		return "", err
	}
	if err := swarm.CheckProtocol("peer", p.d.can, "supernode", reply.GetRelease(), reply.GetProtocol()); err != nil {
		p.goodbye(ctx, conn, reply.GetSession())
		return "", err
	}
	p.enter(conn, reply)
	p.d.log.Info("peer register", "supernode", conn.Target, "ip", conn.IP(), "supernode_release", reply.GetRelease(), "peers", len(reply.GetPeers()))
	return reply.GetSession(), nil
}

// announce holds the long stream up. Both sides send heartbeats; a lease of
// silence ends it.
func (p *place) announce(ctx context.Context, cancel context.CancelCauseFunc, conn *wire.Conn, session string) error {
	stream, err := pb.NewSupernodeClient(conn).Announce(ctx)
	if err != nil {
		return conn.Explain(err)
	}
	p.d.log.Info("announce", "supernode", conn.Target, "ip", conn.IP())
	p.resend()
	silence := time.AfterFunc(p.d.cfg.Profile.Lease, func() {
		cancel(fmt.Errorf("%w: supernode silent for %s", cause.ErrStalled, p.d.cfg.Profile.Lease))
	})
	defer silence.Stop()
	sending := make(chan struct{})
	p.d.work.Go(func() {
		defer close(sending)
		p.send(ctx, stream, session)
	})
	defer func() { cancel(nil); <-sending }()
	for {
		down, err := stream.Recv()
		if err != nil {
			if why := context.Cause(ctx); why != nil {
				return why
			}
			return conn.Explain(err)
		}
		silence.Reset(p.d.cfg.Profile.Lease)
		p.take(down) //nolint:contextcheck // links outlive the stream that named them
	}
}

// announceGap keeps a burst of changes from becoming a burst of announcements.
const announceGap = 30 * time.Millisecond

// send announces at each heartbeat, and soon after each change.
func (p *place) send(ctx context.Context, stream grpc.BidiStreamingClient[pb.Announcement, pb.Guidance], session string) {
	ticker := time.NewTicker(p.d.cfg.Profile.Heartbeat)
	defer ticker.Stop()
	for {
		if stream.Send(p.compose(session)) != nil {
			return // Recv learns why
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(announceGap):
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-p.news:
		}
	}
}

// watchName looks from time to time whether a supernode's name still leads to the
// address that this peer is connected with. A name that moved is followed once somebody
// answers there: a resolver that lies, or says nothing, costs nobody a connection that works.
func (p *place) watchName(ctx context.Context, cancel context.CancelCauseFunc, target, ip string) {
	host, _, err := net.SplitHostPort(target)
	if err != nil || net.ParseIP(host) != nil || ip == "" || !p.d.can.Retry {
		return
	}
	ticker := time.NewTicker(p.d.cfg.Profile.ResolveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		lookup, done := context.WithTimeout(ctx, p.d.cfg.Profile.DialTimeout)
		addrs, err := p.d.network.Stack.LookupHost(lookup, host)
		done()
		if err == nil && len(addrs) > 0 && !slices.Contains(addrs, ip) && p.answers(ctx, target) {
			cancel(fmt.Errorf("%w: %s is %s, not %s", errMoved, host, strings.Join(addrs, " "), ip))
			return
		}
	}
}

func (p *place) answers(ctx context.Context, target string) bool {
	conn, err := p.d.network.Dial(target)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	return check(ctx, conn, p.d.cfg.Profile.CheckTimeout) == nil
}

// goodbye leaves a session, as far as the supernode hears it.
func (p *place) goodbye(ctx context.Context, conn *wire.Conn, session string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.d.cfg.Profile.LeaveTimeout)
	defer cancel()
	_, err := pb.NewSupernodeClient(conn).Leave(ctx, &pb.LeaveRequest{Name: p.d.host.GetName(), Session: session})
	if err != nil {
		p.d.log.Info("leave", "supernode", conn.Target, "error", err.Error())
	}
}
