package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

const (
	// growWithin bounds one growth of the crowd.
	growWithin = 90 * time.Second
	// watched is how long the crowd then idles under the supernode's eyes: two calls to each
	// peer with the timers of production.
	watched = 20 * time.Second
	// supernodeMetrics is its port of /metrics.
	supernodeMetrics = 8003
)

// crowds are the numbers of peers at which a supernode is measured.
var crowds = []int{1000, 2000}

// crowd measures what registered peers cost a supernode, with the timers of production.
// The peers are simulated by one process: each has a connection and ports of its own,
// announces itself and answers when it is called back.
func (m *meter) crowd(ctx context.Context) ([]Comparison, error) {
	m.progress(fmt.Sprintf("a supernode with 0 and %v idle peers", crowds))
	slow, err := reference.New(m.session.Images, "production")
	if err != nil {
		return nil, err
	}
	t := topology.Of(1, 0, 0)
	supernode := t.Of(topology.Supernode)[0].Name
	registers := Comparison{
		What:   fmt.Sprintf("one Register call with %d peers there", crowds[0]),
		Ours:   Sample{What: fmt.Sprintf("the last of %d", crowds[0])},
		Theirs: Sample{What: fmt.Sprintf("the last of %d", crowds[len(crowds)-1])},
	}
	err = m.onPlain(ctx, slow, t, func(p *plain) error {
		empty, err := readProcess(ctx, p.inside(), supernode, supernodeMetrics)
		if err != nil {
			return err
		}
		m.figures = append(m.figures, Figure{What: "supernode with no peer: resident set", Value: empty.ResidentMiB, Unit: "MiB"})
		c, err := p.crowd(ctx, m, fmt.Sprintf("%s:%d", p.nodes[supernode].address, reference.SupernodePort), "production")
		if err != nil {
			return err
		}
		last := empty
		for i, n := range crowds {
			grown, err := c.grow(ctx, n)
			if err != nil {
				return err
			}
			if i == 0 {
				registers.Ours.MS = grown
			} else {
				registers.Theirs.MS = grown
			}
			then, err := m.watchIdle(ctx, p, supernode, n)
			if err != nil {
				return err
			}
			more := float64(n)
			if i > 0 {
				more -= float64(crowds[i-1])
			}
			m.figures = append(m.figures, Figure{What: "the same, for each 1,000 peers more", Value: (then.ResidentMiB - last.ResidentMiB) * 1000 / more, Unit: "MiB"})
			last = then
		}
		return nil
	})
	return []Comparison{registers}, err
}

// watchIdle notes what the supernode takes while n peers do nothing.
func (m *meter) watchIdle(ctx context.Context, p *plain, supernode string, n int) (process, error) {
	before, err := readProcess(ctx, p.inside(), supernode, supernodeMetrics)
	if err != nil {
		return process{}, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return process{}, ctx.Err()
	case <-time.After(watched): // its whole length is what is measured
	}
	now, err := readProcess(ctx, p.inside(), supernode, supernodeMetrics)
	if err != nil {
		return process{}, err
	}
	if int(now.Peers) != n {
		return process{}, fmt.Errorf("the supernode counts %.0f peers instead of %d", now.Peers, n)
	}
	perMinute := (now.CPUSeconds - before.CPUSeconds) / time.Since(began).Minutes() * 1000 / float64(n)
	m.figures = append(
		m.figures,
		Figure{What: fmt.Sprintf("supernode with %d idle peers: resident set", n), Value: now.ResidentMiB, Unit: "MiB"},
		Figure{What: "the same: heap in use", Value: now.HeapMiB, Unit: "MiB"},
		Figure{What: "the same: CPU for each 1,000 peers", Value: perMinute, Unit: "s a minute"},
	)
	return now, nil
}

// simulated is the process that simulates a crowd.
type simulated struct {
	in   harness.Inside
	node string
}

// crowd starts it beside a supernode, and waits until it can be told what to do.
func (p *plain) crowd(ctx context.Context, m *meter, supernode, profile string) (simulated, error) {
	const image = "crowd"
	s := simulated{p.inside(), image}
	if err := p.add(ctx, m, image, "--supernode", supernode, "--profile", profile); err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, harness.Observation)
	defer cancel()
	beat := time.NewTicker(harness.Poll)
	defer beat.Stop()
	for {
		_, err := s.in.Get(ctx, image, "http://127.0.0.1:80/healthy")
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("waited for the crowd to answer: %w", errors.Join(err, ctx.Err()))
		case <-beat.C:
		}
	}
}

// grow lets peers register until there are n, and returns how long the last calls took.
func (s simulated) grow(ctx context.Context, n int) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, growWithin)
	defer cancel()
	var grown struct {
		Peers, Lost int
		Why         string
		RegisterMS  []float64 `json:"register_ms"`
	}
	err := s.tell(ctx, &grown, "grow", url.Values{"to": {fmt.Sprint(n)}})
	if err == nil && grown.Lost > 0 {
		err = fmt.Errorf("%d of %d peers were cut off: %s", grown.Lost, grown.Peers, grown.Why)
	}
	return grown.RegisterMS, err
}

// tell says what to do and waits until it is done.
func (s simulated) tell(ctx context.Context, into any, what string, how url.Values) error {
	fail := func(err error) error { return fmt.Errorf("crowd: %s: %w", what, err) }
	status, body, err := s.in.Agent.Fetch(ctx, s.in.Container(s.node), "http://127.0.0.1:80/"+what+"?"+how.Encode())
	if err != nil {
		return fail(err)
	}
	if status != http.StatusOK {
		return fail(errors.New(strings.TrimSpace(string(body))))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail(err)
	}
	return nil
}
