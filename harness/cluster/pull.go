package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/moby/moby/client"
)

// patience is how long a pull goes on without a word from the registry: until its first,
// and between two.
type patience struct{ first, next time.Duration }

// pullPatience gives a registry that is there time to answer, and a machine without one
// not much to wait for. The engine reports layers many times a second.
var pullPatience = patience{first: 20 * time.Second, next: time.Minute}

// Why a registry's silence ends a pull.
var (
	errNoAnswer = errors.New("no registry answers")
	errStalled  = errors.New("the registry went silent")
)

// Pull asks for an image by name and returns whether it came. A registry that does not
// answer, or does not have it, is no error; why it did not come is said on progress.
// Images that want a login are for the user to pull.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(line string)) (bool, error) {
	start := time.Now()
	slow := time.AfterFunc(saySlow, func() { progress("pulling " + ref) })
	defer slow.Stop()
	refusal, err := e.pull(ctx, ref, pullPatience)
	slow.Stop()
	if err != nil {
		return false, fmt.Errorf("pull image %s: %w", ref, err)
	}
	if refusal != nil {
		progress(fmt.Sprintf("pulling %s: not to be had: %v", ref, brief{refusal}))
		return false, nil
	}
	progress(fmt.Sprintf("pulling %s ... %s", ref, seconds(time.Since(start))))
	return true, nil
}

// pull returns why the image is not to be had, or what went wrong on the way.
func (e *Engine) pull(caller context.Context, ref string, p patience) (refusal, err error) {
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	first := time.AfterFunc(p.first, func() { cancel(errNoAnswer) })
	defer first.Stop()
	answer, err := e.client.ImagePull(ctx, ref, client.ImagePullOptions{})
	switch {
	case caller.Err() != nil:
		return nil, context.Cause(caller)
	case ctx.Err() != nil:
		return context.Cause(ctx), nil
	case client.IsErrConnectionFailed(err):
		return nil, err
	case err != nil:
		return err, nil
	}
	next := time.AfterFunc(p.first+p.next, func() { cancel(errStalled) })
	defer next.Stop()
	for message, err := range answer.JSONMessages(ctx) {
		switch {
		case ctx.Err() != nil:
			return silence(ctx)
		case err != nil:
			return nil, fmt.Errorf("read the engine's answer: %w", err)
		case message.Error != nil && refuses(message.Error.Code):
			return message.Error, nil
		case message.Error != nil:
			return nil, message.Error
		}
		first.Stop()
		next.Reset(p.next)
	}
	return silence(ctx) // a stream that was cut off may look like one that ended
}

// silence sorts why ctx ended a pull, if it did.
func silence(ctx context.Context) (refusal, err error) {
	if cause := context.Cause(ctx); !errors.Is(cause, errNoAnswer) {
		return nil, cause
	}
	return errNoAnswer, nil
}

// refuses says whether an error's code means that there is no such image for us. Engines
// with containerd's image store say so only after they have begun to answer.
func refuses(code int) bool {
	return code == http.StatusNotFound || code == http.StatusUnauthorized || code == http.StatusForbidden
}
