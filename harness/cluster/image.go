package cluster

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/faultbed/faultbed/images/swarm"
)

// ImageSet is what was built or chosen, by the name a topology asks with:
// "peer@2.2.1" for roles that come in releases, "origin" for the others.
type ImageSet map[string]string

// DefaultRelease is what supernodes and peers run unless a topology says otherwise.
const DefaultRelease = "2.2.1"

// Releases are the releases that supernodes and peers are built as: all that there are.
var Releases = swarm.ReleaseNames()

// Folders of images/. Those in released are built once for each release.
var (
	released   = []string{"supernode", "peer"}
	unreleased = []string{"origin", "crowd", "toxiproxy", "faultd"}
)

// module is the line of go.mod by which the root of the project is known.
const module = "module github.com/faultbed/faultbed"

// saySlow is how long a step goes on in silence: less is not worth a line.
const saySlow = time.Second

// imagesAtOnce is how many images the engine builds side by side while the next
// release is compiled.
const imagesAtOnce = 3

// BuildImages builds what is under images/ as far as the engine lacks it, saying on
// progress what takes time, and returns all of it. Binaries are static and built on
// this machine; images hold nothing else, so no registry is asked for anything. Tags
// are made from content: an unchanged image is not built again. Two runs at once wait
// for each other, and the second finds everything there.
func (e *Engine) BuildImages(ctx context.Context, progress func(line string)) (ImageSet, error) {
	root, err := ModuleRoot()
	if err != nil {
		return nil, err
	}
	info, err := e.Info(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("build images: %w", err)
	}
	cache = filepath.Join(cache, "faultbed", "bin", info.Arch)
	unlock, err := lock(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()

	var images []image
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(imagesAtOnce)
	for _, b := range batches() {
		var made []image
		made, err = b.compile(ctx, root, filepath.Join(cache, b.folder()), info.Arch, progress)
		if err != nil {
			break
		}
		for _, i := range made {
			work.Go(func() error { return e.ensure(ctx, i, progress) })
		}
		images = append(images, made...)
	}
	// An image that failed has also cut the compiler short: it is the cause.
	if failed := work.Wait(); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	set := ImageSet{}
	for _, i := range images {
		set[i.key()] = i.ref()
	}
	return set, nil
}

// Gate is the program that foreign images are started behind, as BuildImages compiled
// it for the engine's machine.
func (e *Engine) Gate(ctx context.Context) ([]byte, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("read the gate: %w", err)
	}
	program, err := os.ReadFile(filepath.Join(cache, "faultbed", "bin", info.Arch, batch{}.folder(), "gate"))
	if err != nil {
		return nil, fmt.Errorf("read the gate: %w", err)
	}
	return program, nil
}

// batch is what one go build makes: packages that share a release.
type batch struct {
	release string // empty for what has none
	names   []string
	overlay string // path of what go build takes instead of sources; empty for none
}

func batches() []batch {
	all := []batch{{names: unreleased}}
	for _, r := range Releases {
		all = append(all, batch{release: r, names: released})
	}
	return all
}

func (b batch) folder() string {
	if b.release == "" {
		return "any"
	}
	return b.release
}

// compile makes the batch's binaries in bin, and of them what its images will be.
func (b batch) compile(ctx context.Context, root, bin, arch string, progress func(string)) ([]image, error) {
	recipes, err := readRecipes(root, b.names)
	if err != nil {
		return nil, err
	}
	if err := compile(ctx, root, bin, arch, b, recipes, progress); err != nil {
		return nil, err
	}
	images := make([]image, 0, len(recipes))
	for _, r := range recipes {
		i, err := newImage(r, b.release, bin)
		if err != nil {
			return nil, err
		}
		images = append(images, i)
	}
	return images, nil
}

// ModuleRoot finds the root of the project from the working directory upwards, or from
// FAULTBED_ROOT: a compiled suite runs elsewhere.
func ModuleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	start = cmp.Or(os.Getenv("FAULTBED_ROOT"), start)
	for dir := start; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), module+"\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the project: %s is not inside a checkout of it", start)
		}
	}
}
