package doctor_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/faultbed/faultbed/images/swarm/doctor"
	"github.com/faultbed/faultbed/images/swarm/memnet"
	"github.com/faultbed/faultbed/images/swarm/timers"
	"github.com/faultbed/faultbed/images/swarm/virtual"
	"github.com/faultbed/faultbed/images/swarm/wire"
)

// swarm is one supernode, a seed and two peers, of which the first goes to the doctor.
type swarm struct {
	*virtual.Bed
	supernode *virtual.Supernode
	seed      *virtual.Peer
	patient   *virtual.Peer
	release   string
	stack     wire.Stack
}

func (s *swarm) examine() []doctor.Finding {
	return doctor.Judge(doctor.Examine(context.Background(), doctor.Config{
		Release: s.release, Status: "peer-1:65003", Supernodes: []string{"supernode:8002"}, Profile: s.Timers, Stack: s.stack,
	}), s.Timers)
}

// Each cause on a whole swarm, in virtual time. Seen red for each by leaving it out.
func TestExamine(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		release string
		hurt    func(*swarm)
		late    func(*swarm) // so late that nobody has noticed
		want    []string     // check, target, fact of a problem each; none: all is well
	}{
		"nothing": {},
		"8002 dropped": {
			hurt: func(s *swarm) { s.Net.Inject(memnet.Drop{Links: memnet.To("supernode", 8002)}) },
			want: []string{"port supernode:8002 timed out", "registered supernode:8002 not registered"},
		},
		"8002 refused": {
			hurt: func(s *swarm) { s.Net.Inject(memnet.Refuse{Links: memnet.To("supernode", 8002)}) },
			want: []string{"port supernode:8002 refused"},
		},
		"65000 of the patient": {
			hurt: func(s *swarm) { s.Net.Inject(memnet.Drop{Links: memnet.To("peer-1", 65000)}) },
			want: []string{"registered supernode:8002 cannot be called back"},
		},
		"65001 of another peer": {
			hurt: func(s *swarm) { s.Net.Inject(memnet.Refuse{Links: memnet.To("peer-2", 65001)}) },
			want: []string{"port 65001 refused"},
		},
		"a dead seed": {
			hurt: func(s *swarm) { s.seed.Die() },
			want: []string{"port 65000 a seed that supernodes named"},
		},
		"a name": {
			hurt: func(s *swarm) { s.Net.Name("supernode"); s.supernode.Die() },
			want: []string{"dns supernode no such host"},
		},
		"a release": {release: "3.0.0", want: []string{"version supernode:8002 version mismatch"}},
		"a black hole there": {
			hurt: func(s *swarm) { s.stack = hole{s.stack, memnet.Up} },
			want: []string{"mtu supernode:8002 had 1000 bytes", "mtu 65002 had 1000 bytes"},
		},
		"a black hole back": {
			hurt: func(s *swarm) { s.stack = hole{s.stack, memnet.Down} },
			want: []string{"mtu supernode:8002 small answers pass", "mtu 65002 small answers pass"},
		},
		"no dns": {
			hurt: func(s *swarm) { s.Net.Inject(memnet.Drop{Links: memnet.Around("peer-1")}) },
			want: []string{"dns supernode timed out"},
		},
		"everybody silent": {
			late: func(s *swarm) {
				s.Net.Inject(memnet.Drop{Links: []memnet.Link{{Server: "supernode"}, {Server: "seed"}, {Server: "peer-2"}}})
			},
			want: []string{"port supernode:8002 timed out", "port 65000 timed out", "port 65001 timed out", "port 65002 timed out"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			virtual.Run(t, timers.Fast, func(b *virtual.Bed) {
				s := &swarm{Bed: b, release: c.release}
				if s.release == "" {
					s.release = virtual.Stable
				}
				s.supernode = b.Supernode(virtual.Node{Name: "supernode", Seeds: []string{"seed"}})
				s.seed = b.Peer(virtual.Node{Name: "seed", Seed: true})
				s.patient = b.Peer(virtual.Node{Name: "peer-1", Release: s.release})
				b.Peer(virtual.Node{Name: "peer-2"})
				b.Pass(b.Timers.RejoinWithin())
				s.stack = s.patient.Machine
				if c.hurt != nil {
					c.hurt(s)
					b.Pass(b.Timers.DropWithin() + b.Timers.RejoinWithin())
				}
				if c.late != nil {
					c.late(s)
				}
				began := time.Now()
				findings := s.examine()
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %s", took)
				}
				if doctor.Healthy(findings) != (len(c.want) == 0) {
					t.Errorf("found %s", told(findings))
				}
				for _, want := range c.want {
					parts := strings.SplitN(want, " ", 3)
					if !strings.Contains(told(findings, parts...), "problem") {
						t.Errorf("no problem %q among %s", want, told(findings))
					}
				}
			})
		})
	}
}

// told are the findings of a check, whose target and whose fact contain these words.
func told(findings []doctor.Finding, parts ...string) string {
	var lines strings.Builder
	for _, f := range findings {
		if len(parts) == 0 || string(f.Check) == parts[0] && strings.Contains(f.Target, parts[1]) && strings.Contains(f.Fact, parts[2]) {
			fmt.Fprintf(&lines, "%s %s %s: %s\n", f.Check, f.Target, f.Result, f.Fact)
		}
	}
	return lines.String()
}

// hole is a stack with a path that swallows whatever does not fit into one packet, one way.
type hole struct {
	wire.Stack
	way memnet.Way
}

// widest is what still passes: less than what follows it on the doctor's ladder, with headers.
const widest = 1150

func (h hole) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := h.Stack.DialContext(ctx, network, address)
	if err != nil || strings.HasSuffix(address, ":65003") {
		return conn, err
	}
	return &holed{Conn: conn, way: h.way}, nil
}

type holed struct {
	net.Conn
	way  memnet.Way
	lost bool // the first full packet is gone, so nothing after it is of use
}

func (h *holed) Write(p []byte) (int, error) {
	h.lost = h.lost || h.way == memnet.Up && len(p) > widest
	if h.lost && h.way == memnet.Up {
		return len(p), nil
	}
	return h.Conn.Write(p)
}

func (h *holed) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	for h.way == memnet.Down && err == nil && (h.lost || n > widest) {
		h.lost = true
		n, err = h.Conn.Read(p)
	}
	return n, err
}
