//go:build linux

package kernel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Outcome is what came of a probe, in one word.
type Outcome string

// The outcomes of a probe.
const (
	OK          Outcome = "ok"          // an answer (tcp: a connection)
	Refused     Outcome = "refused"     // a reset in answer to the first packet
	TimedOut    Outcome = "timeout"     // silence until the deadline
	WasReset    Outcome = "reset"       // a reset on the open connection
	Closed      Outcome = "closed"      // an orderly close before the answer
	Unreachable Outcome = "unreachable" // no route, or an ICMP answer
	ServFail    Outcome = "servfail"    // dns: the resolver could not find out
	NXDomain    Outcome = "nxdomain"    // dns: there is no such name
	Failed      Outcome = "error"       // anything else
)

// classify puts an error of a connection into one word.
func classify(err error) Outcome {
	var timeout net.Error
	var denied denial
	switch {
	case err == nil:
		return OK
	case errors.Is(err, unix.ECONNREFUSED):
		return Refused
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return WasReset
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTDOWN),
		errors.Is(err, unix.ENONET), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		return Unreachable // what the codes of ICMP become: icmp_err_convert of net/ipv4/icmp.c
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ETIMEDOUT):
		return TimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case errors.As(err, &denied):
		return denied.outcome()
	default:
		return Failed
	}
}
