package fault

import (
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
)

// What Plan.Bites may be made of.

// silent is Bites for faults after which nobody answers.
func silent(s Sight) error { return turned(s, agent.OutcomeTimeout) }

// refused is Bites for faults after which every packet is answered with a reset.
func refused(s Sight) error { return turned(s, agent.OutcomeRefused) }

// turned returns nil if the outcome became want and was not so before.
func turned(s Sight, want string) error {
	if s.Before.Outcome == want {
		return fmt.Errorf("%s was %s already before", s.Before.Link, want)
	}
	if s.During.Outcome != want {
		return fmt.Errorf("%s is %s, not %s", s.During.Link, s.During.Outcome, want)
	}
	return nil
}

// mute is Bites for faults that leave a connection open, and without an answer.
func mute(s Sight) error {
	if err := silent(s); err != nil {
		return err
	}
	if s.During.ConnectMS <= 0 {
		return fmt.Errorf("%s did not even connect", s.During.Link)
	}
	return nil
}

// muteDown is mute where nothing comes at all. A server that speaks first is still heard
// when it cannot hear.
func muteDown(s Sight) error {
	if err := mute(s); err != nil || s.During.Bytes == 0 {
		return err
	}
	return fmt.Errorf("%s gave %d bytes", s.During.Link, s.During.Bytes)
}

// leastTime is what a busy machine does not lose by itself, and mostTime what probes can
// still wait for.
const leastTime, mostTime = 50 * time.Millisecond, 5 * time.Second

// slower is Bites for faults that only cost time: the answer must be there at least
// three quarters of asked (milliseconds) later than before. Pumba's tests use the same
// fraction. The first byte does not tell: a gRPC server sends one before it is asked.
func slower(asked float64) func(Sight) error {
	return func(s Sight) error {
		if s.During.Outcome != agent.OutcomeOK {
			return fmt.Errorf("%s is %s", s.During.Link, s.During.Outcome)
		}
		if rise := s.During.TotalMS - s.Before.TotalMS; rise < 0.75*asked {
			return fmt.Errorf("%s answers %.0f ms later, %.0f were asked", s.During.Link, rise, asked)
		}
		return nil
	}
}

// telling is the shortest time that a limited rate must show by: a busy machine makes
// fewer milliseconds of nothing.
const telling = 50 // ms

// carriedAt is Bites for rates, in bytes per second: the bytes of question or answer take
// at least three quarters of what they should, and did not before. An answer that is too
// short for the rate to tell shows nothing.
func carriedAt(rate int64) func(Sight) error {
	return func(s Sight) error {
		if s.During.Outcome != agent.OutcomeOK {
			return fmt.Errorf("%s is %s", s.During.Link, s.During.Outcome)
		}
		size := int64(s.Ask.Pad)
		if s.Ask.Bulk > 0 {
			size = min(int64(s.Ask.Bulk), s.During.Bytes) // a gRPC server's long answer has a length of its own
		}
		least := 0.75 * 1000 * float64(size) / float64(rate)
		if least < telling {
			return fmt.Errorf("%s: %d bytes are too few to see a limit of %d bytes/s", s.During.Link, size, rate)
		}
		if s.During.TotalMS < least || s.Before.TotalMS >= least {
			return fmt.Errorf("%s: %d bytes took %.0f ms (%.0f before), at least %.0f expected", s.During.Link, size, s.During.TotalMS, s.Before.TotalMS, least)
		}
		return nil
	}
}

// spareWire is Untouched for faults that lose, double or spoil packets: TCP repairs
// that, and its own account of the connection tells. Of so many packets it may repair a
// few for reasons of its own, a busy machine above all: a quarter of what the fault
// would do, or two.
func spareWire(share float64) func(Sight) error {
	return func(s Sight) error {
		if !alike(s.Before, s.During) {
			return fmt.Errorf("%s is %s, was %s", s.During.Link, s.During.Outcome, s.Before.Outcome)
		}
		w := s.During.Wire
		repaired := float64(w.Retransmitted + w.OutOfOrder + w.Duplicated)
		if most := max(2, share*float64(w.SegmentsIn+w.SegmentsOut)/4); repaired > most {
			return fmt.Errorf("%s had %.0f packets lost, late or double of %d", s.During.Link, repaired, w.SegmentsIn+w.SegmentsOut)
		}
		return nil
	}
}

// busy are the questions that make many packets in a direction: so many bytes.
func busy(d Direction, bytes int) []Ask {
	const silence = answerWithin // what is lost has to be sent again, after some hundred milliseconds
	var asks []Ask
	if d.up() {
		asks = append(asks, Ask{Pad: min(bytes, padAtMost), Silence: silence})
	}
	if d.down() {
		asks = append(asks, Ask{Bulk: bytes, Silence: silence})
	}
	return asks
}

// padAtMost is what servers take as the headers of a request, in bytes: Go's net/http
// up to a megabyte, gRPC up to 16.
const padAtMost = 128 << 10
