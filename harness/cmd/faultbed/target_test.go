package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// stock is an engine that has these images, with their digests.
type stock map[string]string

func (s stock) Image(_ context.Context, ref string) (string, bool, error) {
	digest, found := s[ref]
	return digest, found, nil
}

// stocked has images whose digests are made from their names.
func stocked(refs ...string) stock {
	s := stock{}
	for _, ref := range refs {
		s[ref] = "sha256:" + ref
	}
	return s
}

func under(t *testing.T, words target) underTest {
	t.Helper()
	u, err := words.parse()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const (
	manager   = "dragonflyoss/manager:v2.2.1"
	scheduler = "dragonflyoss/scheduler:v2.2.1"
	daemon    = "dragonflyoss/dfdaemon:v2.2.1"
	next      = "dragonflyoss/dfdaemon:v2.3.0"
	candidate = "dragonflyoss/dfdaemon:dev"
)

func TestImagesOfDragonflyComeFromTheEngine(t *testing.T) {
	engine := stocked(manager, scheduler, daemon, next, candidate)
	u := under(t, target{system: "dragonfly", peer: candidate})
	set, err := u.images(t.Context(), engine)
	want := cluster.ImageSet{
		"manager@stable": manager, "scheduler@stable": scheduler, "seed@stable": daemon, "peer@stable": candidate,
		"seed@next": next, "peer@next": next, // the engine has no manager and scheduler of it
	}
	if d := cmp.Diff(want, set); d != "" || err != nil {
		t.Errorf("%v; images differ:\n%s", err, d)
	}

	own := cluster.ImageSet{"origin": "faultbed/origin:1", "peer@2.2.1": "faultbed/peer:1"}
	set = u.with(own, set)
	set["database"], set["cache"] = "mariadb:10.6", "redis:6-alpine"
	engine["faultbed/origin:1"], engine["mariadb:10.6"], engine["redis:6-alpine"] = "sha256:o", "sha256:m", "sha256:r"
	got, err := u.describe(t.Context(), engine, set)
	described := map[string]history.Image{
		"origin":    {Ref: "faultbed/origin:1", Digest: "sha256:o"},
		"database":  {Ref: "mariadb:10.6", Digest: "sha256:m"},
		"cache":     {Ref: "redis:6-alpine", Digest: "sha256:r"},
		"manager":   {Ref: manager, Digest: "sha256:" + manager, Release: "v2.2.1"},
		"scheduler": {Ref: scheduler, Digest: "sha256:" + scheduler, Release: "v2.2.1"},
		"seed":      {Ref: daemon, Digest: "sha256:" + daemon, Release: "v2.2.1"},
		"peer":      {Ref: candidate, Digest: "sha256:" + candidate, Release: "dev"},
		"seed@next": {Ref: next, Digest: "sha256:" + next, Release: "v2.3.0"},
		"peer@next": {Ref: next, Digest: "sha256:" + next, Release: "v2.3.0"},
	}
	if d := cmp.Diff(described, got); d != "" || err != nil {
		t.Errorf("%v; run.json says otherwise:\n%s", err, d)
	}
	if own["peer@2.2.1"] == "" {
		t.Error("the images that were built have changed")
	}
}

func TestImagesOfReferenceAreBuiltUnlessGiven(t *testing.T) {
	u := under(t, target{system: "reference", peer: "me/peer:7"})
	set, err := u.images(t.Context(), stocked("me/peer:7"))
	if err != nil || !maps.Equal(set, cluster.ImageSet{"peer@2.2.1": "me/peer:7"}) {
		t.Errorf("images are %v, %v", set, err)
	}
	set = u.with(cluster.ImageSet{"peer@2.2.1": "faultbed/peer:1", "peer@2.1.0": "faultbed/peer:0"}, set)
	got, err := u.describe(t.Context(), stocked("me/peer:7", "faultbed/peer:0"), set)
	want := map[string]history.Image{
		"peer":       {Ref: "me/peer:7", Digest: "sha256:me/peer:7"},
		"peer@2.1.0": {Ref: "faultbed/peer:0", Digest: "sha256:faultbed/peer:0", Release: "2.1.0"},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v; run.json says otherwise:\n%s", err, d)
	}
}

func TestMissingImagesAreOneLineThatSaysHowToGetThem(t *testing.T) {
	for what, c := range map[string]struct {
		words  target
		engine stock
		want   []string
		not    string
	}{
		"all of a release": {
			target{system: "dragonfly"},
			stocked(),
			[]string{daemon + ", " + manager + ", " + scheduler, "docker pull " + daemon, "make docker-build", "make images SYSTEM=dragonfly RELEASE=v2.2.1"},
			"",
		},
		"all of another": {target{system: "dragonfly", release: "2.3.0"}, stocked(), []string{next, "RELEASE=v2.3.0"}, "v2.2.1"},
		"one":            {target{system: "dragonfly"}, stocked(daemon, manager), []string{"images " + scheduler + " are not"}, daemon},
		"a given one":    {target{system: "dragonfly", seeder: candidate}, stocked(daemon, manager, scheduler), []string{`SEEDPEER image "` + candidate + `" is not on the engine`}, "make docker-build"},
		"of reference":   {target{system: "reference", supernode: "me/s:1"}, stocked(), []string{`SUPERNODE image "me/s:1" is not on the engine`}, "docker pull"},
	} {
		_, err := under(t, c.words).images(t.Context(), c.engine)
		var end exit
		if !errors.As(err, &end) || end.status != report.ExitUsage || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line and 64", what, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", what, err, want)
			}
		}
		if c.not != "" && strings.Contains(err.Error(), c.not) {
			t.Errorf("%s: %v; want no %q in it", what, err, c.not)
		}
	}
}

func TestSeedMayNameTheSeedPeer(t *testing.T) {
	parse := func(w words) options {
		t.Helper()
		w.profile, w.evidence = "fast", "failed"
		o, err := w.parse(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for word, want := range map[string]string{candidate: candidate, "me/peer": "me/peer", "peer:7": "peer:7", "7": "dragonflyoss/dfdaemon:v2.2.1"} {
		o := parse(words{seed: word, target: target{system: "dragonfly"}})
		if o.needed["seed@stable"] != want || o.needed["peer@stable"] != daemon {
			t.Errorf("SEED=%s: images %v, want the seed's to be %s", word, o.needed, want)
		}
		if word == "7" && o.seed != 7 {
			t.Errorf("SEED=7 is %d", o.seed)
		}
	}
	o := parse(words{seed: "7", target: target{system: "dragonfly", release: "2.3.0", seeder: candidate, manager: manager}})
	got := report.Again("scenarios", o.seed, o.chosen())
	want := "make scenarios MANAGER=" + manager + " RELEASE=v2.3.0 SEEDPEER=" + candidate + " SYSTEM=dragonfly SEED=7"
	if got != want {
		t.Errorf("again is %q, want %q", got, want)
	}
	if got := report.Again("scenarios", 3, parse(words{seed: "3", target: target{system: "reference"}}).chosen()); got != "make scenarios SEED=3" {
		t.Errorf("again is %q", got)
	}
}

func TestTagOfARef(t *testing.T) {
	got := []string{}
	for _, ref := range []string{"a/b:1", "a/b", "host:5000/b", "host:5000/b:v1@sha256:00", "b@sha256:00"} {
		got = append(got, tagOf(ref))
	}
	if !slices.Equal(got, []string{"1", "", "", "v1", ""}) {
		t.Errorf("tags are %q", got)
	}
}
