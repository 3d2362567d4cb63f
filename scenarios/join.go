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
//	broken     the supernode counts     the peer knows   a new file is from   its log says
//	register   everybody but the peer   nobody           origin               register
//	list       (see below)              nobody           origin               register
//	connect    everybody                nobody           origin               list
//	share      everybody                everybody        origin               piece
//
// With the list cut off the supernode has taken the peer, who does not know it, and asks
// again and again: it may or may not be counted at a moment.
//
// Mended, all is as before within the bounds, without a restart.
type joinStep struct {
	of      func(bed *harness.Bed, peer topology.Node) fault.Fault
	counted func(everybody []string, peer topology.Node) types.GomegaMatcher
	known   func(others []string) types.GomegaMatcher
	step    string
}

var (
	all4 = func(everybody []string, _ topology.Node) types.GomegaMatcher { return ConsistOf(everybody) }
	but1 = func(everybody []string, peer topology.Node) types.GomegaMatcher {
		return ConsistOf(without(everybody, peer.Name))
	}
	maybe1 = func(everybody []string, peer topology.Node) types.GomegaMatcher {
		return ContainElements(without(everybody, peer.Name))
	}
	nobody  = func([]string) types.GomegaMatcher { return BeEmpty() }
	theRest = func(others []string) types.GomegaMatcher { return ConsistOf(others) }
)

// muteRegister lets the supernode take connections of a peer and never answer.
func muteRegister(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Stall{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002)}
}

// cutList ends each of the peer's connections to the supernode within the answer to register.
func cutList(bed *harness.Bed, peer topology.Node) fault.Fault {
	const greeting = 100 // bytes: what a gRPC server says before it answers; the list is several times that
	return fault.LimitData{Links: fault.From(peer).To(bed.Supernodes()...).Port(8002), After: greeting}
}

func closeMesh(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Drop{Links: fault.From(peer).To(append(bed.Seeds(), others(bed.Peers(), peer)...)...).Port(65000)}
}

func refuseMesh(bed *harness.Bed, peer topology.Node) fault.Fault {
	return fault.Refuse{Links: fault.From(peer).To(append(bed.Seeds(), others(bed.Peers(), peer)...)...).Port(65000)}
}

func closePieces(bed *harness.Bed, _ topology.Node) fault.Fault {
	everybody := append(bed.Seeds(), bed.Peers()...)
	return fault.Drop{Links: fault.From(everybody...).To(everybody...).Port(65002)}
}

var _ = Describe("A join", discovery, needs("mesh"), func() {
	// Seen red: with what each mutant breaks.
	DescribeTable("of which one step is broken shows in both peer counts, and is whole once that is mended:", func(ctx SpecContext, broken joinStep) {
		bed := harness.Start(ctx, GinkgoTB(), topology.Small())
		peer := bed.Peers()[0]
		everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))
		rest := without(everybody, peer.Name)
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(rest))

		By("breaking the step")
		fault := bed.Inject(ctx, broken.of(bed, peer))
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(broken.known(rest))
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Drop).Should(broken.counted(everybody, peer))

		By("downloading what nobody has, and looking again")
		Expect(bed.Download(ctx, peer, fixtures.Layer1M).Wait(ctx)).To(SatisfyAll(judge.BeIntact(fixtures.Layer1M), judge.ComeFromOrigin()))
		Expect(bed.Known(peer)(ctx)).To(broken.known(rest))
		Expect(bed.Members(ctx)).To(broken.counted(everybody, peer))
		Eventually(ctx, bed.Diagnoses(peer)).WithTimeout(bed.Bounds().Notice).Should(ContainElement(diagnosis(broken.step, "", "")))

		By("mending it")
		fault.Heal(ctx)
		Eventually(ctx, bed.Members).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		Eventually(ctx, bed.Known(peer)).WithTimeout(bed.Bounds().Notice).Should(ConsistOf(rest))
		Eventually(ctx, fresh(bed, peer)).WithTimeout(bed.Bounds().Rejoin).Should(judge.ComeFromSwarm())
	},
		Entry("register, not answered", joinStep{muteRegister, but1, nobody, "register"}, SpecTimeout(harness.Spec)),
		Entry("list, cut off", joinStep{cutList, maybe1, nobody, "register"}, SpecTimeout(harness.Spec)),
		Entry("connect, dropped", joinStep{closeMesh, all4, nobody, "list"}, SpecTimeout(harness.Spec)),
		Entry("connect, refused", joinStep{refuseMesh, all4, nobody, "list"}, SpecTimeout(harness.Spec)),
		Entry("share, dropped", joinStep{closePieces, all4, theRest, "piece"}, SpecTimeout(harness.Spec)),
	)
})
