package fault

import (
	"errors"
	"fmt"
	"time"

	"github.com/faultbed/faultbed/harness/agent"
	"github.com/faultbed/faultbed/harness/toxic"
)

// Slice lets what passes on some links arrive in small pieces: of Bytes on average, Vary
// more or less, and Pause apart.
type Slice struct {
	Links       Links
	Bytes, Vary int
	Pause       time.Duration
	Direction   Direction
}

// Kind implements Fault.
func (s Slice) Kind() string { return "slice" }

// Target implements Fault.
func (s Slice) Target() string {
	return s.Direction.in(fmt.Sprintf("%s into %d±%d bytes, %s apart", s.Links, s.Bytes, s.Vary, s.Pause))
}

// Plan implements Fault.
func (s Slice) Plan(t Target, id string) (Plan, error) {
	switch {
	case s.Bytes < 1 || s.Bytes > 1024 || s.Vary < 0 || s.Vary >= s.Bytes:
		return Plan{}, fmt.Errorf("%d±%d bytes: use 1 to 1024, and vary by less", s.Bytes, s.Vary)
	case s.Pause < 0 || s.Pause > 100*time.Millisecond || s.Bytes < 16 && s.Pause > 10*time.Millisecond:
		return Plan{}, fmt.Errorf("%s apart: use 0 to 100ms, and 10ms for less than 16 bytes", s.Pause)
	case s.Pause == 0 && s.Direction.up():
		return Plan{}, errors.New("upstream without a pause: nothing would show the fault")
	}
	effect := func(stream toxic.Stream) toxic.Toxic {
		return toxic.Slicer{AverageBytes: s.Bytes, VariationBytes: s.Vary, Delay: s.Pause, Stream: stream}
	}
	// As many slices as fill a second, within what can be asked for.
	const some, slices = 4 << 10, 64
	size := max(some, slices*s.Bytes)
	if s.Pause > 0 {
		size = min(size, max(s.Bytes*int(time.Second/s.Pause), 2*s.Bytes))
	}
	asks := busy(s.Direction, size)
	for i := range asks {
		asks[i].Silence = 8 * time.Second
	}
	return streamPlan(t, s.Links, s.Direction, id, effect, Plan{
		Mechanism: "toxiproxy slicer", Asks: asks, Bites: s.sliced, Untouched: s.whole,
	})
}

// whole is Untouched: slices without a pause may be put together again on their way, but
// never to as few packets as an answer in one piece takes.
func (s Slice) whole(seen Sight) error {
	if s.Pause > 0 && s.sliced(seen) == nil || s.Pause == 0 && seen.During.Wire.SegmentsIn > 2*seen.Before.Wire.SegmentsIn+10 {
		return fmt.Errorf("%s too: %d packets came, %d before", seen.During.Link, seen.During.Wire.SegmentsIn, seen.Before.Wire.SegmentsIn)
	}
	if !alike(seen.Before, seen.During) {
		return fmt.Errorf("%s is %s, was %s", seen.During.Link, seen.During.Outcome, seen.Before.Outcome)
	}
	return nil
}

// sliced tells by the time that the pauses take, or by the count of packets.
func (s Slice) sliced(seen Sight) error {
	if seen.During.Outcome != agent.OutcomeOK {
		return fmt.Errorf("%s is %s", seen.During.Link, seen.During.Outcome)
	}
	size := float64(seen.Ask.Pad)
	if seen.Ask.Bulk > 0 {
		size = float64(min(int64(seen.Ask.Bulk), seen.During.Bytes))
	}
	count := size / float64(s.Bytes+s.Vary)
	least := 0.75 * count * s.Pause.Seconds() * 1000
	if s.Pause > 0 {
		if rise := seen.During.TotalMS - seen.Before.TotalMS; rise < least {
			return fmt.Errorf("%s took %.0f ms longer, at least %.0f expected", seen.During.Link, rise, least)
		}
		return nil
	}
	// On a busy machine slices are put together again on their way: 680 packets for 4096
	// were seen, and 7 without slices.
	if got, was := seen.During.Wire.SegmentsIn, seen.Before.Wire.SegmentsIn; got < 4*was+10 {
		return fmt.Errorf("%s got %d packets for %.0f slices, was %d", seen.During.Link, got, count, was)
	}
	return nil
}
