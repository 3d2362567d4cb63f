//go:build linux

package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/faultbed/faultbed/harness/agent"
)

func TestHogRoundTrip(t *testing.T) {
	client, id, listener := dialNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	server := netip.MustParseAddrPort(listener.Addr().String())

	must(t, client.Hog(ctx, "hog", id, server, 5))
	for range 5 {
		conn, err := listener.Accept()
		must(t, err)
		defer conn.Close() //nolint:errcheck // the test is over
	}
	if open, err := client.Hogged(ctx, "hog"); err != nil || open != 5 {
		t.Errorf("%d connections are open, %v; want 5", open, err)
	}
	if err := client.Hog(ctx, "hog", id, server, 5); !errors.Is(err, agent.ErrExists) {
		t.Errorf("the same owner twice: %v, want ErrExists", err)
	}
	must(t, client.Unhog(ctx, "hog"))
	must(t, client.Unhog(ctx, "hog"))
	if open, err := client.Hogged(ctx, "hog"); err != nil || open != 0 {
		t.Errorf("%d connections are open, %v; want none", open, err)
	}
	if err := client.Hog(ctx, "hog", "absent", server, 5); !errors.Is(err, agent.ErrNodeGone) {
		t.Errorf("a hog out of nobody: %v, want ErrNodeGone", err)
	}
}
