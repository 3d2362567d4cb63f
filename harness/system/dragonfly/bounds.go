package dragonfly

import (
	"time"

	"github.com/faultbed/faultbed/harness/system"
)

// Bounds implements system.System.
func (s *System) Bounds() system.Bounds {
	return system.Bounds{
		Ready:    60 * time.Second,
		Notice:   30 * time.Second,
		Drop:     60 * time.Second,
		Fallback: 30 * time.Second,
		Forgive:  30 * time.Second,
		Rejoin:   30 * time.Second,
		Download: 90 * time.Second,
	}
}
