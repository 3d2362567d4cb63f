package agent

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// Probe runs probes in parallel. Results come in the order of the probes; a
// probe that fails is a result, not an error.
func (c *Client) Probe(ctx context.Context, probes []Probe) ([]ProbeResult, error) {
	request := &agentpb.ProbeRequest{}
	for _, probe := range probes {
		request.Probes = append(request.Probes, &agentpb.ProbeSpec{
			Node:     probe.Node,
			Target:   probe.Target.String(),
			Protocol: probe.Protocol,
			Path:     probe.Path,
			Pad:      int32(probe.Pad),
			Bulk:     probe.Bulk,
			Timeout:  durationpb.New(probe.Timeout),
		})
	}
	answer, err := c.agent.Probe(ctx, request)
	if err != nil {
		return nil, translate(err)
	}
	results := make([]ProbeResult, 0, len(answer.GetResults()))
	for _, result := range answer.GetResults() {
		results = append(results, ProbeResult{
			Outcome:   result.GetOutcome(),
			Connect:   result.GetConnect().AsDuration(),
			FirstByte: result.GetFirstByte().AsDuration(),
			Total:     result.GetTotal().AsDuration(),
			Bytes:     result.GetBytes(),
			Detail:    result.GetDetail(),
			Wire:      wireFrom(result.GetWire()),
		})
	}
	return results, nil
}

func wireFrom(wire *agentpb.Wire) Wire {
	return Wire{
		SegmentsOut:   wire.GetSegmentsOut(),
		SegmentsIn:    wire.GetSegmentsIn(),
		Retransmitted: wire.GetRetransmitted(),
		OutOfOrder:    wire.GetOutOfOrder(),
		Duplicated:    wire.GetDuplicated(),
		PathMTU:       wire.GetPathMtu(),
		SendMSS:       wire.GetSendMss(),
		ReceiveMSS:    wire.GetReceiveMss(),
	}
}
