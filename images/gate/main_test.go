package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own program be the gate.
func TestMain(m *testing.M) {
	if os.Getenv("GATE_UNDER_TEST") == "yes" {
		main()
		return
	}
	os.Exit(m.Run())
}

func gate(t *testing.T, state string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	cmd := exec.Command(self, "/bin/sh", "-c", "echo through; ls /proc/self/fd")
	cmd.Env = append(os.Environ(), "GATE_UNDER_TEST=yes", "FAULTBED_GATE="+state)
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

// Seen red by not waiting: the program then runs before anybody has called.
func TestGateHoldsTheProgramBackUntilOpened(t *testing.T) {
	cmd, out := gate(t, "")
	var conn net.Conn
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for conn == nil {
		var err error
		if conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the gate cannot be called: %v", err)
		}
	}
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != "open\n" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	cmd, atOnce := gate(t, "open")
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(atOnce.String(), "through\n") {
		t.Errorf("an open gate: %v, %q", err, atOnce)
	}
	if atOnce.String() != out.String() {
		t.Errorf("the gate leaves descriptors to the program: %q, without the gate %q", out, atOnce)
	}
}
