package daemon

import (
	"time"

	"github.com/faultbed/faultbed/images/swarm/pb"
)

// trips are the round trips of the calls to one peer, on a connection that was open
// already. The mesh's mu guards it.
type trips struct {
	smooth time.Duration
	last   time.Time
}

// tripWeight is the weight of the past against one new value, as in TCP.
const tripWeight = 8

func (t *trips) add(took time.Duration) {
	t.last = time.Now()
	if t.smooth == 0 {
		t.smooth = took
	}
	t.smooth += (took - t.smooth) / tripWeight
}

// roundTrips lists what was measured since a moment.
func (m *mesh) roundTrips(since time.Time) []*pb.RoundTrip {
	m.mu.Lock()
	defer m.mu.Unlock()
	var measured []*pb.RoundTrip
	for name, l := range m.links {
		if l.trips.smooth > 0 && !l.trips.last.Before(since) {
			measured = append(measured, &pb.RoundTrip{Peer: name, Microseconds: max(1, l.trips.smooth.Microseconds())})
		}
	}
	return measured
}
