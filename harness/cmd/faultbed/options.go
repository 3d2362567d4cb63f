package main

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
	"github.com/spf13/pflag"

	"github.com/faultbed/faultbed/harness"
)

// words are the flags of run as they were typed. They stay words until parse has
// looked at each, so that every refusal names the flag and says what to do.
type words struct {
	labels, focus, procs, seed, repeat, profile, out, evidence string
	capture                                                    bool
	target
}

func (w *words) register(flags *pflag.FlagSet) {
	w.target.register(flags)
	flags.StringVar(&w.labels, "labels", "", "run scenarios whose labels match this ginkgo label `filter`")
	flags.StringVar(&w.focus, "focus", "", "run scenarios whose name matches this `regexp`")
	flags.StringVar(&w.procs, "procs", "", "scenarios at once (default: three for each CPU of the engine, at most 6)")
	flags.StringVar(&w.seed, "seed", "", "seed of all that is random (default: a new one, printed); for dragonfly an image means --seed-peer")
	flags.StringVar(&w.repeat, "repeat", "1", "rounds; round k runs with seed+k-1")
	flags.StringVar(&w.profile, "profile", "fast", "timers of the system: fast or production")
	flags.StringVar(&w.out, "out", "", "`folder` for runs (default: out in the project)")
	flags.StringVar(&w.evidence, "evidence", "failed", "keep evidence of failed or all scenarios")
	flags.BoolVar(&w.capture, "capture", false, "capture the packets of every node, for evidence")
}

// options are what words say.
type options struct {
	underTest
	profile, evidence string
	labels, focus     string
	procs             int // 0: by the engine's CPUs
	seed              int64
	repeat            int
	plans             int // to be drawn by the seed; 0: what runs are scenarios
	capture           bool
	out               string // absolute
}

// parse looks at all that can be judged without an engine and without the suite.
func (w words) parse(root string) (options, error) {
	err := errors.Join(
		oneOf("profile", w.profile, "fast", "production"),
		oneOf("evidence", w.evidence, "failed", "all"),
		checkFilters(w.labels, w.focus),
	)
	procs, procsErr := atLeastOne("procs", w.procs, 0)
	repeat, repeatErr := atLeastOne("repeat", w.repeat, 1)
	if w.system == dragonflyName && namesImage(w.seed) {
		err = errors.Join(err, w.seedBy(w.seed))
		w.seed = ""
	}
	seed, seedErr := seedFrom(w.seed)
	under, underErr := w.target.parse()
	out, outErr := folder(cmp.Or(w.out, filepath.Join(root, "out")))
	if err := errors.Join(underErr, err, procsErr, repeatErr, seedErr, outErr); err != nil {
		return options{}, first(err)
	}
	return options{
		underTest: under, profile: w.profile, evidence: w.evidence,
		labels: strings.TrimSpace(w.labels), focus: w.focus,
		procs: procs, repeat: repeat, seed: seed, out: out, capture: w.capture,
	}, nil
}

// first is the first of joined errors: one line says one thing to do.
func first(err error) error {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			return err
		}
		err = joined.Unwrap()[0]
	}
}

func checkFilters(labels, focus string) error {
	if _, err := regexp.Compile(focus); err != nil {
		return usage("focus %q is no regular expression: %w", focus, err)
	}
	if _, err := types.ParseLabelFilter(strings.TrimSpace(labels)); err != nil {
		return usage("labels %q is no label filter: %s", labels, lastLine(err))
	}
	return nil
}

// seedFrom reads a seed, or makes one small enough to be typed again.
func seedFrom(word string) (int64, error) {
	if word == "" {
		return int64(rand.Uint32()), nil //nolint:forbidigo // all else follows from it, and it is printed
	}
	seed, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0, usage("seed %q is no whole number: give one such as 42", word)
	}
	return seed, nil
}

// folder makes path absolute and refuses what is there and no folder.
func folder(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", usage("out %q: %w", path, err)
	}
	if info, err := os.Stat(absolute); err == nil && !info.IsDir() {
		return "", usage("out %q is not a folder: name one, it is made if it is not there", path)
	}
	return absolute, nil
}

func oneOf(what, word string, known ...string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return usage("%s %q is not known: choose %s", what, word, strings.Join(known, " or "))
}

func atLeastOne(what, word string, unset int) (int, error) {
	if word == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		return 0, usage("%s %q is no count: give a whole number from 1", what, word)
	}
	return n, nil
}

// lastLine is where ginkgo says what is wrong, below a picture of where.
func lastLine(err error) string {
	text := err.Error()
	var parse types.GinkgoError
	if errors.As(err, &parse) {
		text = parse.Message
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// seedOf is the seed of a round, the first being 1.
func (o options) seedOf(round int) int64 { return o.seed + int64(round) - 1 }

// chosen are the variables of make that differ from what they are when unset, and
// that decide what happens.
func (o options) chosen() map[string]string {
	all := map[string][2]string{ // by name: set to, when unset
		"SYSTEM": {o.system, referenceName}, "RELEASE": {o.release, harness.DefaultRelease(o.system)},
		"PROFILE": {o.profile, "fast"}, "LABELS": {o.labels, ""}, "FOCUS": {o.focus, ""},
	}
	if o.plans > 0 {
		delete(all, "LABELS") // the command's own
		all["N"] = [2]string{strconv.Itoa(o.plans), ""}
	}
	for role, ref := range o.given {
		all[variables[role]] = [2]string{ref, ""}
	}
	chosen := map[string]string{}
	for name, value := range all {
		if value[0] != value[1] {
			chosen[name] = value[0]
		}
	}
	return chosen
}
