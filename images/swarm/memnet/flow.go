package memnet

import (
	"net"
	"syscall"
	"time"
)

const (
	// windowBytes is how much of one direction is under way or unread at most.
	windowBytes = 256 << 10
	// segmentBytes is the most that travels as one.
	segmentBytes = 32 << 10
)

// pair is one connection. All fields are guarded by the network's mu.
type pair struct {
	net            *Network
	link           Link
	client, server *end
	up, down       *flow
}

func newPair(n *Network, client, server *Host, link Link, network string, from, to net.Addr) *pair {
	p := &pair{net: n, link: link}
	p.client = &end{net: n, pair: p, network: network, local: from, remote: to, wake: make(chan struct{})}
	p.server = &end{net: n, pair: p, network: network, local: to, remote: from, wake: make(chan struct{})}
	p.up = &flow{pair: p, way: Up, sender: p.client, receiver: p.server, from: client, to: server, fromBoots: client.boots, toBoots: server.boots}
	p.down = &flow{pair: p, way: Down, sender: p.server, receiver: p.client, from: server, to: client, fromBoots: server.boots, toBoots: client.boots}
	p.client.out, p.client.in = p.up, p.down
	p.server.out, p.server.in = p.down, p.up
	n.pairs[p] = struct{}{}
	return p
}

// reset breaks the connection for both ends.
func (p *pair) reset() {
	p.client.fail(syscall.ECONNRESET)
	p.server.fail(syscall.ECONNRESET)
}

// forget drops a connection of which nobody has an end any more, once all is delivered.
func (p *pair) forget() {
	if p.client.closed && p.server.closed && (len(p.up.flight)+len(p.down.flight) == 0 || p.net.silent(p.link, both)) {
		delete(p.net.pairs, p)
		p.up.flight, p.down.flight = nil, nil
	}
}

// flow is one direction of a connection: what is under way, and what came and is unread.
type flow struct {
	pair               *pair
	way                Way
	sender, receiver   *end
	from, to           *Host
	fromBoots, toBoots int

	flight []segment
	flying int // bytes in flight
	ready  []byte
	ended  bool
	clear  time.Time // when the last segment has left, at the link's rate
	timer  *time.Timer
}

// segment is what travels as one: bytes, or an end.
type segment struct {
	data     []byte
	fin, rst bool
	due      time.Time
}

func (f *flow) room() int { return max(0, windowBytes-f.flying-len(f.ready)) }

// take reads what came.
func (f *flow) take(p []byte) int {
	n := copy(p, f.ready)
	if f.ready = f.ready[n:]; len(f.ready) == 0 {
		f.ready = nil
	}
	f.sender.ring()
	return n
}

// push sends a segment.
func (f *flow) push(s segment) {
	n, now := f.pair.net, time.Now()
	if f.clear.Before(now) {
		f.clear = now
	}
	if rate := n.rate(f.pair.link); rate > 0 {
		f.clear = f.clear.Add(time.Duration(len(s.data)) * time.Second / time.Duration(rate))
	}
	s.due = f.clear.Add(n.delay(f.pair.link, f.way))
	f.flight = append(f.flight, s)
	f.flying += len(s.data)
	f.pump()
}

// pump delivers, in order, what is due and not held back; a timer or the next change
// of the network goes on with the rest.
func (f *flow) pump() {
	for len(f.flight) > 0 && !f.pair.net.silent(f.pair.link, f.way) {
		if wait := time.Until(f.flight[0].due); wait > 0 {
			if f.timer != nil {
				f.timer.Stop()
			}
			f.timer = time.AfterFunc(wait, func() {
				f.pair.net.mu.Lock()
				defer f.pair.net.mu.Unlock()
				f.pump()
			})
			return
		}
		s := f.flight[0]
		f.flight = f.flight[1:]
		f.flying -= len(s.data)
		f.arrive(s)
	}
	f.pair.forget()
}

func (f *flow) arrive(s segment) {
	back := f.receiver.out
	switch {
	case f.fromBoots != f.from.boots && !s.rst:
		// The last words of a program whose host was switched off.
	case s.rst:
		f.receiver.fail(syscall.ECONNRESET)
	case f.toBoots != f.to.boots, f.receiver.closed && !s.fin:
		back.push(segment{rst: true})
	case f.pair.net.resets(f.pair.link):
		f.pair.reset()
	case s.fin:
		f.ended = true
		f.receiver.ring()
	default:
		f.ready = append(f.ready, s.data...)
		f.receiver.ring()
	}
}
