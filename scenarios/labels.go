// Package scenarios holds the suite: one promise of the swarm per spec, told in
// ordinary Ginkgo. README.md beside this file says how to write one.
package scenarios

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/faultbed/faultbed/harness/explore"
)

// The families. Every scenario has exactly one; the summary counts by them.
var (
	discovery    = Label("family:discovery")
	blockedPorts = Label("family:blocked-ports")
	seeds        = Label("family:seeds")
	mtu          = Label("family:mtu")
	versions     = Label("family:versions")
	descriptors  = Label("family:descriptors")
	retry        = Label("family:retry")
	control      = Label("family:control")
	proxy        = Label("family:proxy")
	steering     = Label("family:steering")
	origin       = Label("family:origin")
	storage      = Label("family:storage")
	diagnoses    = Label("family:diagnosis")
	sharing      = Label("family:sharing")
	told         = Label("family:told")
	leaks        = Label("family:leaks")
	dns          = Label("family:dns")
	partitions   = Label("family:partition")
	resources    = Label("family:resources")
	churn        = Label("family:churn")
	combined     = Label("family:combined")
	faults       = Label("family:faults")
	canary       = Label("family:canary")
	explored     = Label("family:explore")
)

// needs marks what can apply only to systems that have something; the others say why
// they lack it, see system.System. Everything else applies to all of them.
func needs(what string) Labels { return Label("needs:" + what) }

// smoke marks what `make test` runs: one promise of each family, and the canaries.
var smoke = Label("smoke")

// long marks what takes half a minute or more: it begins first, so that the others fill up
// the time until it is over, instead of waiting for it at the end.
const long = SpecPriority(1)

// drawn marks what make explore draws, and nothing else has.
var drawn = Label(explore.Label)

// kills declares mutants of fixtures/mutants that the scenario must kill: built with one of
// them in place of the release under test, the swarm makes it FAIL for the mutant's reason.
// `make mutants` holds it to that.
func kills(names ...string) Labels {
	var labels Labels
	for _, name := range names {
		labels = append(labels, "kills:"+name)
	}
	return labels
}
