package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/system/dragonfly"
	"github.com/faultbed/faultbed/harness/topology"
)

// What SYSTEM may say.
const (
	referenceName = "reference"
	dragonflyName = "dragonfly"
)

// variables are make's names of the images that can be given, by role.
var variables = map[string]string{
	"supernode": "SUPERNODE", "manager": "MANAGER", "scheduler": "SCHEDULER", "seed": "SEEDPEER", "peer": "PEER",
}

// target are the flags that say what is under test, as they were typed.
type target struct {
	system, release                             string
	supernode, manager, scheduler, seeder, peer string
}

func (t *target) register(flags *pflag.FlagSet) {
	flags.StringVar(&t.system, "system", referenceName, "what is under test: reference or dragonfly")
	flags.StringVar(&t.release, "release", "", "release of dragonfly (default: "+dragonfly.Stable+")")
	flags.StringVar(&t.supernode, "supernode", "", "`image` to run as supernode of reference instead of the default release")
	flags.StringVar(&t.manager, "manager", "", "`image` to run as manager of dragonfly instead of the release's")
	flags.StringVar(&t.scheduler, "scheduler", "", "`image` to run as scheduler of dragonfly instead of the release's")
	flags.StringVar(&t.seeder, "seed-peer", "", "`image` to run as seed peer of dragonfly instead of the release's")
	flags.StringVar(&t.peer, "peer", "", "`image` to run as peer instead of the release's")
}

// namesImage says whether what was given as the seed of what is random is an image: the
// seed of a swarm is called so, too.
func namesImage(word string) bool { return strings.ContainsAny(word, "/:") }

// seedBy takes the seed peer's image from --seed.
func (t *target) seedBy(image string) error {
	if t.seeder != "" {
		return usage("seed %q and seed-peer %q both name the seed peer's image: leave one out, or give a number as seed", image, t.seeder)
	}
	t.seeder = image
	return nil
}

// underTest is a system, its release, and where its images come from.
type underTest struct {
	system, release string
	given           map[string]string // the user's own images, by role
	// Images of dragonfly, by role and release: those that it cannot do without, given
	// ones among them, and those of other releases that scenarios mix in if they are there.
	needed, optional map[string]string
}

// parse looks at all that can be judged without an engine.
func (t target) parse() (underTest, error) {
	if err := oneOf("system", t.system, referenceName, dragonflyName); err != nil {
		return underTest{}, err
	}
	u := underTest{system: t.system, release: harness.DefaultRelease(t.system), given: map[string]string{}}
	for role, ref := range map[string]string{
		"supernode": t.supernode, "manager": t.manager, "scheduler": t.scheduler, "seed": t.seeder, "peer": t.peer,
	} {
		if ref != "" {
			u.given[role] = ref
		}
	}
	if t.system == referenceName {
		return u, u.checkReference(t.release)
	}
	if ref := u.given["supernode"]; ref != "" {
		return u, usage("supernode %q: dragonfly has a manager and a scheduler in its place: use MANAGER and SCHEDULER", ref)
	}
	u.release = dragonflyRelease(t.release)
	var err error
	if u.needed, u.optional, err = dragonfly.Refs(u.release, u.given); err != nil {
		return u, usage("%w", err)
	}
	return u, nil
}

// checkReference refuses what only dragonfly has.
func (u underTest) checkReference(release string) error {
	if release != "" {
		return usage("release %q: the reference system is built in all of its own: leave it out, or choose --system dragonfly", release)
	}
	for _, role := range []string{"manager", "scheduler", "seed"} {
		if ref := u.given[role]; ref != "" {
			return usage("%s %q: the reference system has none: use SUPERNODE and PEER, or choose --system dragonfly", variables[role], ref)
		}
	}
	return nil
}

// dragonflyRelease writes a release as run.json and known issues do, which is how
// Dragonfly tags it.
func dragonflyRelease(word string) string {
	return "v" + strings.TrimPrefix(cmp.Or(word, dragonfly.Stable), "v")
}

// String is what is under test in a few words.
func (u underTest) String() string {
	if u.system == referenceName {
		return u.system
	}
	return u.system + " " + u.release
}

// inspector is an engine as far as images are looked up.
type inspector interface {
	Image(ctx context.Context, ref string) (digest string, found bool, err error)
}

// images are those that the run takes from the engine as they are, by the name that a
// topology asks with. Nothing is ever pulled, so all but optional ones have to be there.
func (u underTest) images(ctx context.Context, engine inspector) (cluster.ImageSet, error) {
	for _, role := range slices.Sorted(maps.Keys(u.given)) {
		if _, found, err := engine.Image(ctx, u.given[role]); err != nil {
			return nil, infra(err)
		} else if !found {
			return nil, usage("%s image %q is not on the engine: build, load or pull it first, or see faultbed images", variables[role], u.given[role])
		}
	}
	set := cluster.ImageSet{}
	if u.system == referenceName {
		for role, ref := range u.given {
			set[role+"@"+cluster.DefaultRelease] = ref
		}
		return set, nil
	}
	maps.Copy(set, u.needed)
	missing, err := lacking(ctx, engine, u.needed)
	if err != nil {
		return nil, infra(err)
	}
	if len(missing) > 0 {
		return nil, usage("%w; or see make images SYSTEM=dragonfly RELEASE=%s", missingDragonfly(missing), u.release)
	}
	absent, err := lacking(ctx, engine, u.optional)
	if err != nil {
		return nil, infra(err)
	}
	for key, ref := range u.optional {
		if !slices.Contains(absent, ref) {
			set[key] = ref
		}
	}
	return set, nil
}

// lacking are the images that are not on the engine, each once.
func lacking(ctx context.Context, engine inspector, refs map[string]string) ([]string, error) {
	var missing []string
	for _, ref := range slices.Compact(slices.Sorted(maps.Values(refs))) {
		_, found, err := engine.Image(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

// with is the set of images of a run: our own, and those that were chosen. The reference
// system's programs are of no use to another system.
func (u underTest) with(built, chosen cluster.ImageSet) cluster.ImageSet {
	set := maps.Clone(built)
	if u.system != referenceName {
		maps.DeleteFunc(set, func(key, _ string) bool { return strings.Contains(key, "@") })
	}
	maps.Copy(set, chosen)
	return set
}

// describe is what run.json says of images: the release under test goes by its role
// alone, others as role@release. What release an image of the reference system is that
// the user gave, nobody but the user knows; Dragonfly's say it in their tags.
func (u underTest) describe(ctx context.Context, engine inspector, set cluster.ImageSet) (map[string]history.Image, error) {
	images := map[string]history.Image{}
	for key, ref := range set {
		digest, found, err := engine.Image(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("image %s has gone from the engine", ref)
		}
		role, release, _ := strings.Cut(key, "@")
		if release == cluster.DefaultRelease || release == topology.Stable {
			key = role
		}
		switch {
		case release != "" && u.system != referenceName:
			release = tagOf(ref)
		case u.given[role] == ref:
			release = ""
		}
		images[key] = history.Image{Ref: ref, Digest: digest, Release: release}
	}
	return images, nil
}

// tagOf is the tag of an image's reference, or "".
func tagOf(ref string) string {
	name, _, _ := strings.Cut(ref, "@") // a digest
	_, tag, found := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if !found {
		return ""
	}
	return tag
}
