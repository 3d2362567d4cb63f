package scenarios

import (
	"fmt"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/explore"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// Whatever befalls the network, who can reach any source gets the file, and after it
// everybody is back. There are as many of these as `make explore` asks for, and else none. Seen
// red: with peers of 2.1.0, which do not try again.
var _ = Describe(explore.Title, explored, drawn, func() {
	plans, err := explore.Requested(os.Getenv(explore.Variable))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", explore.Variable, err)) // the command line words it
	}
	for _, plan := range plans {
		It(plan.Name(), func(ctx SpecContext) {
			bed := harness.Lay(ctx, GinkgoTB(), plan.Topology)
			take(ctx, bed, plan)

			By("seeing everybody back")
			everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
			for _, supernode := range bed.Supernodes() {
				Eventually(ctx, bed.CountedBy(supernode)).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
			}

			By("downloading on every peer what nobody has")
			for i, peer := range bed.Peers() {
				Expect(bed.Download(ctx, peer, fixtures.Fresh(i+1)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(i+1)), peer.Name)
			}
		}, SpecTimeout(harness.Spec))
	}
})

// take takes a plan's steps.
func take(ctx SpecContext, bed *harness.Bed, plan explore.Plan) {
	faults, downloads := map[int]*harness.Injection{}, map[int]*workload.Download{}
	for _, step := range plan.Steps {
		By(plan.Say(step))
		switch step.Do {
		case explore.Inject:
			faults[step.Fault] = bed.Inject(ctx, plan.Faults[step.Fault].Of)
		case explore.Heal:
			faults[step.Fault].Heal(ctx)
		case explore.Open:
			bed.Open(ctx)
			bed.AwaitReady(ctx, named(bed, step.Spared)...)
		case explore.Begin:
			peer, file := wanted(bed, plan.Downloads[step.Download])
			downloads[step.Download] = bed.Download(ctx, peer, file)
		case explore.Halfway:
			Eventually(ctx, downloads[step.Download].Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(">", explore.Well))
		case explore.Finish:
			peer, file := wanted(bed, plan.Downloads[step.Download])
			Expect(downloads[step.Download].Wait(ctx)).To(judge.BeIntact(file), peer.Name)
		}
	}
}

// wanted is a plan's download on a bed.
func wanted(bed *harness.Bed, d explore.Download) (topology.Node, fixtures.File) {
	file, known := fixtures.ByName(d.File)
	Expect(known).To(BeTrueBecause("a plan asks for %s, which is no fixture", d.File))
	return bed.Node(d.Peer), file
}

// named are the nodes of these names.
func named(bed *harness.Bed, names []string) []topology.Node {
	nodes := make([]topology.Node, len(names))
	for i, name := range names {
		nodes[i] = bed.Node(name)
	}
	return nodes
}
