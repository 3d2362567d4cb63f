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
)

// A peer joins in four steps: it registers, is given the list of the others, connects to
// them, and shares pieces. Whichever is broken alone shows in the peer counts, that of the
// supernode and the peer's own, each in its way, and in the log by its name:
//
//	broken    the supernode counts   the peer knows   its log says
//	register  the others             nobody           register
//	list      everybody              nobody           register
//	connect   everybody              nobody           list
//	share     everybody              the others       piece
//
// With the list cut off the supernode has taken the peer, who does not know it, and asks
// again before its lease is over. A new file is from the origin in all cases. Mended, all
// is as before within the bounds, without a restart.
type joinStep struct {
	of             func(bed *harness.Bed, peer topology.Node) fault.Fault
	counted, known func(everybody []string, peer string) types.GomegaMatcher
	step           string
}

var (
	everyone  = func(everybody []string, _ string) types.GomegaMatcher { return ConsistOf(everybody) }
	theOthers = func(everybody []string, peer string) types.GomegaMatcher { return ConsistOf(without(everybody, peer)) }
	nobody    = func([]string, string) types.GomegaMatcher { return ConsistOf([]string{}) }
)

// muteRegister lets the supernode take connections of a peer and never answer.
func muteRegister(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Stall{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002)}
}

// cutList ends each of the peer's connections to the supernode within the answer to register,
// which is several times as long as a greeting.
func cutList(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.LimitData{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), After: greeting}
}

func dropMesh(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Drop{Links: fault.From(peer).To(append(bed.Seeds(), others(bed.Peers(), peer)...)...).Port(65000)}
}

func refuseMesh(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Refuse{Links: fault.From(peer).To(append(bed.Seeds(), others(bed.Peers(), peer)...)...).Port(65000)}
}

func dropPieces(bed *harness.Bed, _ topology.Node) fault.Fault {
	everybody := append(bed.Seeds(), bed.Peers()...)
	return fault.Drop{Links: fault.From(everybody...).To(everybody...).Port(65002)}
}

var _ = Describe("A join", discovery, needs("mesh"), func() {
	// Seen red: with what each mutant breaks.
	DescribeTable("of which one step is broken shows in both peer counts, and is whole once that is mended:", func(ctx SpecContext, step joinStep) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Tiny())
		peer := bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(theOthers(everybody, peer.Name))

		By("breaking the step, and counting")
		broken := bed.Inject(ctx, step.of(bed, peer))
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(step.known(everybody, peer.Name))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(step.counted(everybody, peer.Name))

		By("downloading what nobody has, and counting again")
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))
		Expect(bed.Known(peer)(ctx)).To(step.known(everybody, peer.Name))
		Consistently(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(step.counted(everybody, peer.Name))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(diagnosis(step.step, "", "")))

		By("mending it")
		broken.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(theOthers(everybody, peer.Name))
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("register, not answered", kills("retries-only-what-was-refused"), joinStep{muteRegister, theOthers, nobody, "register"}, SpecTimeout(harness.Spec)),
		Entry("list, cut off", kills("lost-supernode-never-returned-to"), joinStep{cutList, everyone, nobody, "register"}, SpecTimeout(harness.Spec)),
		Entry("connect, dropped", kills("calls-between-peers-without-deadline"), joinStep{dropMesh, everyone, nobody, "list"}, SpecTimeout(harness.Spec)),
		Entry("connect, refused", kills("lists-believed"), joinStep{refuseMesh, everyone, nobody, "list"}, SpecTimeout(harness.Spec)),
		Entry("share, dropped", kills("origin-never-asked"), joinStep{dropPieces, everyone, theOthers, "piece"}, SpecTimeout(harness.Spec)),
	)
})
