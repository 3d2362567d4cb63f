package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/supernode"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func TestSupernodeCountsTheCrowd(t *testing.T) {
	s, err := supernode.New(supernode.Config{
		Hostname: "supernode-1", Listen: "127.0.0.1:0", Metrics: "127.0.0.1:0", Profile: timers.Fast,
		Release: swarm.Release, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	c := crowd{supernode: s.Addr().String(), ip: "127.0.0.1", profile: timers.Fast}
	if err := c.open(ctx); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"5", "40", "40"} {
		answer := httptest.NewRecorder()
		c.routes().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, "GET", "/grow?to="+to, nil))
		var grown Grown
		if err := json.Unmarshal(answer.Body.Bytes(), &grown); err != nil || grown.Lost != 0 {
			t.Fatalf("grow to %s: %s", to, answer.Body)
		}
	}
	counted := s.Snapshot()
	for _, p := range counted.Peers {
		if !p.Reachable {
			t.Errorf("%s does not pass the check of its proxy port", p.Name)
		}
	}
	if counted.Count != 40 {
		t.Errorf("the supernode counts %d peers, want 40", counted.Count)
	}
	answer := httptest.NewRecorder()
	c.routes().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, "GET", "/grow?to=many", nil))
	if answer.Code == 200 || !strings.Contains(answer.Body.String(), `"many"`) {
		t.Errorf("to=many: %d %s", answer.Code, answer.Body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
