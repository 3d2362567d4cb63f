package scenarios

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/fault"
	"github.com/faultbed/faultbed/harness/topology"
)

// problems returns a function for Eventually: what the doctor on a peer finds wrong, a
// line each.
func problems(bed *harness.Bed, peer topology.Node) func(context.Context) ([]string, error) {
	return func(ctx context.Context) (lines []string, err error) {
		found, err := bed.Doctor(peer)(ctx)
		for _, f := range found {
			if f.Result == "problem" {
				lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", f.Check, f.Target, f.Fact, f.Cure))
			}
		}
		return lines, err
	}
}

// finding matches the line of a problem: the check, its target, and words of what was
// measured. It comes with a cure.
func finding(check, target, fact string) types.GomegaMatcher {
	return MatchRegexp(`(?s)^%s %s: .*%s.* -> .+`, check, target, fact)
}

// Whatever keeps a peer out of the swarm, or starves it there, one command on the peer
// names it, with the target, what was measured, and the cure; and says nothing of what is well.
var _ = Describe("The doctor on a peer", diagnoses, needs("doctor"), func() {
	small := topology.Tiny()
	node := func(name string) []topology.Node { n, _ := small.Node(name); return []topology.Node{n} }
	on := func(name string, ports ...int) fault.Links { return fault.Into(node(name)...).Port(ports...) }
	const lost = "a seed that supernodes named and no longer do"

	// Seen red: with a port that takes no part in the doctor's checks, that cause is not found.
	DescribeTable("names the cause", func(ctx SpecContext, patient string, cause fault.Fault, found types.GomegaMatcher) {
		bed := harness.Start(ctx, GinkgoTB(), small)

		By("finding nothing")
		Eventually(ctx, problems(bed, bed.Node(patient))).WithTimeout(bed.Bounds().Notice).Should(BeEmpty())

		By("breaking something, and asking the doctor")
		injected := bed.Inject(ctx, cause)
		Eventually(ctx, problems(bed, bed.Node(patient))).WithTimeout(bed.Bounds().Drop+bed.Bounds().Rejoin).Should(found, "what the doctor finds")

		By("curing it, and asking again")
		injected.Heal(ctx)
		Eventually(ctx, problems(bed, bed.Node(patient))).WithTimeout(bed.Bounds().Rejoin + bed.Bounds().Notice).Should(BeEmpty())
	},
		Entry("a closed port 8002, dropped", kills("doctor-blames-nobody", "once-registered-shown-as-registered"), smoke, "peer-1",
			fault.BlockPort{Links: fault.From(node("peer-1")...).To(node("supernode-1")...).Port(8002), How: fault.Dropped},
			ConsistOf(finding("port", "supernode-1:8002", "timed out"), finding("registered", "supernode-1:8002", "not registered")), SpecTimeout(harness.Spec)),
		Entry("a closed port 8002, refused", kills("doctor-blames-nobody"), "peer-1",
			fault.BlockPort{Links: fault.From(node("peer-1")...).To(node("supernode-1")...).Port(8002), How: fault.Refused},
			ConsistOf(finding("port", "supernode-1:8002", "refused"), finding("registered", "supernode-1:8002", "not registered")), SpecTimeout(harness.Spec)),
		Entry("a closed port 65000 of its own", kills("call-back-failure-not-told"), "peer-1", fault.BlockPort{Links: on("peer-1", 65000), How: fault.Dropped},
			ConsistOf(finding("registered", "supernode-1:8002", "cannot be called back")), SpecTimeout(harness.Spec)),
		Entry("a closed port 65001 of another peer, dropped", kills("doctor-blames-nobody"), "peer-2", fault.BlockPort{Links: on("peer-1", 65001), How: fault.Dropped},
			ConsistOf(finding("port", "peer-1:65001", "timed out")), SpecTimeout(harness.Spec)),
		Entry("a closed port 65001 of another peer, refused", kills("doctor-blames-nobody"), "peer-2", fault.BlockPort{Links: on("peer-1", 65001), How: fault.Refused},
			ConsistOf(finding("port", "peer-1:65001", "refused")), SpecTimeout(harness.Spec)),
		Entry("a supernode whose name is gone", kills("doctor-trusts-names"), "peer-1", fault.DNSFail{Nodes: node("peer-1"), Of: node("supernode-1"), With: fault.NXDomain},
			ConsistOf(finding("dns", "supernode-1", "no such host")), SpecTimeout(harness.Spec)),
		Entry("a DNS that is silent", kills("doctor-trusts-names"), "peer-1", fault.DNSFail{Nodes: node("peer-1"), With: fault.NameSilent},
			ConsistOf(finding("dns", "supernode-1", "timed out")), SpecTimeout(harness.Spec)),
		Entry("an MTU black hole on the way from a seed", kills("doctor-blind-to-black-holes"), "peer-1",
			fault.MTU{Links: fault.From(node("peer-1")...).To(node("seed-1")...).Port(65002), Bytes: pathMTU, Direction: fault.Downstream},
			ConsistOf(finding("mtu", "seed-1:65002", "small answers pass, full packets vanish")), SpecTimeout(harness.Spec)),
		Entry("an MTU black hole on the way to the supernode", kills("doctor-blind-to-black-holes"), "peer-1",
			fault.MTU{Links: fault.From(node("peer-1")...).To(node("supernode-1")...), Bytes: pathMTU, Direction: fault.Upstream},
			ContainElement(finding("mtu", "supernode-1:8002", "small requests pass, full packets vanish")), SpecTimeout(harness.Spec)),
		Entry("a seed that died", kills("doctor-blames-nobody"), "peer-1", fault.Kill{Nodes: node("seed-1")},
			ConsistOf(finding("port", "seed-1:65000", lost), finding("port", "seed-1:65001", lost), finding("port", "seed-1:65002", lost)), SpecTimeout(harness.Spec)),
		Entry("too few descriptors", kills("doctor-cannot-count"), "peer-1", fault.FDLimit{Nodes: node("peer-1")},
			ContainElement(finding("descriptors", "daemon", "[0-9]+ of [0-9]+ open")), SpecTimeout(harness.Spec)),
	)

	// Seen red: with a doctor that compares no protocols, and a peer that keeps no reason, nothing is found.
	It("names a release that the supernode does not speak with", kills("doctor-compares-no-versions"), needs("next-major"), func(ctx SpecContext) {
		bed := harness.Lay(ctx, GinkgoTB(), small.Released(topology.NextMajor).Released(topology.Stable, "peer-1"))
		patient := bed.Node("peer-1")

		By("starting")
		bed.Open(ctx)
		bed.AwaitReady(ctx, patient)

		By("asking the doctor")
		Eventually(ctx, problems(bed, patient)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(
			finding("version", "supernode-1:8002", "version mismatch")), "what the doctor finds")
	}, SpecTimeout(harness.Spec))

	// Seen red: with the hole left out, an answer of 4096 bytes arrives.
	It("agrees with what an operator sees by hand", kills("doctor-blind-to-black-holes"), func(ctx SpecContext) {
		bed := harness.Start(ctx, GinkgoTB(), small)
		here, seed, supernode := bed.Node("peer-1"), bed.Node("seed-1"), bed.Node("supernode-1")

		By("trying ports and lengths by hand")
		Expect(bed.Connects(here, supernode, 8002)(ctx)).To(Equal(harness.PortOpen))
		Expect(bed.Carries(here, seed, 65002, 4096)(ctx)).To(BeTrue())

		By("closing one port, and narrowing the path to another")
		bed.Inject(ctx, fault.BlockPort{Links: fault.From(here).To(seed).Port(65001), How: fault.Dropped})
		bed.Inject(ctx, fault.MTU{Links: fault.From(here).To(seed).Port(65002), Bytes: pathMTU})

		By("trying again: what is closed, and the length at which answers stop")
		Expect(bed.Connects(here, seed, 65001)(ctx)).To(Equal(harness.PortSilent))
		Expect(bed.Connects(here, seed, 65002)(ctx)).To(Equal(harness.PortOpen))
		Expect(bed.Carries(here, seed, 65002, 800)(ctx)).To(BeTrue())
		Expect(bed.Carries(here, seed, 65002, 4096)(ctx)).To(BeFalse())

		By("asking the doctor")
		Eventually(ctx, problems(bed, here)).WithTimeout(bed.Bounds().Notice).Should(ContainElements(
			finding("port", "seed-1:65001", "timed out"), finding("mtu", "seed-1:65002", "MTU black hole")), "what the doctor finds")
	}, SpecTimeout(harness.Spec))
})
