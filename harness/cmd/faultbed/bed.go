package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/fixtures"
	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/topology"
)

// keeping is what bed was asked for, as it was typed.
type keeping struct {
	target
	nodes, seeds, out string
}

func newBed() *cobra.Command {
	var k keeping
	cmd := &cobra.Command{
		Use:   "bed",
		Short: "Lay one bed and keep it until Ctrl-C",
		Long: "Lay one bed and keep it until Ctrl-C: a supernode, an origin, and nodes of which\n" +
			"some are seeds, all steered through toxiproxy, to look at and to break by hand.",
		Args: noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, release := watchInterruption(cmd.Context())
			defer release()
			return k.keep(i, newScreen(cmd.OutOrStdout()))
		},
	}
	k.register(cmd.Flags())
	cmd.Flags().StringVar(&k.nodes, "nodes", "5", "seeds and peers together")
	cmd.Flags().StringVar(&k.seeds, "seeds", "2", "how many of the nodes are seeds")
	cmd.Flags().StringVar(&k.out, "out", "", "`folder` for evidence if the bed fails (default: out in the project)")
	return cmd
}

// keep checks everything, lays the bed, says how to reach it, and puts it away when it
// is interrupted.
func (k keeping) keep(i *interruption, s *screen) error {
	root, err := cluster.ModuleRoot()
	if err != nil {
		return usage("%w: run faultbed inside one", err)
	}
	under, underErr := k.parse()
	n, nodesErr := number("nodes", k.nodes)
	m, seedsErr := number("seeds", k.seeds)
	out, outErr := folder(cmp.Or(k.out, filepath.Join(root, "out")))
	if err := errors.Join(underErr, nodesErr, seedsErr, outErr); err != nil {
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
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose; the session has its own
	chosen, err := under.images(i.asked, engine)
	if err != nil {
		return err
	}
	progress := func(line string) { s.say("%s", line) }
	built, err := engine.BuildImages(i.asked, progress)
	if err != nil {
		return infra(err)
	}
	session, _, err := harness.Open(i.asked, harness.Options{
		RunDir: filepath.Join(out, "bed"), System: under.system, Release: under.release, Profile: "fast", Repeat: 1,
		Images: under.with(built, chosen),
	}, progress)
	if err != nil {
		return infra(err)
	}
	harness.Use(session)
	verdict, reason := harness.Alone("bed", func(tb testing.TB) {
		bed := harness.Start(i.asked, tb, t)
		s.say("%d nodes are registered; put away with Ctrl-C", n)
		for _, node := range session.System.Furnish(t).Nodes {
			address, container := bed.Where(node)
			s.say("  %-14s %-10s %-8s %-15s docker logs %s", node.Name, node.Role, session.System.Release(node.Release), address, container)
		}
		file := fixtures.Layer4M
		url := fmt.Sprintf("http://%s/files/%s", bed.Origin().Name, file.Name)
		download := session.System.Download(url, "/file", file.SHA256, bed.Bounds().Download)
		s.say("  download: docker exec %s-peer-1 %s", bed.Name(), strings.Join(download, " "))
		s.say("  look inside: sudo nsenter --net --target $(docker inspect --format '{{.State.Pid}}' %s-peer-1) ip address", bed.Name())
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
