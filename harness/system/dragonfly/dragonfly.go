// Package dragonfly is the real Dragonfly, unmodified images of manager, scheduler and
// dfdaemon, as a system under test.
package dragonfly
