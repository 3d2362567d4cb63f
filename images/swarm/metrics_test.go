package swarm_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.supernode(1, stable, 11)
	b.peer(11, stable, true, 1)
	p := b.peer(21, stable, false, 1, 2)
	b.counts(s, 2, timers.Fast.RejoinWithin())
	p.mustGet(fixtures.Layer1M)
	here, away := b.addr(1)+":8002", b.addr(2)+":8002"
	eventually(t, timers.Fast.RejoinWithin(), "the other supernode is tried again", func() (string, bool) {
		metrics := b.metrics(b.addr(21) + ":65003")
		return metrics, strings.Contains(metrics, `swarm_connection_retries_total{cause="refused",step="register"}`)
	})
	for at, wants := range map[string][]string{
		b.addr(21) + ":65003": {
			`swarm_peer_registered{supernode="` + here + `"} 1`, `swarm_peer_registered{supernode="` + away + `"} 0`,
			`swarm_peer_announce_age_seconds{supernode="` + here + `"} 0.`, `swarm_peer_peers 1`,
			fmt.Sprintf(`swarm_peer_bytes_total{kind="seed"} %.6e`, float64(fixtures.Layer1M.Size)),
			`swarm_connection_failures_total{cause="refused",step="register"}`, `process_open_fds `, `go_goroutines `,
		},
		b.addr(1) + ":8003": {
			`swarm_supernode_peers 2`, `swarm_supernode_announce_age_seconds{peer="peer-21"} 0.`, `swarm_open_descriptors `, `swarm_max_descriptors `,
		},
	} {
		metrics := b.metrics(at)
		for _, want := range wants {
			if !strings.Contains(metrics, "\n"+want) {
				t.Errorf("%s has no %s:\n%s", at, want, metrics)
			}
		}
		problems, err := promlint.New(strings.NewReader(metrics)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("metrics of %s: %v, %v", at, problems, err)
		}
	}
	for _, entry := range []string{"peer register", "announce"} {
		for node, about := range map[string]string{"supernode-1": `"peer":"peer-21"`, "peer-21": `"supernode":"` + here + `"`} {
			if len(b.logs.find(`"msg":"`+entry+`"`, `"node":"`+node+`"`, about)) == 0 {
				t.Errorf("the log of %s has no entry %q", node, entry)
			}
		}
	}
}

func (b *bed) metrics(at string) string {
	b.t.Helper()
	response, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}
