package daemon

import (
	"context"
	"errors"
	"fmt"
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

// errPreferred ends a stay with a backup supernode once a preferred one is back.
var errPreferred = errors.New("a preferred supernode is back")

// run keeps the peer registered with one of its supernodes, the first that takes it.
func (m *membership) run() {
	wait := newBackoff(m.d.cfg.Profile)
	started := time.Now()
	for attempt := 1; m.d.ctx.Err() == nil; attempt++ {
		var last error
		refused, began := true, time.Now()
		for i, target := range m.d.cfg.Supernodes {
			joined, err := m.stay(target, m.d.cfg.Supernodes[:i], attempt)
			if m.d.ctx.Err() != nil {
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
		early := unstarted(last) || !refused && time.Since(began) < m.d.cfg.Profile.DialTimeout
		if !m.d.can.Retry && (m.everJoined() || !early || time.Since(started) > m.d.cfg.Profile.StartGrace) {
			m.d.log.Info("stays out of the swarm", "reason", "this release does not retry", "joined", m.everJoined(), "error", fmt.Sprint(last))
			return
		}
		pause := wait.NextBackOff()
		if refused {
			pause = m.d.cfg.Profile.RefusedRetry
		}
		select {
		case <-time.After(pause):
		case <-m.d.ctx.Done():
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
func (m *membership) stay(target string, preferred []string, attempt int) (joined bool, err error) {
	conn, err := m.d.network.Dial(target)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	session, err := m.register(conn)
	if err != nil {
		if m.d.ctx.Err() == nil {
			m.d.reporter.Failed(diag.Register, target, conn.IP(), attempt, err)
		}
		return false, err
	}
	ctx, cancel := context.WithCancelCause(m.d.ctx)
	defer cancel(nil)
	if len(preferred) > 0 {
		m.d.work.Go(func() { m.seekPreferred(ctx, preferred, cancel) })
	}
	err = m.announce(ctx, cancel, conn, session)
	m.lose()
	if errors.Is(err, errPreferred) {
		m.d.log.Info("leave backup supernode", "supernode", target)
		m.goodbye(ctx, conn, session)
	} else if m.d.ctx.Err() == nil && !m.leaving.Load() {
		m.d.reporter.Failed(diag.Announce, target, conn.IP(), 1, err)
	}
	return true, err
}

func (m *membership) register(conn *wire.Conn) (session string, err error) {
	ctx, cancel := context.WithTimeout(m.d.ctx, m.d.cfg.Profile.RegisterTimeout)
	defer cancel()
	reply, err := pb.NewSupernodeClient(conn).Register(ctx, &pb.RegisterRequest{Host: m.d.host})
	if err != nil {
		err = conn.Explain(err)
		if cause.Of(err) == cause.VersionMismatch {
			err = fmt.Errorf("%w: %w", swarm.ErrVersionMismatch, err)
		}
		return "", err
	}
	if err := swarm.CheckProtocol("peer", m.d.can, "supernode", reply.GetRelease(), reply.GetProtocol()); err != nil {
		m.goodbye(ctx, conn, reply.GetSession())
		return "", err
	}
	m.enter(conn, reply)
	m.d.log.Info("peer register", "supernode", conn.Target, "ip", conn.IP(), "supernode_release", reply.GetRelease(), "peers", len(reply.GetPeers()))
	return reply.GetSession(), nil
}

// announce holds the long stream up. Both sides send heartbeats; a lease of
// silence ends it.
func (m *membership) announce(ctx context.Context, cancel context.CancelCauseFunc, conn *wire.Conn, session string) error {
	stream, err := pb.NewSupernodeClient(conn).Announce(ctx)
	if err != nil {
		return conn.Explain(err)
	}
	m.d.log.Info("announce", "supernode", conn.Target, "ip", conn.IP())
	m.resend()
	silence := time.AfterFunc(m.d.cfg.Profile.Lease, func() {
		cancel(fmt.Errorf("%w: supernode silent for %s", cause.ErrStalled, m.d.cfg.Profile.Lease))
	})
	defer silence.Stop()
	sending := make(chan struct{})
	m.d.work.Go(func() {
		defer close(sending)
		m.send(ctx, stream, session)
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
		silence.Reset(m.d.cfg.Profile.Lease)
		m.take(down) //nolint:contextcheck // links outlive the stream that named them
	}
}

// announceGap keeps a burst of changes from becoming a burst of announcements.
const announceGap = 30 * time.Millisecond

// send announces at each heartbeat, and soon after each change.
func (m *membership) send(ctx context.Context, stream grpc.BidiStreamingClient[pb.Announcement, pb.Guidance], session string) {
	ticker := time.NewTicker(m.d.cfg.Profile.Heartbeat)
	defer ticker.Stop()
	for {
		if stream.Send(m.compose(session)) != nil {
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
		case <-m.news:
		}
	}
}

// seekPreferred looks for a supernode that comes before the present one.
func (m *membership) seekPreferred(ctx context.Context, preferred []string, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(m.d.cfg.Profile.PreferInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, target := range preferred {
			if m.answers(ctx, target) {
				cancel(errPreferred)
				return
			}
		}
	}
}

func (m *membership) answers(ctx context.Context, target string) bool {
	conn, err := m.d.network.Dial(target)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	callCtx, cancel := context.WithTimeout(ctx, m.d.cfg.Profile.CheckTimeout)
	defer cancel()
	return conn.Check(callCtx) == nil
}

// goodbye leaves a session, as far as the supernode hears it.
func (m *membership) goodbye(ctx context.Context, conn *wire.Conn, session string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.d.cfg.Profile.LeaveTimeout)
	defer cancel()
	_, err := pb.NewSupernodeClient(conn).Leave(ctx, &pb.LeaveRequest{Name: m.d.host.GetName(), Session: session})
	if err != nil {
		m.d.log.Info("leave", "supernode", conn.Target, "error", err.Error())
	}
}

// leave says goodbye to the present supernode, if there is one.
func (m *membership) leave(ctx context.Context) {
	// The supernode may end the stream before it has answered: no failure.
	m.leaving.Store(true)
	m.mu.Lock()
	conn, session := m.conn, m.session
	m.mu.Unlock()
	if conn != nil {
		m.goodbye(ctx, conn, session)
	}
}
