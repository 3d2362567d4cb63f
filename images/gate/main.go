// Command gate is the first process of every node. It holds the node's program
// back until somebody has opened the gate, so that the rules which steer its
// traffic are in force before its first packet; then it becomes that program.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// socket is abstract: it belongs to the node's network namespace, not to its files.
const socket = "@faultbed-gate"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "gate: usage: gate program [arguments]")
		os.Exit(64)
	}
	if os.Getenv("FAULTBED_GATE") != "open" {
		stopOnSignal()
		if err := wait(); err != nil {
			fmt.Fprintln(os.Stderr, "gate:", err)
			os.Exit(1)
		}
	}
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ()) //nolint:gosec // to run what it is told is its purpose
	fmt.Fprintf(os.Stderr, "gate: exec %s: %v\n", os.Args[1], err)
	os.Exit(1)
}

// stopOnSignal lets a closed gate be stopped: the kernel shields a namespace's
// first process from signals that it does not handle.
func stopOnSignal() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-stop; os.Exit(0) }()
}

// wait returns once somebody has called. All descriptors are closed on exec.
func wait() error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", socket, err)
	}
	conn, err := listener.Accept()
	if err != nil {
		return fmt.Errorf("wait to be opened: %w", err)
	}
	_, err = conn.Write([]byte("open\n"))
	_ = conn.Close()
	_ = listener.Close()
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}
