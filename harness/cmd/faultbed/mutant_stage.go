package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/faultbed/faultbed/harness"
	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/mutant"
)

// engineStage is the stage on an engine, with what all mutants share: the suite, compiled
// once, and the images of the healthy swarm, built once.
type engineStage struct {
	options mutantOptions
	suite   *suite
	ginkgo  string
	engine  *cluster.Engine
	info    cluster.Info
	healthy cluster.ImageSet
	procs   int    // scenarios of one mutant at once
	token   string // tells the variants of this command from those of others
}

// stageOn makes ready what all mutants share, for so many of them at once.
func stageOn(ctx context.Context, o mutantOptions, compiled *suite, engine *cluster.Engine, info cluster.Info, atOnce int, s *screen) (*engineStage, error) {
	ginkgo, err := ginkgoCommand(ctx, compiled.root)
	if err != nil {
		return nil, err
	}
	healthy, err := engine.BuildImages(ctx, func(line string) { s.say("%s", line) })
	if err != nil {
		return nil, err
	}
	return &engineStage{
		options: o, suite: compiled, ginkgo: ginkgo, engine: engine, info: info, healthy: healthy,
		procs: (procsOn(info) + atOnce - 1) / atOnce, token: harness.NewToken()[:8],
	}, nil
}

// variant is what the mutant is built as, and the folder that this takes.
func (e *engineStage) variant(m mutant.Mutant) cluster.Variant {
	name := m.Name + "-" + e.token
	return cluster.Variant{Name: name, Sources: m.Sources, Dir: filepath.Join(e.suite.dir, name)}
}

func (e *engineStage) build(ctx context.Context, m mutant.Mutant) (cluster.ImageSet, error) {
	return e.engine.BuildVariant(ctx, e.variant(m))
}

func (e *engineStage) remove(ctx context.Context, m mutant.Mutant) error {
	v := e.variant(m)
	return errors.Join(e.engine.RemoveVariant(ctx, v.Name), os.RemoveAll(v.Dir))
}

func (e *engineStage) play(i *interruption, m mutant.Mutant, images cluster.ImageSet, a act, dir func(string), tell func(history.Scenario)) error {
	o := options{
		underTest: underTest{system: referenceName, release: cluster.DefaultRelease, given: map[string]string{}},
		profile:   "fast", evidence: "failed", labels: a.filter,
		procs: min(e.procs, len(a.chosen)), seed: e.options.seed, repeat: 1,
		out: filepath.Join(e.options.out, "mutants", m.Name),
	}
	for key, ref := range images {
		role, _, _ := strings.Cut(key, "@")
		o.given[role] = ref
	}
	var told []history.Scenario
	r := runner{
		options: o, suite: e.suite, ginkgo: e.ginkgo, chosen: a.chosen, engine: e.engine, run: o.begin(time.Now(), e.info),
		tell: func(s history.Scenario) {
			if !i.enough() {
				told = append(told, s)
			}
			tell(s)
		},
	}
	var err error
	if r.run.ID, r.dir, err = newRunFolder(o.out, r.run.Started); err != nil {
		return err
	}
	relative, err := filepath.Rel(e.options.out, r.dir)
	if err != nil {
		return fmt.Errorf("name the run's folder: %w", err)
	}
	dir(relative)
	set := maps.Clone(e.healthy)
	maps.Copy(set, images)
	if err := r.play(i, set, nil); err != nil {
		return err
	}
	r.run.Scenarios = told // and not what was cut short once it was enough
	r.run.WallMS = time.Since(r.run.Started).Milliseconds()
	r.run.Again = fmt.Sprintf("make mutants MUTANT=%s SEED=%d", m.Name, o.seed)
	return r.write()
}
