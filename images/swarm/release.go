// Package swarm is what supernode, peer and dfget of the reference swarm share.
//
// This package itself only says which releases there are and what each of them
// can do; the parts of the swarm are the packages below it.
package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Release is the release that a binary is built as. It is set at link time:
// -ldflags "-X github.com/faultbed/faultbed/images/swarm.Release=2.1.0".
var Release = "2.2.1"

// Capabilities is what one release can do. All behaviour that differs between
// releases follows from here.
type Capabilities struct {
	Release  string
	Protocol string
	// Accepts lists the protocols that this release speaks with others: its own, and
	// those of the minor releases beside it.
	Accepts []string
	// Ownership: a peer registers with all of its supernodes, and each task belongs to
	// one of those that live. Without it a peer is held by the first that takes it.
	Ownership bool
	// SeedFallback: a supernode turns to the next seed when one is away; a peer
	// that loses its parent in the middle of a download goes on elsewhere. Without
	// it the supernode orders back to source and the peer's download fails.
	SeedFallback bool
	// Retry: registering, the announce stream and pieces are tried again. Without
	// it a peer that loses its supernode stays out, and a failed piece goes
	// straight to the origin.
	Retry bool
	// DiagnosticLog: each failed connection is one line with target and cause.
	DiagnosticLog bool
	// Drain: told to stop, a peer leaves the swarm first and finishes the uploads
	// under way before it closes its ports. Without it they are cut.
	Drain bool
	// Resume: a peer keeps over a restart what it holds, and goes on where it was.
	// Without it the store is cleared at start.
	Resume bool
}

// releases is the table of all releases, oldest first. The README shows it.
var releases = []Capabilities{
	{Release: "2.0.0", Protocol: "2.0", Accepts: []string{"2.0", "2.1"}},
	{Release: "2.1.0", Protocol: "2.1", Accepts: []string{"2.0", "2.1", "2.2"}, Ownership: true},
	{Release: "2.2.1", Protocol: "2.2", Accepts: []string{"2.1", "2.2", "2.3"}, Ownership: true, SeedFallback: true, Retry: true, DiagnosticLog: true, Resume: true},
	{Release: "2.3.0", Protocol: "2.3", Accepts: []string{"2.2", "2.3"}, Ownership: true, SeedFallback: true, Retry: true, DiagnosticLog: true, Drain: true, Resume: true},
	{Release: "3.0.0", Protocol: "3.0", Accepts: []string{"3.0"}, Ownership: true, SeedFallback: true, Retry: true, DiagnosticLog: true, Drain: true, Resume: true},
}

// Releases lists what each release can do, oldest first.
func Releases() []Capabilities { return slices.Clone(releases) }

// ReleaseNames lists the releases, oldest first.
func ReleaseNames() []string {
	names := make([]string, len(releases))
	for i, c := range releases {
		names[i] = c.Release
	}
	return names
}

// CapabilitiesOf returns what the named release can do.
func CapabilitiesOf(release string) (Capabilities, error) {
	for _, c := range releases {
		if c.Release == release {
			return c, nil
		}
	}
	return Capabilities{}, fmt.Errorf("unknown release %q, known are %s", release, strings.Join(ReleaseNames(), ", "))
}

// ErrVersionMismatch is in the chain of every refusal for a protocol version.
var ErrVersionMismatch = errors.New("version mismatch")

// CheckProtocol says whether own may speak with the other side; own and other
// name the roles in the error, for instance "supernode" and "peer".
func CheckProtocol(ownRole string, own Capabilities, otherRole, otherRelease, otherProtocol string) error {
	if slices.Contains(own.Accepts, otherProtocol) {
		return nil
	}
	return fmt.Errorf("%w: %s %s speaks protocol %s, %s %s speaks protocol %s",
		ErrVersionMismatch, ownRole, own.Release, own.Protocol, otherRole, otherRelease, otherProtocol)
}

// Speak says whether two protocols, as their releases state them, go together: both
// sides must accept the other. A protocol that this table does not know may.
func Speak(one, other string) bool {
	accepts := func(own, stated string) bool {
		i := slices.IndexFunc(releases, func(c Capabilities) bool { return c.Protocol == own })
		return i < 0 || slices.Contains(releases[i].Accepts, stated)
	}
	return accepts(one, other) && accepts(other, one)
}
