package bench

import (
	"math"
	"slices"
	"time"
)

// Sample is how long something took, in milliseconds, once per turn.
type Sample struct {
	What string    `json:"what"`
	MS   []float64 `json:"ms"`
	// Bytes are what is moved in one turn, to all clients; 0 where that is not the point.
	Bytes int64 `json:"bytes,omitempty"`
}

func (s *Sample) add(d time.Duration) {
	s.MS = append(s.MS, float64(d.Microseconds())/1000)
}

// Percentile is the value that p percent of all do not exceed: the nearest rank, a
// value that was measured. Of few turns the 99th percentile is the slowest.
func (s Sample) Percentile(p float64) float64 {
	if len(s.MS) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s.MS))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// Rate is how many MiB were moved in a second of the median turn; 0 for none.
func (s Sample) Rate() float64 {
	if s.Bytes == 0 || len(s.MS) == 0 {
		return 0
	}
	return float64(s.Bytes) / (1 << 20) / (s.Percentile(50) / 1000)
}

// Comparison is one thing done in two ways, turn by turn.
type Comparison struct {
	What   string
	Ours   Sample
	Theirs Sample  // empty where nothing does the same
	Aim    float64 // highest ratio that is good enough; 0 for none
}

// Ratio is our median over theirs, 0 where there is nothing to compare with.
func (c Comparison) Ratio() float64 {
	if len(c.Theirs.MS) == 0 || len(c.Ours.MS) == 0 {
		return 0
	}
	return c.Ours.Percentile(50) / c.Theirs.Percentile(50)
}
