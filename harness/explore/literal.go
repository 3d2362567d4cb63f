package explore

import (
	"fmt"
	"go/format"
	"strings"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/topology"
)

// files are the names of fixtures in Go.
var files = map[string]string{
	fixtures.Layer1M.Name: "fixtures.Layer1M", fixtures.Layer4M.Name: "fixtures.Layer4M", fixtures.Layer16M.Name: "fixtures.Layer16M",
}

// FileName is what the plan's Literal is kept as: no Go file yet, so that nothing compiles it.
func (p Plan) FileName() string { return fmt.Sprintf("plan-%d.go.txt", p.Number) }

// Literal is the plan as a file of package scenarios, by gofmt: put there, it is kept.
func (p Plan) Literal() string {
	var b strings.Builder
	line := func(form string, args ...any) { fmt.Fprintf(&b, form+"\n", args...) }
	body := p.body()
	line("package scenarios\n\nimport (")
	if strings.Contains(body, "time.") {
		line("%q\n", "time")
	}
	line(". %q\n. %q\n", "github.com/onsi/ginkgo/v2", "github.com/onsi/gomega")
	for _, path := range []string{"fixtures", "harness", "harness/fault", "harness/judge", "harness/topology"} {
		line("%q", "github.com/faultbed/faultbed/"+path)
	}
	line(")\n")
	line("// Kept of: make explore SEED=%d N=%d FOCUS='number %d,'", p.Seed, p.Number, p.Number)
	line("var _ = Describe(\"A plan\", explored, func() {\nIt(%q, func(ctx SpecContext) {", p.Name())
	line("%s}, SpecTimeout(harness.Spec))\n})", body)
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		panic(fmt.Sprintf("explore: plan %d of seed %d is no Go: %v", p.Number, p.Seed, err)) // tests draw thousands
	}
	return string(text)
}

// body is what the scenario does.
func (p Plan) body() string {
	var b strings.Builder
	line := func(form string, args ...any) { fmt.Fprintf(&b, form+"\n", args...) }
	line("bed := harness.Lay(ctx, GinkgoTB(), %s)", layout(p.Topology))
	line("everybody := topology.Names(append(bed.Seeds(), bed.Peers()...))")
	for _, s := range p.Steps {
		line("\nBy(%q)", p.Say(s))
		number, d := s.Download+1, Download{}
		if len(p.Downloads) > 0 {
			d = p.Downloads[s.Download]
		}
		switch s.Do {
		case Inject:
			line("fault%d := bed.Inject(ctx, %s)", s.Fault+1, p.Faults[s.Fault].golang())
		case Heal:
			line("fault%d.Heal(ctx)", s.Fault+1)
		case Open:
			line("bed.Open(ctx)\nbed.AwaitReady(%s)", strings.TrimSuffix("ctx, "+nodes(s.Spared), ", "))
		case Begin:
			line("download%d := bed.Download(ctx, %s, %s)", number, node(d.Peer), files[d.File])
		case Halfway:
			line("Eventually(ctx, download%d.Progress).WithTimeout(bed.Bounds().Download).Should(BeNumerically(\">\", %g))", number, Well)
		case Finish:
			line("Expect(download%d.Wait(ctx)).To(judge.BeIntact(%s))", number, files[d.File])
		}
	}
	line(`
		By("seeing everybody back")
		for _, supernode := range bed.Supernodes() {
			Eventually(ctx, bed.CountedBy(supernode)).WithTimeout(bed.Bounds().Rejoin).Should(ConsistOf(everybody))
		}

		By("downloading on every peer what nobody has")
		for i, peer := range bed.Peers() {
			Expect(bed.Download(ctx, peer, fixtures.Fresh(i+1)).Wait(ctx)).To(judge.BeIntact(fixtures.Fresh(i+1)), peer.Name)
		}`)
	return b.String()
}

// layout writes a topology.
func layout(t topology.Topology) string {
	text := fmt.Sprintf("topology.Of(%d, %d, %d)", len(t.Of(topology.Supernode)), len(t.Of(topology.Seed)), len(t.Of(topology.Peer)))
	located := map[string][]string{}
	released := map[string][]string{}
	for _, n := range t.Nodes {
		if n.Role != topology.Origin {
			located[n.IDC] = append(located[n.IDC], n.Name)
			released[n.Release] = append(released[n.Release], n.Name)
		}
	}
	if names := located[elsewhere]; len(names) > 0 {
		text += fmt.Sprintf(".Located(%q, %s)", elsewhere, quoted(names))
	}
	for _, release := range []struct{ name, golang string }{{topology.Previous, "topology.Previous"}, {topology.Next, "topology.Next"}} {
		if names := released[release.name]; len(names) > 0 {
			text += fmt.Sprintf(".Released(%s, %s)", release.golang, quoted(names))
		}
	}
	if t.OriginRate > 0 {
		text += fmt.Sprintf(".OriginLimited(%d << 20)", t.OriginRate>>20)
	}
	return text
}
