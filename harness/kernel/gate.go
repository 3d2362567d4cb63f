//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// gateSocket is the abstract unix socket (the @ is its leading zero byte)
	// on which images/gate waits in its own network namespace.
	gateSocket = "@faultbed-gate"
	// gateProgram is the name of images/gate's executable.
	gateProgram = "gate"
	// gateEvery is how often a gate that does not listen yet is tried; a
	// container's program starts within tens of milliseconds.
	gateEvery = 10 * time.Millisecond
	// gateAnswer bounds one try: a gate answers at once.
	gateAnswer = 2 * time.Second
)

// OpenGate connects to the gate until it answers, and so lets the node's real
// program start. It returns nil at once when that program runs already.
func (n *Namespace) OpenGate(ctx context.Context) error {
	again := time.NewTicker(gateEvery)
	defer again.Stop()
	for {
		err := n.knock(ctx)
		if err == nil {
			return nil
		}
		passed, lookErr := n.pastGate()
		if lookErr != nil {
			return lookErr
		}
		if passed {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node %s: open gate: %w: last try: %w", n.name, ctx.Err(), err)
		case <-n.gone:
			return fmt.Errorf("node %s: open gate: %w", n.name, ErrGone)
		case <-again.C:
		}
	}
}

// knock connects once and waits for the gate's answer.
func (n *Namespace) knock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, gateAnswer)
	defer cancel()
	conn, err := n.DialContext(ctx, "unix", gateSocket)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // all is read by then
	deadline, _ := ctx.Deadline()
	if err := conn.(*net.UnixConn).SetReadDeadline(deadline); err != nil {
		return err
	}
	// "open\n"; one byte of it proves that the gate took this connection.
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return fmt.Errorf("read the gate's answer: %w", err)
	}
	return nil
}

// pastGate says whether the main process is a program of the container other
// than the gate. The container runtime's own program, which is there before the
// gate, is none: no file of the container is that executable.
func (n *Namespace) pastGate() (passed bool, err error) {
	err = n.process("look at the executable", func(pid int) error {
		link := fmt.Sprintf("/proc/%d/exe", pid)
		path, err := os.Readlink(link)
		if err != nil {
			return err
		}
		running, err := os.Stat(link)
		if err != nil {
			return err
		}
		inside, err := os.Stat(filepath.Join(fmt.Sprintf("/proc/%d/root", pid), path))
		if err != nil {
			return err
		}
		passed = os.SameFile(running, inside) && filepath.Base(path) != gateProgram
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		// The runtime's program; or a process that is ending, which the next
		// try will find gone.
		return false, nil
	}
	return passed, err
}
