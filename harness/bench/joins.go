package bench

import (
	"context"
	"fmt"
	"net/url"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/system/reference"
	"github.com/faultbed/faultbed/harness/topology"
)

// joinsPerRound is how many peers join for each pair of beds.
const joinsPerRound = 5

// joins compares the way of a peer from its start to its first piece with a plain GET of
// a piece: it looks its supernode up, registers, is called back, is told where to go,
// learns which pieces are there, and gets one. The peers are real ones, one after the
// other in one process in a container, so that no start of a container is measured.
func (m *meter) joins(ctx context.Context) ([]Comparison, error) {
	n := joinsPerRound * m.rounds
	m.progress(fmt.Sprintf("%d peers join and get a piece", n))
	t := topology.Of(1, 1, 0)
	compared := Comparison{
		What:   "from the start of a peer to its first piece",
		Ours:   Sample{What: "look up, register, called back, directed, listed, piece"},
		Theirs: Sample{What: "HTTP GET of a piece from the same seed"},
	}
	err := m.onPlain(ctx, m.session.System, t, func(p *plain) error {
		supernode, seed := t.Of(topology.Supernode)[0], t.Of(topology.Seed)[0]
		c, err := p.crowd(ctx, m, fmt.Sprintf("%s:%d", supernode.Name, reference.SupernodePort), m.session.Profile)
		if err != nil {
			return err
		}
		var took struct {
			JoinMS []float64 `json:"join_ms"`
			GetMS  []float64 `json:"get_ms"`
		}
		err = c.tell(ctx, &took, "join", url.Values{
			"n": {fmt.Sprint(n)}, "url": {originURL(t, fixtures.Layer1M)},
			"from": {fmt.Sprintf("%s:%d", p.nodes[seed.Name].address, reference.UploadPort)},
		})
		compared.Ours.MS, compared.Theirs.MS = took.JoinMS, took.GetMS
		return err
	})
	return []Comparison{compared}, err
}
