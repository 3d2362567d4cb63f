package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// Variant is the release under test built from sources that differ from the project's, in
// which all else is as in BuildImages: flags, recipes, images.
type Variant struct {
	Name    string            // in tags, which tell it from all other variants there are
	Sources map[string][]byte // files that differ, by their paths from the project's root
	Dir     string            // an empty folder for binaries, away from those of BuildImages
}

// Labels on the images of variants.
const (
	// LabelVariant is the variant's name.
	LabelVariant = "org.faultbed.variant"
	// LabelHolder is the process that removes the image when it is done.
	LabelHolder = "org.faultbed.holder"
)

// holdAtMost is how long an image is taken to be held whose process cannot be looked for,
// as it is on another machine.
const holdAtMost = 6 * time.Hour

// How often and how long an image is tried that containers are still made of: long enough
// for faultd to remove what a killed suite has left.
const (
	releaseEvery  = 250 * time.Millisecond
	releaseWithin = 30 * time.Second
)

// BuildVariant builds the variant's images and returns them by the names that topologies
// ask with. Whoever called removes them by RemoveVariant, also when this fails.
func (e *Engine) BuildVariant(ctx context.Context, v Variant) (ImageSet, error) {
	root, err := ModuleRoot()
	if err != nil {
		return nil, err
	}
	info, err := e.Info(ctx)
	if err != nil {
		return nil, err
	}
	overlay, err := v.overlay(root)
	if err != nil {
		return nil, fmt.Errorf("build variant %s: %w", v.Name, err)
	}
	b := batch{release: DefaultRelease, names: released, overlay: overlay}
	images, err := b.compile(ctx, root, filepath.Join(v.Dir, "bin"), info.Arch, func(string) {})
	if err != nil {
		return nil, fmt.Errorf("build variant %s: %w", v.Name, err)
	}
	// What the engine was asked for it finishes, whoever still listens: only who waits for
	// that knows what there is to remove.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	set := ImageSet{}
	var work errgroup.Group
	for _, i := range images {
		i.variant = v.Name
		i.recipe.dockerfile = marked(i.recipe.dockerfile, v.Name)
		set[i.key()] = i.ref()
		work.Go(func() error { return e.ensure(ctx, i, func(string) {}) })
	}
	return set, work.Wait()
}

// fromLine is where a Dockerfile names the image to start from.
var fromLine = regexp.MustCompile(`(?mi)^FROM .*$`)

// marked labels an image from its first layer on: what a build that was killed has left
// can then be told, too.
func marked(dockerfile []byte, variant string) []byte {
	return fromLine.ReplaceAll(dockerfile, fmt.Appendf(nil, "${0}\nLABEL %s=%q %s=%q", LabelVariant, variant, LabelHolder, holder()))
}

// overlay writes the sources that differ into the variant's folder, and what go build has
// to know to take them.
func (v Variant) overlay(root string) (string, error) {
	replace := map[string]string{}
	for name, content := range v.Sources {
		here := filepath.Join(v.Dir, "sources", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(here), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(here, content, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = here
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(v.Dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o644)
}

// RemoveVariant removes all images of the variant of that name, as soon as no container
// is made of them any more.
func (e *Engine) RemoveVariant(ctx context.Context, name string) error {
	images, err := e.variants(ctx, client.Filters{}.Add("label", LabelVariant+"="+name))
	if err != nil {
		return err
	}
	return e.removeAll(ctx, images, KindImage, func(ctx context.Context, tag string) error {
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			_, err := e.client.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
			if err != nil && !errdefs.IsConflict(err) {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		}, backoff.WithBackOff(backoff.NewConstantBackOff(releaseEvery)), backoff.WithMaxElapsedTime(releaseWithin))
		return err
	})
}

func (e *Engine) variants(ctx context.Context, filters client.Filters) ([]Leftover, error) {
	images, err := e.client.ImageList(ctx, client.ImageListOptions{Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var all []Leftover
	for _, i := range images.Items {
		l := Leftover{Kind: KindImage, ID: i.ID, Name: i.Labels[LabelVariant] + ", half built", Created: time.Unix(i.Created, 0)}
		l.Running = held(i.Labels[LabelHolder], time.Since(l.Created))
		for _, tag := range i.RepoTags {
			if tag != untagged {
				l.ID, l.Name = tag, tag // one is all that it has
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// untagged is the tag that older engines tell of an image without one.
const untagged = "<none>:<none>"

// holder is this process in the label of its images.
func holder() string { return hostname() + "/" + strconv.Itoa(os.Getpid()) }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return cmp.Or(name, "unknown")
}

// held says whether the process that holds an image of this age is still there.
func held(by string, age time.Duration) bool {
	host, word, _ := strings.Cut(by, "/")
	pid, err := strconv.Atoi(word)
	if err != nil || host != hostname() {
		return age < holdAtMost
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
