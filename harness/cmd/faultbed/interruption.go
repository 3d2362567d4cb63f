package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness/report"
)

// parentEvery is how often faultbed looks whether its parent is still there.
const parentEvery = time.Second

// errInterrupted is why a context of an interruption ended.
var errInterrupted = errors.New("interrupted")

// interruption is the wish of the world that faultbed ends: Ctrl-C, a signal, or the
// death of its parent, which nobody would tell it otherwise. The first wish asks, the
// second insists.
type interruption struct {
	asked    context.Context // ends with the first wish
	insisted chan struct{}   // closed with the second
	signal   syscall.Signal  // of the first wish; read it when asked has ended
}

// interruptible is the RunE of a command that the user may interrupt: whatever else went
// wrong then, that is how it ended.
func interruptible(do func(*cobra.Command, *interruption, *screen) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		i, release := watchInterruption(cmd.Context())
		defer release()
		err := do(cmd, i, newScreen(cmd.OutOrStdout()))
		if err != nil && i.happened() {
			return exit{report.ExitInterrupted, errInterrupted}
		}
		return err
	}
}

// watchInterruption listens until release is called.
func watchInterruption(ctx context.Context) (i *interruption, release func()) {
	asked, cancel := context.WithCancelCause(ctx)
	i = &interruption{asked: asked, insisted: make(chan struct{}), signal: syscall.SIGTERM}
	wanted := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	// Under nohup a hangup, and with it the parent's end, is not to be minded.
	minded := !signal.Ignored(syscall.SIGHUP)
	if minded {
		wanted = append(wanted, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, wanted...)
	over := make(chan struct{})
	go i.watch(signals, minded, over, cancel)
	return i, func() {
		signal.Stop(signals)
		close(over)
		cancel(nil)
	}
}

func (i *interruption) watch(signals <-chan os.Signal, minded bool, over <-chan struct{}, cancel context.CancelCauseFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(parentEvery)
	defer tick.Stop()
	wishes := 0
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			if wishes > 0 || !minded || os.Getppid() == parent {
				continue
			}
		case s := <-signals:
			if s, ok := s.(syscall.Signal); ok && wishes == 0 && s == syscall.SIGINT {
				i.signal = s
			}
		}
		switch wishes++; wishes {
		case 1:
			cancel(errInterrupted)
		case 2:
			close(i.insisted)
			return
		}
	}
}

// errEnough is why a part of what is under way was ended before the rest.
var errEnough = errors.New("it has shown enough")

// part is an interruption of something that may also end alone: by stop, which is to be
// called in any case.
func (i *interruption) part() (part *interruption, stop func()) {
	asked, cancel := context.WithCancelCause(i.asked)
	return &interruption{asked: asked, insisted: i.insisted, signal: syscall.SIGINT}, func() { cancel(errEnough) }
}

// enough says whether this part was ended alone.
func (i *interruption) enough() bool { return errors.Is(context.Cause(i.asked), errEnough) }

// happened says whether the first wish was uttered.
func (i *interruption) happened() bool {
	return errors.Is(context.Cause(i.asked), errInterrupted)
}
