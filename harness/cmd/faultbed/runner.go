package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/harness/cluster"
	"github.com/faultbed/faultbed/harness/history"
	"github.com/faultbed/faultbed/harness/report"
)

// runner is a run that has been found possible.
type runner struct {
	options options
	suite   *suite
	ginkgo  string // its command line
	chosen  []spec // what the filters of the options select
	engine  *cluster.Engine
	tell    func(history.Scenario) // is called for each as it ends
	look    func()                 // is called while they run; may be nil
	run     history.Run
	dir     string
}

// all builds images, plays every round and closes the run.
func (r *runner) all(i *interruption, chosen cluster.ImageSet, s *screen) error {
	ctx := i.asked
	var err error
	if r.run.ID, r.dir, err = newRunFolder(r.options.out, r.run.Started); err != nil {
		return infra(err)
	}
	s.run = shortest(r.dir)
	s.expect(r.chosen, r.options.repeat)
	s.say("run %s: %d scenarios, %s, %s at once, profile %s, seed %d", r.run.ID, len(r.chosen)*r.options.repeat,
		r.options.underTest, strconv.Itoa(r.options.procs), r.options.profile, r.options.seed)
	stores, err := r.stores(ctx, s)
	if err != nil {
		return infra(err)
	}
	images, err := r.engine.BuildImages(ctx, func(line string) { s.say("%s", line) })
	if err != nil {
		return infra(err)
	}
	if r.ginkgo, err = ginkgoCommand(ctx, r.suite.root); err != nil {
		return infra(err)
	}
	shown := progress{screen: s, dir: r.dir}
	r.look = shown.beat
	err = r.play(i, r.options.with(images, chosen), stores)
	s.status(nil)
	if err != nil {
		return infra(err)
	}
	return r.close(i, s)
}

// play runs every round against images, and keeps in run what the scenarios left.
// What stands beside them, stores, is described only.
func (r *runner) play(i *interruption, images, stores cluster.ImageSet) error {
	all := maps.Clone(images)
	maps.Copy(all, stores)
	var err error
	if r.run.Images, err = r.options.describe(i.asked, r.engine, all); err != nil {
		return err
	}
	env, err := r.environment(images)
	if err != nil {
		return err
	}
	left, err := openRecords(r.dir)
	if err != nil {
		return err
	}
	left.beat = r.look
	for number := 1; number <= r.options.repeat && !i.happened(); number++ {
		one := round{number: number, options: r.options, ginkgo: r.ginkgo, suite: r.suite, run: r.dir, env: env}
		r.settle(one, i, left, one.play(i, left, r.tell))
	}
	r.run.Scenarios = left.all
	return nil
}

// stores are the images of the database and the cache of a Dragonfly manager. The suite
// chooses them itself, and anew: it finds the same, as they are on the engine by then.
func (r *runner) stores(ctx context.Context, s *screen) (cluster.ImageSet, error) {
	if r.options.system != dragonflyName {
		return cluster.ImageSet{}, nil
	}
	database, cache, err := r.engine.Stores(ctx, func(line string) { s.say("%s", line) })
	if err != nil {
		return nil, err
	}
	return cluster.ImageSet{"database": database.Image, "cache": cache.Image}, nil
}

// settle makes sure that a round that went wrong shows in its records. One that was ended
// as it had shown enough did not go wrong.
func (r *runner) settle(one round, i *interruption, left *records, failed error) {
	if i.enough() {
		return
	}
	log := filepath.Join(shortest(r.dir), "ginkgo.log")
	otherwise := "left no record: the suite died: see " + log
	if i.happened() {
		otherwise = "interrupted before it ended"
	}
	reports := one.reports()
	left.fill(one.number, r.chosen, reports, otherwise, r.tell)
	if failed == nil || report.ExitStatus(left.all) != report.ExitPass {
		return
	}
	// No scenario is red and yet ginkgo is not content: the run is not green. The suite
	// itself sees to it that what is KNOWN does not make it discontented.
	reason := suiteFailure(reports)
	if reason == "" {
		reason = fmt.Sprintf("ginkgo ended with %v: see %s", failed, log)
	}
	left.add(history.Scenario{
		Name: "the suite around its scenarios", Repeat: one.number, Verdict: history.Infra, Reason: reason,
	}, r.tell)
}

// environment is what the suite is told. It names its own folder as ginkgo starts it
// where the compiled suite is.
func (r *runner) environment(images cluster.ImageSet) ([]string, error) {
	set, err := json.Marshal(images)
	if err != nil {
		return nil, fmt.Errorf("encode images: %w", err)
	}
	capture := ""
	if r.options.capture {
		capture = "1"
	}
	return []string{
		"FAULTBED_CAPTURE=" + capture,
		"FAULTBED_ROOT=" + r.suite.root,
		"FAULTBED_RUN_DIR=" + r.dir,
		"FAULTBED_SYSTEM=" + r.options.system,
		"FAULTBED_RELEASE=" + r.options.release,
		"FAULTBED_GIVEN=" + strings.Join(r.run.Given, ","),
		"FAULTBED_PROFILE=" + r.options.profile,
		"FAULTBED_EVIDENCE=" + r.options.evidence,
		"FAULTBED_IMAGES=" + string(set),
		"FAULTBED_PARENT=" + strconv.Itoa(os.Getpid()),
	}, nil
}
