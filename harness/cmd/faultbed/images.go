package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/report"
	"github.com/faultbed/faultbed/harness/system/dragonfly"
)

func newImages() *cobra.Command {
	var system, release string
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Build the images under images/ as far as the engine lacks them",
		Long: "Build the images under images/ as far as the engine lacks them. For dragonfly, also make\n" +
			"ready its stores, and pull what is missing of the release if a registry answers.",
		Args: noMore,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := wantedImages(system, release)
			if err != nil {
				return err
			}
			i, listening := watchInterruption(cmd.Context())
			defer listening()
			err = obtainImages(i.asked, system, wanted, newScreen(cmd.ErrOrStderr()), cmd.OutOrStdout())
			if err != nil && i.happened() {
				return exit{report.ExitInterrupted, errInterrupted}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&system, "system", "reference", "whose images: reference or dragonfly")
	cmd.Flags().StringVar(&release, "release", "", "release of Dragonfly (default: "+dragonfly.Stable+")")
	return cmd
}

// obtainImages builds and pulls, and lists on to what there is in the end.
func obtainImages(ctx context.Context, system string, wanted []string, said *screen, to io.Writer) error {
	engine, err := cluster.Connect(ctx)
	if err != nil {
		return infra(err)
	}
	defer func() { _ = engine.Close() }() // idle connections, nothing to lose
	progress := func(line string) { said.say("%s", line) }
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	if system == "dragonfly" {
		if err := obtainDragonfly(ctx, engine, wanted, progress, out); err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	set, err := engine.BuildImages(ctx, progress)
	if err != nil {
		return errors.Join(infra(err), out.Flush())
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(out, "%s\t%s\n", key, set[key])
	}
	return out.Flush()
}

// wantedImages are the official images that a system needs at a release.
func wantedImages(system, release string) ([]string, error) {
	if err := oneOf("system", system, "reference", "dragonfly"); err != nil {
		return nil, err
	}
	if system == "reference" {
		if release != "" {
			return nil, usage("release %q: the reference system is built in all of its own: leave it out, or choose --system dragonfly", release)
		}
		return nil, nil
	}
	needed, _, err := dragonfly.Refs(release, nil)
	if err != nil {
		return nil, usage("%w", err)
	}
	return slices.Compact(slices.Sorted(maps.Values(needed))), nil // seed and peer share one
}

// imageSource is an engine as far as images are looked for.
type imageSource interface {
	Image(ctx context.Context, ref string) (digest string, found bool, err error)
	Pull(ctx context.Context, ref string, progress func(string)) (bool, error)
}

// How an image came to be on the engine, or not.
const (
	imageThere   = "there"
	imagePulled  = "pulled"
	imageMissing = "missing"
)

// obtainDragonfly prints how it stands with the wanted images of a release, and with the
// stores once all of those are there.
func obtainDragonfly(ctx context.Context, engine *cluster.Engine, wanted []string, progress func(string), out io.Writer) error {
	standing, err := obtain(ctx, engine, wanted, progress)
	if err != nil {
		return infra(err)
	}
	var missing []string
	for i, ref := range wanted {
		fmt.Fprintf(out, "%s\t%s\n", ref, standing[i])
		if standing[i] == imageMissing {
			missing = append(missing, ref)
		}
	}
	if len(missing) > 0 {
		return missingDragonfly(missing)
	}
	database, cache, err := engine.Stores(ctx, progress)
	if err != nil {
		return infra(err)
	}
	fmt.Fprintf(out, "database\t%s\ncache\t%s\n", database.Image, cache.Image)
	return nil
}

// obtain looks each image up and pulls what is not there, all at once, so that a machine
// without a registry waits for it only once.
func obtain(ctx context.Context, from imageSource, refs []string, progress func(string)) ([]string, error) {
	standing := make([]string, len(refs))
	work, ctx := errgroup.WithContext(ctx)
	for i, ref := range refs {
		work.Go(func() error {
			_, found, err := from.Image(ctx, ref)
			if err != nil || found {
				standing[i] = imageThere
				return err
			}
			pulled, err := from.Pull(ctx, ref, progress)
			standing[i] = imageMissing
			if pulled {
				standing[i] = imagePulled
			}
			return err
		})
	}
	return standing, work.Wait()
}

// missingDragonfly says in one line which images are missing and how to get them. Their
// own build names them by D7Y_VERSION, and latest without it.
func missingDragonfly(refs []string) error {
	pulls := make([]string, len(refs))
	tags := map[string]bool{}
	for i, ref := range refs {
		pulls[i] = "docker pull " + ref
		tags[ref[strings.LastIndexByte(ref, ':')+1:]] = true
	}
	builds := make([]string, 0, len(tags))
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		builds = append(builds, fmt.Sprintf("git checkout %s && make docker-build D7Y_VERSION=%s", tag, tag))
	}
	return usage("images %s are not on the engine: get them by name: %s; or build them in a checkout of github.com/dragonflyoss/dragonfly: %s",
		strings.Join(refs, ", "), strings.Join(pulls, " && "), strings.Join(builds, " && "))
}
