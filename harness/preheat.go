package harness

import (
	"context"
	"fmt"
	"strings"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness/system"
	"github.com/faultbed/faultbed/harness/topology"
)

// Preheat makes a seed bring a file into the swarm before anybody wants it, as an operator
// does in the seed's container, and returns when the seed says that it has the file.
func (b *Bed) Preheat(ctx context.Context, seed topology.Node, file fixtures.File) error {
	p, ok := b.session.System.(system.Preheating)
	if !ok {
		return fmt.Errorf("%s cannot preheat: use needs(\"preheat\")", b.session.System.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, b.Bounds().Download)
	defer cancel()
	stdout, stderr, code, err := b.session.Engine.Exec(ctx, b.Container(seed.Name), p.Preheat(b.url(file), file.SHA256))
	if err := b.final(err); err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("preheat %s on %s: exit status %d: %s", file.Name, seed.Name, code, strings.TrimSpace(string(stdout)+string(stderr)))
	}
	return nil
}
