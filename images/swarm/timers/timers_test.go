package timers_test

import (
	"testing"
	"time"

	"github.com/faultbed/faultbed/images/swarm/timers"
)

// The relations that the protocol rests on, in each profile.
func TestProfilesAreConsistent(t *testing.T) {
	for _, name := range []string{"fast", "production"} {
		p, err := timers.ByName(name)
		if err != nil || p.Name != name {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		for what, ok := range map[string]bool{
			"a lease bears two lost heartbeats":                   p.Lease >= 3*p.Heartbeat,
			"a lease bears a lost check":                          p.Lease >= p.CheckInterval+p.CheckTimeout,
			"a check outlasts a connect":                          p.CheckTimeout > p.DialTimeout,
			"a register call outlasts the call back":              p.RegisterTimeout > p.CheckTimeout,
			"retries start small":                                 p.RetryInitial < p.RetryMax,
			"a failure is forgiven only after a change of parent": p.FailureAgeOut > p.StallTimeout,
			"a seed is given up before its children give up":      p.SeedFirstByte < p.ScheduleTimeout,
			"a goodbye fits into a second":                        p.LeaveTimeout*2 < time.Second,
			"a stop fits into the 10 s that engines grant":        p.LeaveTimeout+p.DrainTimeout < 9*time.Second,
			"a stalled upload is not drained for long":            p.DrainTimeout >= p.StallTimeout,
			"bounds are beyond what they bound": p.DropWithin() > p.Lease && p.RejoinWithin() > p.Lease &&
				p.NoticeWithin() > p.CheckTimeout && p.FallbackWithin() > p.ScheduleTimeout,
		} {
			if !ok {
				t.Errorf("%s: not so that %s", name, what)
			}
		}
	}
	if _, err := timers.ByName("slow"); err == nil {
		t.Error("an unknown profile was found")
	}
}
