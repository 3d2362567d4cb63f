package memnet

import (
	"slices"
	"time"
)

// Link is the way from clients to servers: "" is any host, port 0 any port. Bytes go
// over it both ways. A host's connections to itself are on no link but one that names
// it twice.
type Link struct {
	Client, Server string
	Port           int
}

// Around is all links from and to a host.
func Around(host string) []Link { return []Link{{Client: host}, {Server: host}} }

// Between is all links between two hosts, whoever calls.
func Between(a, b string) []Link { return []Link{{Client: a, Server: b}, {Client: b, Server: a}} }

// To is all links to a host's port.
func To(host string, port int) []Link { return []Link{{Server: host, Port: port}} }

func (l Link) covers(other Link) bool {
	if other.Client == other.Server && l.Client != l.Server {
		return false
	}
	return (l.Client == "" || l.Client == other.Client) && (l.Server == "" || l.Server == other.Server) &&
		(l.Port == 0 || l.Port == other.Port)
}

// Way is a direction on a link; zero in a fault is both.
type Way uint8

// Up is from client to server, Down back.
const (
	Up Way = 1 << iota
	Down
)

const both = Up | Down

func (w Way) orBoth() Way {
	if w == 0 {
		return both
	}
	return w
}

// Fault is something that can be injected.
type Fault interface{ rule() *rule }

// Drop is silence: connects hang, and what is written waits until the fault is healed.
type Drop struct {
	Links []Link
	Way   Way
}

// Refuse refuses new connections; open ones go on.
type Refuse struct{ Links []Link }

// Reset resets open connections at once, and new ones at their first bytes.
type Reset struct{ Links []Link }

// Delay makes bytes take longer.
type Delay struct {
	Links []Link
	Way   Way
	By    time.Duration
}

// Slow bounds each direction of each connection, in bytes per second.
type Slow struct {
	Links []Link
	Rate  int64
}

func (f Drop) rule() *rule   { return &rule{links: f.Links, drop: f.Way.orBoth()} }
func (f Refuse) rule() *rule { return &rule{links: f.Links, refuse: true} }
func (f Reset) rule() *rule  { return &rule{links: f.Links, reset: true} }
func (f Delay) rule() *rule  { return &rule{links: f.Links, delay: f.By, delayWay: f.Way.orBoth()} }
func (f Slow) rule() *rule   { return &rule{links: f.Links, rate: f.Rate} }

// rule is a fault in force.
type rule struct {
	links         []Link
	drop          Way
	refuse, reset bool
	delay         time.Duration
	delayWay      Way
	rate          int64
}

func (r *rule) covers(l Link) bool {
	return slices.ContainsFunc(r.links, func(own Link) bool { return own.covers(l) })
}
