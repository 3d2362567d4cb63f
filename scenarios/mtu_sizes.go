package scenarios

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/judge"
	"github.com/faultbed/faultbed/harness/topology"
	"github.com/faultbed/faultbed/harness/workload"
)

// The widths of paths that are met: the least of IPv6 and of many VPNs, an overlay in a
// tunnel, DSL with PPPoE; and of an interface for storage networks.
const (
	tunnelMTU = 1280
	vpnMTU    = 1400
	pppoeMTU  = 1492
	jumboMTU  = 9000
)

// narrow is a path from a seed to one of the peers, and what that peer's log says of it.
type narrow struct {
	bytes int
	way   fault.Direction
	told  types.GomegaMatcher
}

var (
	stall   = diagnosis("piece", "seed-1:65002", "stalled")
	stalls  = ContainElement(stall)
	nothing = Not(ContainElement(stall)) // requests are short: they pass
)

// However wide a path is, and whichever way is the narrow one: a file comes from the
// swarm, past the parent whose packets vanish, and the log names that one alone.
var _ = Describe("A path that is too narrow for full packets", mtu, needs("stall-target"), func() {
	// Nine pairs of width and way on three beds: each peer of a bed has one of each.
	// Seen red: with stalls told as timeouts, the log has no stall; with a failed piece that ends a download, the file comes from the origin.
	DescribeTable("costs no file", func(ctx SpecContext, paths ...narrow) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		seed := bed.Seeds()[0]

		By("narrowing the path from the primary seed to each peer")
		for i, path := range paths {
			bed.Inject(ctx, fault.MTU{Links: fault.From(bed.Peers()[i]).To(seed).Port(65002), Bytes: path.bytes, Direction: path.way})
		}

		By("downloading on each what nobody has")
		var downloads []*workload.Download
		for i, peer := range bed.Peers() {
			downloads = append(downloads, bed.Download(ctx, peer, fixtures.Fresh(i)))
		}
		for i, d := range downloads {
			Expect(d.Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(i)), judge.ComeFromSwarm()))
		}

		By("reading whose pieces stalled")
		for i, peer := range bed.Peers() {
			Expect(bed.Diagnoses(peer)(ctx)).To(paths[i].told, "%s over %d bytes %s", peer.Name, paths[i].bytes, paths[i].way)
		}
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	},
		Entry("down at 1280, up at 1400, both ways at 1492", kills("black-hole-called-timeout"), narrow{tunnelMTU, fault.Downstream, stalls}, narrow{vpnMTU, fault.Upstream, nothing}, narrow{pppoeMTU, fault.Both, stalls}, SpecTimeout(harness.Spec)),
		Entry("both ways at 1280, down at 1400, up at 1492", kills("black-hole-called-timeout"), narrow{tunnelMTU, fault.Both, stalls}, narrow{vpnMTU, fault.Downstream, stalls}, narrow{pppoeMTU, fault.Upstream, nothing}, SpecTimeout(harness.Spec)),
		Entry("up at 1280, both ways at 1400, down at 1492", kills("one-failed-piece-ends-all"), narrow{tunnelMTU, fault.Upstream, nothing}, narrow{vpnMTU, fault.Both, stalls}, narrow{pppoeMTU, fault.Downstream, stalls}, SpecTimeout(harness.Spec)),
	)

	// No black hole comes of one end with jumbo frames: each end of a TCP connection says at its
	// opening what it takes, and the smaller counts. It takes two such ends with something
	// narrow between. Seen red: with stalls told as timeouts, the log has no stall.
	It("at one end of which frames are jumbo, and at another of which they are small, is no hole until both are jumbo", kills("black-hole-called-timeout"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		jumbo, small, third := bed.Seeds()[:1], bed.Peers()[:1], bed.Peers()[2]

		By("giving a seed an interface for jumbo frames, and a peer one for small ones")
		bed.Inject(ctx, fault.Clamp{Nodes: jumbo, Bytes: jumboMTU})
		bed.Inject(ctx, fault.Clamp{Nodes: small, Bytes: tunnelMTU})

		By("downloading on the small one and on another, then seeing that nothing stalled")
		for _, peer := range bed.Peers()[:2] {
			Expect(bed.Download(ctx, peer, fixtures.Layer4M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer4M), judge.ComeFromSwarm()))
			Expect(bed.Diagnoses(peer)(ctx)).To(BeEmpty())
		}
		Expect(bed.Served(jumbo...)(ctx)).To(BeNumerically(">=", fixtures.Layer4M.Size))

		By("giving a third one jumbo frames, too, over a path that carries none, and downloading what nobody has")
		bed.Inject(ctx, fault.Clamp{Nodes: []topology.Node{third}, Bytes: jumboMTU})
		bed.Inject(ctx, fault.MTU{Links: fault.From(third).To(jumbo...).Port(65002), Bytes: pppoeMTU, Direction: fault.Downstream})
		Expect(bed.Download(ctx, third, fixtures.Fresh(1)).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Fresh(1)), judge.ComeFromSwarm()))
		Expect(bed.Diagnoses(third)(ctx)).To(stalls)
		Expect(bed.Members(ctx)).To(ConsistOf(topology.Names(append(bed.Seeds(), bed.Peers()...))))
	}, SpecTimeout(harness.Spec))
})
