package agent

import (
	"context"
	"errors"
	"io/fs"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrGone says that faultd does not answer (any more).
	ErrGone = errors.New("faultd is gone")
	// ErrExists says that this owner has rules in force already.
	ErrExists = errors.New("owner exists already")
	// ErrNodeGone says that the container does not run, or is not of this session.
	ErrNodeGone = errors.New("node is gone")
)

// Error is a refusal or failure reported by faultd. It unwraps to the sentinel
// that fits: ErrGone, ErrExists, ErrNodeGone, fs.ErrNotExist, fs.ErrPermission
// (a wrong token), context.Canceled or context.DeadlineExceeded.
type Error struct {
	// Message says what failed and why, with the node's name.
	Message string
	cause   error
}

// Error returns the message, marked as coming from the kernel's side.
func (e *Error) Error() string { return "kernel: " + e.Message }

// Unwrap returns the sentinel, if one fits.
func (e *Error) Unwrap() error { return e.cause }

var sentinels = map[codes.Code]error{
	codes.Unavailable:        ErrGone,
	codes.AlreadyExists:      ErrExists,
	codes.FailedPrecondition: ErrNodeGone,
	codes.NotFound:           fs.ErrNotExist,
	codes.Unauthenticated:    fs.ErrPermission,
	codes.Canceled:           context.Canceled,
	codes.DeadlineExceeded:   context.DeadlineExceeded,
}

// translate turns a gRPC error into an *Error; nil stays nil.
func translate(err error) error {
	if err == nil {
		return nil
	}
	answer, ok := status.FromError(err)
	if !ok {
		return &Error{Message: err.Error(), cause: err}
	}
	return &Error{Message: answer.Message(), cause: sentinels[answer.Code()]}
}
