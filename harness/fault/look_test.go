package fault_test

import (
	"slices"
	"strings"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/toxic"
)

const segment = 1448

// look computes what a probe would see. The caller holds mu.
func (w *world) look(l fault.Look) history.Reading {
	switch {
	case w.killed[l.Edge.Client]: // nothing can be asked out of it
		return history.Reading{Link: l.Edge.String(), Outcome: agent.OutcomeError}
	case l.Ask.Name != "":
		return w.resolve(l)
	case l.Ask.UDP != 0:
		return w.datagram(l)
	}
	if l.Ask.Bulk > 0 && !w.Speaks(l.Edge).Bulk {
		l.Ask.Bulk = 0
	}
	r := history.Reading{
		Link: l.Edge.String(), Outcome: agent.OutcomeOK, ConnectMS: 0.5, RTTMS: 1, TotalMS: 2, Bytes: int64(l.Ask.Bulk), Digest: "true",
		Wire: history.Wire{SegmentsOut: uint32(3 + l.Ask.Pad/segment), SegmentsIn: uint32(3 + l.Ask.Bulk/segment), PathMTU: 1500, SendMSS: segment, ReceiveMSS: segment},
	}
	for owner, rules := range w.rules {
		for k, rule := range rules {
			w.meet(&r, l, owner, k, rule)
		}
	}
	w.shaped(&r, l)
	for _, t := range w.toxics[l.Edge.String()] {
		poison(&r, l, t)
	}
	if mtu, ok := w.learned[l.Edge.Client+" to "+l.Edge.Server]; ok && l.Ask.Pad > 0 {
		r.Wire.PathMTU = uint32(mtu)
	}
	if mtu, ok := w.learned["proxy to "+l.Edge.Client]; ok && l.Ask.Bulk > 0 {
		r.Wire.ReceiveMSS = uint32(mtu - 52)
	}
	if n, limited := w.nofile[l.Edge.Server]; w.paused[l.Edge.Server] || limited && n <= openFiles {
		r.Outcome = agent.OutcomeTimeout
	}
	return r
}

// meet lets a probe's packets meet a rule.
func (w *world) meet(r *history.Reading, l fault.Look, owner string, k int, rule agent.Rule) {
	_, listener := w.Listener(l.Edge)
	here := rule.Node == "proxy" || rule.Node == l.Edge.Client
	about := slices.Contains(rule.Ports, listener) || rule.Node == l.Edge.Client && slices.Contains(rule.Originals, w.Destination(l.Edge))
	if !here || !about || rule.Node == w.deaf {
		return
	}
	payload, packets := l.Ask.Pad, int(r.Wire.SegmentsOut)
	if rule.Direction == agent.Downstream {
		payload, packets = l.Ask.Bulk, int(r.Wire.SegmentsIn)
	}
	if rule.LongerThan > 0 {
		packets = payload / segment
	}
	if w.caught[owner] == nil {
		w.caught[owner] = map[int]*agent.Count{}
	}
	if w.caught[owner][k] == nil {
		w.caught[owner][k] = &agent.Count{Rule: k}
	}
	count := w.caught[owner][k]
	count.Seen += uint64(packets)
	hit := packets
	if s := rule.Sample; s.PerMillion > 0 {
		hit = int(count.Seen*uint64(s.PerMillion)/1_000_000 - count.Packets) // exactly as many as asked, over all
	} else if len(s.Indices) > 0 {
		hit = 0
		for _, index := range s.Indices {
			if int(index) <= packets {
				hit++
			}
		}
	}
	count.Packets += uint64(hit)
	if hit > 0 {
		w.suffer(r, l, rule, hit, packets)
	}
}

// suffer is what a rule does to what is seen.
func (w *world) suffer(r *history.Reading, l fault.Look, rule agent.Rule, hit, packets int) {
	up := rule.Direction == agent.Upstream
	sampled := rule.Sample.PerMillion > 0 || len(rule.Sample.Indices) > 0
	switch {
	case (rule.Verdict == agent.Drop || rule.Verdict == agent.Corrupt) && sampled:
		if up {
			r.Wire.Retransmitted += uint32(hit)
		} else {
			r.Wire.OutOfOrder += uint32(hit)
		}
	case rule.Verdict == agent.Duplicate && up:
		r.Wire.Duplicated += uint32(hit)
	case rule.Verdict == agent.Duplicate:
		r.Wire.SegmentsIn += uint32(packets)
	case rule.Verdict == agent.TooBig && up:
		w.learned[l.Edge.Client+" to "+l.Edge.Server] = rule.LongerThan
	case rule.Verdict == agent.TooBig:
		w.learned["proxy to "+l.Edge.Client] = rule.LongerThan
	case rule.Verdict == agent.Reset || rule.Verdict == agent.Unreach && rule.Code == 3:
		r.Outcome = agent.OutcomeRefused
	case rule.Verdict == agent.Unreach:
		r.Outcome = agent.OutcomeUnreachable
	default:
		r.Outcome, r.Bytes = agent.OutcomeTimeout, 0
		r.ConnectMS = 0
	}
}

// shaped lets a probe's bytes wait in line.
func (w *world) shaped(r *history.Reading, l fault.Look) {
	_, listener := w.Listener(l.Edge)
	for owner, rates := range w.rates {
		for k, rate := range rates {
			size := 0
			switch {
			case rate.Direction == agent.Upstream && rate.Node == l.Edge.Client && rate.Original == w.Destination(l.Edge):
				size = l.Ask.Pad
			case rate.Direction == agent.Downstream && rate.Port == listener:
				size = l.Ask.Bulk
			default:
				continue
			}
			w.flows[owner][k] += uint64(size + 100)
			r.TotalMS += 1000 * float64(size) / float64(rate.BytesPerSecond)
		}
	}
}

// poison is what a toxic does to what is seen.
func poison(r *history.Reading, l fault.Look, t toxic.Toxic) {
	size := func(s toxic.Stream) float64 {
		if s == toxic.Upstream {
			return float64(l.Ask.Pad)
		}
		return float64(l.Ask.Bulk)
	}
	switch t := t.(type) {
	case toxic.Latency:
		r.RTTMS += float64(t.Delay.Milliseconds())
		r.TotalMS += float64(t.Delay.Milliseconds())
	case toxic.Bandwidth:
		r.TotalMS += 1000 * size(t.Stream) / float64(t.BytesPerSecond)
	case toxic.Slicer:
		slices := size(t.Stream) / float64(t.AverageBytes)
		r.TotalMS += slices * t.Delay.Seconds() * 1000
		r.Wire.SegmentsIn += uint32(slices)
	case toxic.SlowClose:
		if l.Ask.Close {
			r.TotalMS += float64(t.Delay.Milliseconds())
		}
	case toxic.ResetPeer:
		r.Outcome, r.Bytes = agent.OutcomeReset, 0
	case toxic.ResetAfter:
		if r.Bytes > t.Bytes {
			r.Outcome, r.Bytes = agent.OutcomeReset, t.Bytes
		}
	case toxic.LimitData:
		if r.Bytes > t.Bytes {
			r.Outcome, r.Bytes = agent.OutcomeClosed, t.Bytes
		}
	case toxic.Stall:
		if r.Bytes > t.AfterBytes || t.AfterBytes == 0 {
			r.Outcome, r.Bytes = agent.OutcomeTimeout, t.AfterBytes
		}
	case toxic.HalfOpen:
		r.Outcome, r.Bytes = agent.OutcomeTimeout, 0
	case toxic.Garble:
		if r.Bytes >= t.EveryBytes {
			r.Digest = "false"
		}
	}
}

// datagram is answered by the kernel of a server on which nobody listens.
func (w *world) datagram(l fault.Look) history.Reading {
	r := history.Reading{Link: l.Edge.String(), Outcome: agent.OutcomeRefused, RTTMS: 1, TotalMS: 1}
	for owner, rules := range w.rules {
		for k, rule := range rules {
			from, at := l.Edge.Client, l.Edge.Server
			if rule.Direction == agent.Downstream {
				from, at = at, from
			}
			if rule.Node != at || !slices.Contains(rule.Peers, w.Address(from)) || len(rule.UDP) > 0 && !slices.Contains(rule.UDP, uint16(l.Ask.UDP)) {
				continue
			}
			r.Outcome = agent.OutcomeTimeout
			if w.caught[owner] == nil {
				w.caught[owner] = map[int]*agent.Count{}
			}
			w.caught[owner][k] = &agent.Count{Rule: k, Packets: 1, Seen: 1}
		}
	}
	return r
}

// resolve answers for a name.
func (w *world) resolve(l fault.Look) history.Reading {
	r := history.Reading{Link: l.Edge.String(), Outcome: agent.OutcomeOK, RTTMS: 1, TotalMS: 1, Detail: w.Address(l.Ask.Name).String()}
	for owner, s := range w.spoofs {
		if !slices.Contains(s.nodes, l.Edge.Client) || len(s.Names) > 0 && !slices.Contains(s.Names, l.Ask.Name) {
			continue
		}
		w.asked[owner]++
		if s.Answer == agent.AnswerSlow {
			r.RTTMS += float64(s.Delay.Milliseconds())
			r.TotalMS += float64(s.Delay.Milliseconds())
			continue
		}
		r.Outcome = map[agent.Answer]string{
			agent.AnswerSilence: agent.OutcomeTimeout, agent.AnswerServFail: agent.OutcomeServFail,
			agent.AnswerNXDomain: agent.OutcomeNXDomain, agent.AnswerAddress: agent.OutcomeOK,
		}[s.Answer]
		r.Detail = ""
		var addresses []string
		for _, address := range s.Addresses {
			addresses = append(addresses, address.String())
		}
		r.Detail = strings.Join(addresses, ", ")
	}
	return r
}
