package supernode

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/diag"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// watch goes on calling a registered peer: its gRPC port keeps it in the swarm,
// its proxy port lets it be a parent. It owns conn.
func (s *Supernode) watch(r *record, conn *wire.Conn) {
	ticker := time.NewTicker(s.cfg.Profile.CheckInterval)
	defer ticker.Stop()
	s.work.Go(func() { s.watchProxy(r) })
	attempt := 1
	for {
		select {
		case <-s.ctx.Done():
		case <-r.gone:
		case <-ticker.C:
			if !r.left() {
				conn, attempt = s.callBack(r, conn, attempt)
				continue
			}
		}
		_ = conn.Close()
		return
	}
}

// callBack makes one health call; after a failure the next one gets a new connection.
func (s *Supernode) callBack(r *record, conn *wire.Conn, attempt int) (*wire.Conn, int) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Profile.CheckTimeout)
	defer cancel()
	err := conn.Check(ctx)
	if s.ctx.Err() != nil {
		return conn, attempt
	}
	// A lack of descriptors is this node's own sickness and says nothing of the peer.
	if err == nil || cause.Of(err) == cause.TooManyFiles {
		s.mu.Lock()
		r.answered = time.Now()
		s.mu.Unlock()
	}
	if err == nil {
		return conn, 1
	}
	s.reporter.Failed(diag.Check, conn.Target, conn.IP(), attempt, err)
	fresh, dialErr := s.network.Dial(conn.Target)
	if dialErr != nil {
		return conn, attempt + 1
	}
	_ = conn.Close()
	return fresh, attempt + 1
}

func (s *Supernode) watchProxy(r *record) {
	ticker := time.NewTicker(s.cfg.Profile.CheckInterval)
	defer ticker.Stop()
	attempt := 1
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-r.gone:
			return
		case <-ticker.C:
		}
		err := s.proxyAnswers(r.host, attempt)
		if r.left() {
			return
		}
		if s.ctx.Err() != nil || cause.Of(err) == cause.TooManyFiles {
			continue
		}
		attempt++
		if err == nil {
			attempt = 1
		}
		s.mu.Lock()
		if r.reachable != (err == nil) {
			r.reachable = err == nil
			s.log.Info("peer reachability", "peer", r.host.GetName(), "reachable", r.reachable)
			s.wake()
		}
		s.mu.Unlock()
	}
}

// proxyAnswers makes the connectivity check that operators make by hand.
func (s *Supernode) proxyAnswers(host *pb.Host, attempt int) error {
	target := net.JoinHostPort(host.GetIp(), strconv.Itoa(int(host.GetProxyPort())))
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Profile.CheckTimeout)
	defer cancel()
	err := func() error {
		transfer, _, err := wire.Get(ctx, s.probe, "http://"+target+"/healthy", "", s.cfg.Profile)
		if err != nil {
			return err
		}
		defer func() { _ = transfer.Close() }()
		if _, err := io.Copy(io.Discard, transfer); err != nil {
			return err
		}
		if transfer.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: status %s", cause.ErrBadAnswer, transfer.Status)
		}
		return nil
	}()
	if err != nil && s.ctx.Err() == nil {
		s.probe.CloseIdleConnections() // none of them may be a dead one
		s.reporter.Failed(diag.Check, target, host.GetIp(), attempt, err)
	}
	return err
}
