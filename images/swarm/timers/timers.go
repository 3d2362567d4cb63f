// Package timers names every duration and retry bound of the reference swarm, in
// two profiles: fast for test beds, production with the values of a deployment.
// It is the one source of truth: the harness derives its own bounds from here.
package timers

import (
	"fmt"
	"time"
)

// Profile is one set of timers.
type Profile struct {
	Name string
	// Heartbeat is the pace of announcements, and of frames on piece lists.
	Heartbeat time.Duration
	// Lease is how long either side of an announce stream bears silence.
	Lease time.Duration
	// CheckInterval is the pace at which a supernode calls its peers back, and
	// peers each other.
	CheckInterval time.Duration
	// CheckTimeout bounds one such call; it is longer than a connect, so that a
	// connect that fails is told from an answer that does not come.
	CheckTimeout time.Duration
	// DialTimeout bounds a TCP connect with its name lookup.
	DialTimeout time.Duration
	// RPCTimeout bounds a unary call between nodes.
	RPCTimeout time.Duration
	// RegisterTimeout bounds a register call, in which the supernode calls back.
	RegisterTimeout time.Duration
	// StallTimeout bounds the time without one byte of progress in a transfer.
	StallTimeout time.Duration
	// PieceTimeout bounds the transfer of one whole piece.
	PieceTimeout time.Duration
	// RetryInitial and RetryMax bound the exponential backoff of all retries.
	RetryInitial time.Duration
	RetryMax     time.Duration
	// RefusedRetry is the pace of a peer that was refused for its version.
	RefusedRetry time.Duration
	// ScheduleTimeout is how long a download waits without progress for parents
	// before it goes to the origin by itself.
	ScheduleTimeout time.Duration
	// SeedFirstByte bounds the wait for a triggered seed's first sign of life.
	SeedFirstByte time.Duration
	// FailureAgeOut is when a reported upload failure is forgiven.
	FailureAgeOut time.Duration
	// SourceAgeOut is when a supernode tries the seeds again for a task that it
	// ordered back to source.
	SourceAgeOut time.Duration
	// ResolveInterval is the pace at which a peer looks whether the name of its
	// supernode still leads to the address that it is connected with.
	ResolveInterval time.Duration
	// StartGrace is how long a peer of a release without retries bears a
	// supernode that has not started yet (no such host, refused, closed).
	StartGrace time.Duration
	// LeaveTimeout bounds the goodbye of a node that is told to stop.
	LeaveTimeout time.Duration
	// DrainTimeout bounds the time that a peer which has said goodbye gives to the
	// uploads under way before it closes its ports.
	DrainTimeout time.Duration
}

// Fast has timers of fractions of a second, for test beds on slow machines.
var Fast = Profile{
	Name:            "fast",
	Heartbeat:       300 * time.Millisecond,
	Lease:           2 * time.Second,
	CheckInterval:   500 * time.Millisecond,
	CheckTimeout:    1300 * time.Millisecond,
	DialTimeout:     time.Second,
	RPCTimeout:      1500 * time.Millisecond,
	RegisterTimeout: 2500 * time.Millisecond,
	StallTimeout:    1500 * time.Millisecond,
	PieceTimeout:    30 * time.Second,
	RetryInitial:    100 * time.Millisecond,
	RetryMax:        time.Second,
	RefusedRetry:    2 * time.Second,
	ScheduleTimeout: 4 * time.Second,
	SeedFirstByte:   time.Second,
	FailureAgeOut:   5 * time.Second,
	SourceAgeOut:    3 * time.Second,
	ResolveInterval: time.Second,
	StartGrace:      5 * time.Second,
	LeaveTimeout:    400 * time.Millisecond,
	DrainTimeout:    3 * time.Second,
}

// Production has the pace of a Dragonfly 2.2 deployment where that has one:
// announce 30 s, health calls 2 s, connect 2 to 10 s, scheduling 30 s in the
// official templates, piece 30 s, retries from 0.5 s to 3 s, resolver 10 s.
var Production = Profile{
	Name:            "production",
	Heartbeat:       30 * time.Second,
	Lease:           90 * time.Second,
	CheckInterval:   10 * time.Second,
	CheckTimeout:    3 * time.Second,
	DialTimeout:     2 * time.Second,
	RPCTimeout:      5 * time.Second,
	RegisterTimeout: 8 * time.Second,
	StallTimeout:    5 * time.Second,
	PieceTimeout:    30 * time.Second,
	RetryInitial:    500 * time.Millisecond,
	RetryMax:        3 * time.Second,
	RefusedRetry:    time.Minute,
	ScheduleTimeout: 30 * time.Second,
	SeedFirstByte:   2 * time.Second,
	FailureAgeOut:   time.Minute,
	SourceAgeOut:    30 * time.Second,
	ResolveInterval: 10 * time.Second,
	StartGrace:      30 * time.Second,
	LeaveTimeout:    400 * time.Millisecond,
	DrainTimeout:    8 * time.Second,
}

// ByName returns the profile of that name.
func ByName(name string) (Profile, error) {
	for _, p := range []Profile{Fast, Production} {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("unknown profile %q, known are fast, production", name)
}

// Slack is what bounds add for a machine with two busy cores.
const Slack = 2 * time.Second

// DropWithin bounds the time until a peer that fell silent, or whose gRPC port
// no longer answers, has left the count: the last good sign, a lease, one check
// under way.
func (p Profile) DropWithin() time.Duration {
	return p.Lease + p.CheckInterval + p.CheckTimeout + Slack
}

// HalfOpenWithin bounds the time until either end of an announce stream notices that
// nothing comes through any more, though nobody has closed it: a lease of silence.
func (p Profile) HalfOpenWithin() time.Duration { return p.Lease + p.Heartbeat + Slack }

// RejoinWithin bounds the time until a peer is counted again after the network
// is whole: it notices the loss (a lease of silence), sits out a backoff, spends
// one call begun under the fault on each of two supernodes, and registers.
func (p Profile) RejoinWithin() time.Duration {
	return p.Lease + p.RetryMax*3/2 + 3*p.RegisterTimeout + Slack
}

// NoticeWithin bounds the time until a supernode's list or a peer's own status
// shows a link that broke or healed: a check interval, a call that times out, a lease.
func (p Profile) NoticeWithin() time.Duration {
	return p.CheckInterval + p.CheckTimeout + p.Lease + p.RetryMax*3/2 + Slack
}

// FallbackWithin bounds the time in which a download turns from a dead parent
// or seed to the next source of its pieces.
func (p Profile) FallbackWithin() time.Duration {
	return p.StallTimeout + p.DialTimeout + p.SeedFirstByte + p.ScheduleTimeout + p.RetryMax*3/2 + Slack
}
