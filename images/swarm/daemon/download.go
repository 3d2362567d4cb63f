package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/pb"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

// chunkBytes is how much of a file one message to dfget carries.
const chunkBytes = 256 << 10

// errNoSeed refuses to preheat where nobody would be sent for the file.
var errNoSeed = fmt.Errorf("%w: this peer is no seed, and preheating is for seeds", cause.ErrBadAnswer)

// Download gives dfget a part of a file through the swarm, in order, as the pieces
// come; or it makes this seed bring the file into the swarm, and gives nothing.
func (d *Daemon) Download(req *pb.DownloadRequest, stream grpc.ServerStreamingServer[pb.DownloadEvent]) error {
	part := piece.Part{Offset: req.GetOffset(), Length: req.GetLength()}
	switch {
	case part.Offset < 0 || part.Length < 0:
		return cause.Refuse(codes.InvalidArgument, d.host.GetName(), fmt.Errorf("%w: %d bytes from %d on", cause.ErrBadAnswer, part.Length, part.Offset))
	case req.GetPreheat() && !d.cfg.Seed:
		return cause.Refuse(codes.FailedPrecondition, d.host.GetName(), errNoSeed)
	case req.GetPreheat():
		part = piece.Part{}
	}
	var before view
	if here := d.held(piece.TaskID(req.GetUrl(), req.GetDigest())); here != nil {
		before = here.view()
	}
	t := d.obtain(req.GetUrl(), req.GetDigest(), part, req.GetPreheat())
	defer t.unpin()
	moved := t.view().base
	if before.sated() || !before.running && t.view().runs == before.runs {
		moved = before.from // what a run moved that has only to end, or is over, was not for this
	}
	sent, err := d.handOver(t, part, req.GetPreheat(), stream)
	if err != nil {
		return cause.Refuse(codes.Aborted, d.host.GetName(), err)
	}
	v := t.view()
	event := v.event()
	event.Result = &pb.DownloadResult{
		Bytes: sent, Sha256: v.sha,
		FromOrigin: v.from[fromOrigin] - moved[fromOrigin],
		FromSeeds:  v.from[fromSeed] - moved[fromSeed],
		FromPeers:  v.from[fromPeer] - moved[fromPeer],
	}
	return stream.Send(event)
}

// handOver sends the part as it comes; with mute, only how much has come.
func (d *Daemon) handOver(t *task, part piece.Part, mute bool, stream grpc.ServerStreamingServer[pb.DownloadEvent]) (sent int64, err error) {
	tell := func() error { return stream.Send(t.view().event()) }
	if mute {
		ticker := time.NewTicker(pieceBeat(d.cfg.Profile))
		defer ticker.Stop()
		if err := tell(); err != nil {
			return 0, err
		}
		_, err := t.await(stream.Context(), ticker.C, func(v view) bool { return v.done }, tell)
		return 0, err
	}
	return sent, t.stream(stream.Context(), pieceBeat(d.cfg.Profile), part, func(data []byte) error {
		if len(data) == 0 {
			return tell()
		}
		for len(data) > 0 {
			event := t.view().event()
			event.Chunk = data[:min(len(data), chunkBytes)]
			if err := stream.Send(event); err != nil {
				return fmt.Errorf("hand over to dfget: %w", err)
			}
			sent += int64(len(event.Chunk))
			data = data[len(event.Chunk):]
		}
		return nil
	})
}

// event says how far a task is.
func (v view) event() *pb.DownloadEvent {
	if !v.known {
		return &pb.DownloadEvent{Total: -1}
	}
	layout := v.layout()
	held := int64(v.count) * layout.Size
	if n := layout.Count(); n > 0 && v.held.Has(n-1) {
		_, last := layout.Span(n - 1)
		held += last - layout.Size
	}
	return &pb.DownloadEvent{Total: layout.Length, Held: held}
}

// statusOf is the HTTP status that tells a client of the proxy why it gets no file.
func statusOf(err error) int {
	switch why := cause.Of(err); {
	case errors.Is(err, errNoSuchPart):
		return http.StatusRequestedRangeNotSatisfiable
	case why == cause.NotFound:
		return http.StatusNotFound
	case why == cause.Forbidden:
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}
