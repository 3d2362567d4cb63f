package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/faultbed/faultbed/harness/cluster"
)

// UndertakerVariable makes a program an undertaker: it names the session.
const UndertakerVariable = "FAULTBED_UNDERTAKER"

// How long an undertaker looks for what an engine still makes of a dead process's wishes.
const (
	undertakeFor   = 8 * time.Second
	undertakeEvery = 200 * time.Millisecond
)

// Undertake makes this process an undertaker, if that is what it was started for, and does
// not return then. A program that opens sessions calls it before all else.
//
// Between the making of faultd's container and its first look at its lease nobody but the
// process that opens the session knows of it: one that is killed there would leave it behind
// for good, and one that is interrupted would leave what the engine goes on making. So that
// process starts itself once more, in a session of the kernel's of its own, where no signal
// to a group reaches it, to wait for the one or the other.
func Undertake() {
	session := os.Getenv(UndertakerVariable)
	if session == "" {
		return
	}
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		os.Exit(0) // dismissed: faultd keeps watch
	}
	ctx, cancel := context.WithTimeout(context.Background(), undertakeFor)
	defer cancel()
	if err := bury(ctx, session); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// bury removes what there is of a session, and what still comes, until ctx ends.
func bury(ctx context.Context, session string) error {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return err
	}
	again := time.NewTicker(undertakeEvery)
	defer again.Stop()
	for {
		left, err := leftoversOf(ctx, engine, session)
		if err == nil {
			err = engine.Remove(ctx, left)
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// leftoversOf are the objects of one session.
func leftoversOf(ctx context.Context, engine *cluster.Engine, session string) ([]cluster.Leftover, error) {
	all, err := engine.Leftovers(ctx)
	var ours []cluster.Leftover
	for _, l := range all {
		if l.Session == session {
			ours = append(ours, l)
		}
	}
	return ours, err
}

// startUndertaker starts one for a session that is about to be opened, and returns how
// it is dismissed, or told that the session will not be.
func startUndertaker(session string) (end func(opened bool), err error) {
	if os.Getenv(UndertakerVariable) != "" {
		return nil, errors.New("start undertaker: this program opens sessions and does not call harness.Undertake")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start undertaker: %w", err)
	}
	cmd := exec.Command(self) //nolint:noctx // it is to outlive this process
	cmd.Env = append(os.Environ(), UndertakerVariable+"="+session)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe() // ends with this process
	if err != nil {
		return nil, fmt.Errorf("start undertaker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start undertaker: %w", err)
	}
	return func(opened bool) {
		if opened {
			_, _ = io.WriteString(in, "\n")
		}
		_ = in.Close()
		if opened { // else it has work to do, alone
			_ = cmd.Wait() // it has nothing to say
		}
	}, nil
}
