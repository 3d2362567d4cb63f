package dfget

import (
	"context"
	"errors"

	"github.com/faultbed/faultbed/images/swarm/cause"
)

// Exit codes of the commands dfget and preheat.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitDigest   = 2  // what came is not what was promised
	ExitOrigin   = 3  // the origin refuses: 404, 410, 401 or 403
	ExitTimeout  = 4  // not done within the limit
	ExitBadUsage = 64 // wrong arguments: nothing was tried
)

// errLimit is the end of a request that was not done in time.
var errLimit = errors.New("not done within the limit")

// Result is the outcome, as --json prints it. SHA256 is that of what came, which with
// a part is not that of the file.
type Result struct {
	OK     bool        `json:"ok"`
	Bytes  int64       `json:"bytes"`
	SHA256 string      `json:"sha256"`
	TookMS int64       `json:"took_ms"`
	From   From        `json:"from"`
	Error  string      `json:"error"`
	Cause  cause.Cause `json:"cause,omitempty"`
	Mode   string      `json:"mode"`

	late bool
}

// From counts the bytes that were moved for this request by the kind of node that
// gave them; a file that the daemon already held moves none.
type From struct {
	Origin int64 `json:"origin"`
	Seeds  int64 `json:"seeds"`
	Peers  int64 `json:"peers"`
}

// settle fills in how the request ended.
func (r *Result) settle(ctx context.Context, err error) {
	r.OK = err == nil
	if err == nil {
		return
	}
	r.late = errors.Is(context.Cause(ctx), errLimit)
	if why := context.Cause(ctx); why != nil && !errors.Is(err, why) {
		err = chain{why, err}
	}
	r.Error, r.Cause = err.Error(), cause.Of(err)
	if r.late {
		r.Cause = cause.TimedOut
	}
}

// ExitCode is how the command ends for this result.
func (r Result) ExitCode() int {
	switch {
	case r.OK:
		return ExitOK
	case r.late:
		return ExitTimeout
	case r.Cause == cause.Corrupt:
		return ExitDigest
	case r.Cause == cause.NotFound || r.Cause == cause.Forbidden:
		return ExitOrigin
	}
	return ExitFailed
}

// chain is an error after another one, in one line; the cause is that of the last.
type chain struct{ first, last error }

func (c chain) Error() string { return c.first.Error() + "; then " + c.last.Error() }

func (c chain) Unwrap() []error { return []error{c.last, c.first} }

// refused is the daemon's word of why it does not help.
type refused struct {
	reason string
	error
}

func (r refused) Error() string { return "daemon: " + r.reason }

func (r refused) Unwrap() error { return r.error }
