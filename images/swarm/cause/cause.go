// Package cause names why a connection failed, from the error alone.
package cause

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/pb"
)

// Cause is why a connection failed, in words that an operator knows.
type Cause string

// The causes that a log line can name.
const (
	Refused         Cause = "refused"
	TimedOut        Cause = "timed out"
	NoSuchHost      Cause = "no such host"
	Unreachable     Cause = "unreachable"
	TooManyFiles    Cause = "too many open files"
	VersionMismatch Cause = "version mismatch"
	Reset           Cause = "reset"
	Stalled         Cause = "stalled"
	Closed          Cause = "closed"
	// BadAnswer: the far end lives and answered, but not with what was asked.
	BadAnswer Cause = "bad answer"
	// NoSpace: the disk, or the quota, of who says so has no room.
	NoSpace Cause = "no space"
	// NotFound and Forbidden: the origin refuses the file, or to whom asks.
	NotFound  Cause = "not found"
	Forbidden Cause = "forbidden"
	// Corrupt: what came is not what its digest promised.
	Corrupt Cause = "corrupt"
)

// all are the causes that are believed when others state them: each is a label of metrics.
var all = []Cause{
	Refused, TimedOut, NoSuchHost, Unreachable, TooManyFiles, VersionMismatch, Reset, Stalled, Closed, BadAnswer,
	NotFound, Forbidden, Corrupt, NoSpace,
}

// Errors that carry their cause.
var (
	ErrStalled   = errors.New("stalled: no progress within the limit")
	ErrBadAnswer = errors.New("bad answer")
	ErrCorrupt   = errors.New("digest mismatch")
	ErrNoSpace   = errors.New("no space")
	ErrNotFound  = errors.New("not found")
	ErrForbidden = errors.New("forbidden")
)

// errnos orders the system errors from the most telling to the least.
var errnos = []struct {
	errno syscall.Errno
	cause Cause
}{
	{syscall.EMFILE, TooManyFiles},
	{syscall.ENFILE, TooManyFiles},
	{syscall.ECONNREFUSED, Refused},
	{syscall.EHOSTUNREACH, Unreachable},
	{syscall.ENETUNREACH, Unreachable},
	{syscall.ECONNRESET, Reset},
	{syscall.EPIPE, Reset},
}

// texts are for errors that reached us as text only, across a process border.
var texts = []struct {
	part  string
	cause Cause
}{
	{"version mismatch", VersionMismatch},
	{"too many open files", TooManyFiles},
	{"no such host", NoSuchHost},
	{"server misbehaving", BadAnswer}, // package net's word for a name server that fails
	{"connection refused", Refused},
	{"no route to host", Unreachable},
	{"network is unreachable", Unreachable},
	{"connection reset", Reset},
	{"broken pipe", Reset},
	{"i/o timeout", TimedOut},
	{"deadline exceeded", TimedOut},
	{"keepalive ping failed", Stalled},
	{"EOF", Closed},
}

// Of classifies err. It returns "" for nil.
func Of(err error) Cause {
	if err == nil {
		return ""
	}
	if stated := Cause(RefusalOf(err).GetCause()); slices.Contains(all, stated) {
		return stated
	}
	switch {
	case errors.Is(err, swarm.ErrVersionMismatch):
		return VersionMismatch
	case errors.Is(err, ErrStalled):
		return Stalled
	case errors.Is(err, ErrCorrupt):
		return Corrupt
	case errors.Is(err, ErrNoSpace), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return NoSpace
	case errors.Is(err, ErrNotFound):
		return NotFound
	case errors.Is(err, ErrForbidden):
		return Forbidden
	case errors.Is(err, ErrBadAnswer):
		return BadAnswer
	}
	for _, e := range errnos {
		if errors.Is(err, e.errno) {
			return e.cause
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return NoSuchHost
	}
	for _, t := range texts {
		if strings.Contains(err.Error(), t.part) {
			return t.cause
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout(), status.Code(err) == codes.DeadlineExceeded:
		return TimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.Canceled), status.Code(err) == codes.Unavailable, status.Code(err) == codes.Canceled:
		return Closed
	}
	return BadAnswer
}

// RefusalOf returns the refusal that the far end attached to a status, or nil.
func RefusalOf(err error) *pb.Refusal {
	var graced interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &graced) {
		return nil
	}
	for _, d := range graced.GRPCStatus().Details() {
		if r, ok := d.(*pb.Refusal); ok {
			return r
		}
	}
	return nil
}

// Refuse builds the status error of a refusal, for servers.
func Refuse(code codes.Code, target string, why error) error {
	// URLs of users and texts of strangers are in there: what is no UTF-8 cannot travel.
	reason := strings.ToValidUTF8(why.Error(), "\uFFFD")
	st := status.New(code, reason)
	if detailed, err := st.WithDetails(&pb.Refusal{Target: strings.ToValidUTF8(target, "\uFFFD"), Cause: string(Of(why)), Reason: reason}); err == nil {
		st = detailed
	}
	return st.Err()
}
