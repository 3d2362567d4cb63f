package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

func newBed() *cobra.Command {
	var nodes, seeds, out string
	cmd := &cobra.Command{
		Use:   "bed",
		Short: "Lay one bed and keep it until Ctrl-C",
		Long: "Lay one bed and keep it until Ctrl-C: a supernode, an origin, and nodes of which\n" +
			"some are seeds, all steered through toxiproxy, to look at and to break by hand.",
		Args: noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, release := watchInterruption(cmd.Context())
			defer release()
			return keepBed(i, nodes, seeds, out, newScreen(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringVar(&nodes, "nodes", "5", "seeds and peers together")
	cmd.Flags().StringVar(&seeds, "seeds", "2", "how many of the nodes are seeds")
	cmd.Flags().StringVar(&out, "out", "", "`folder` for evidence if the bed fails (default: out in the project)")
	return cmd
}

// keepBed checks everything, lays the bed, says how to reach it, and puts it away when
// it is interrupted.
func keepBed(i *interruption, nodes, seeds, out string, s *screen) error {
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	n, nodesErr := number("nodes", nodes)
	m, seedsErr := number("seeds", seeds)
	out, outErr := folder(cmp.Or(out, filepath.Join(root, "out")))
	if err := errors.Join(nodesErr, seedsErr, outErr); err != nil {
		return first(err)
	}
	t, err := topology.New(n, m)
	if err != nil {
		return usage("nodes, seeds: %w", err)
	}
	engine, _, err := ready(i.asked, s)
	if err != nil {
		return err
	}
	_ = engine.Close() // idle connections, nothing to lose; the session has its own
	session, _, err := harness.Open(i.asked, harness.Options{
		RunDir: filepath.Join(out, "bed"), System: "reference", Profile: "fast", Repeat: 1,
	}, func(line string) { s.say("%s", line) })
	if err != nil {
		return infra(err)
	}
	harness.Use(session)
	verdict, reason := harness.Alone("bed", func(tb testing.TB) {
		bed := harness.Start(i.asked, tb, t)
		s.say("%d nodes are registered; put away with Ctrl-C", n)
		for _, node := range t.Nodes {
			address, container := bed.Where(node)
			s.say("  %-14s %-10s %-8s %-15s docker logs %s", node.Name, node.Role, node.Release, address, container)
		}
		s.say("  download: docker exec %s-peer-1 /peer dfget http://%s/files/layer-4m -O /file", bed.Name(), bed.Origin().Name)
		<-i.asked.Done()
	})
	closing, cancel := context.WithTimeout(context.Background(), harness.BedStop)
	defer cancel()
	err = session.Close(closing)
	if verdict == history.Infra || verdict == history.Fail {
		err = errors.Join(errors.New(reason), err)
	}
	if err != nil {
		return infra(err)
	}
	s.say("put away")
	return nil
}

// number is a flag's value as a whole number; what it may be is for others to say.
func number(name, word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0, usage("%s %q: use a whole number", name, word)
	}
	return n, nil
}
