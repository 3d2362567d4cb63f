package daemon

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// pieceBeat is the pace of heartbeats on lists and seed progress: four within a stall limit.
func pieceBeat(p timers.Profile) time.Duration { return p.StallTimeout / 4 }

// ObtainTask makes this peer, as a seed, fetch a task from its origin. The first
// answer comes at once, as a sign of life.
func (d *Daemon) ObtainTask(req *pb.ObtainRequest, stream grpc.ServerStreamingServer[pb.ObtainProgress]) error {
	if err := swarm.CheckProtocol("seed", d.can, "supernode", req.GetRelease(), req.GetProtocol()); err != nil {
		return cause.Refuse(codes.FailedPrecondition, d.host.GetName(), err)
	}
	if !d.cfg.Seed { // a name that leads astray must not make a peer fetch for all
		return cause.Refuse(codes.FailedPrecondition, d.host.GetName(), errNoSeed)
	}
	t := d.obtain(req.GetWant().GetUrl(), req.GetWant().GetDigest(), piece.Part{}, true)
	defer t.unpin()
	ticker := time.NewTicker(pieceBeat(d.cfg.Profile))
	defer ticker.Stop()
	for {
		v := t.view()
		if err := stream.Send(&pb.ObtainProgress{Host: d.host, HeldPieces: int64(v.count), Complete: v.done}); err != nil || v.done {
			return err
		}
		if !v.running && v.err != nil {
			return cause.Refuse(codes.Aborted, d.host.GetName(), v.err)
		}
		select {
		case <-v.changed:
		case <-ticker.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-d.ctx.Done():
			return status.Error(codes.Unavailable, "the seed stops")
		}
	}
}

// SyncPieces tells a child which pieces of a task are here, at each change and at
// each heartbeat; a child that falls silent is let go.
func (d *Daemon) SyncPieces(stream grpc.BidiStreamingServer[pb.SyncRequest, pb.PieceSet]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := swarm.CheckProtocol("parent", d.can, "child", first.GetRelease(), first.GetProtocol()); err != nil {
		return cause.Refuse(codes.FailedPrecondition, d.host.GetName(), err)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	silence := time.AfterFunc(d.cfg.Profile.Lease, func() { cancel(cause.ErrStalled) })
	defer silence.Stop()
	d.work.Go(func() {
		for {
			if _, err := stream.Recv(); err != nil {
				cancel(err)
				return
			}
			silence.Reset(d.cfg.Profile.Lease)
		}
	})
	ticker := time.NewTicker(pieceBeat(d.cfg.Profile))
	defer ticker.Stop()
	var sent []byte
	beat := true
	for {
		set, changed := d.pieceSet(first.GetTask())
		if beat || !bytes.Equal(sent, set.GetPieces()) {
			if err := stream.Send(set); err != nil {
				return err
			}
			sent = set.GetPieces()
		}
		beat = false
		select {
		case <-changed:
		case <-ticker.C:
			beat = true
		case <-ctx.Done():
			return status.Error(codes.Canceled, context.Cause(ctx).Error())
		case <-d.ctx.Done():
			return status.Error(codes.Unavailable, "the parent stops")
		}
	}
}

// pieceSet is what is held of a task; nothing, of one that is not here (yet).
func (d *Daemon) pieceSet(id string) (*pb.PieceSet, <-chan struct{}) {
	t := d.held(id)
	if t == nil {
		return &pb.PieceSet{Task: &pb.Task{Id: id}}, nil
	}
	v := t.view()
	return &pb.PieceSet{Task: v.meta, Pieces: v.held}, v.changed
}
