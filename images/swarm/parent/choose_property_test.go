package parent_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/faultbed/faultbed/images/swarm/parent"
)

// Few values of each field, so that ties and near ties are common.
var (
	idcs      = rapid.SampledFrom([]string{"", "a", "b"})
	locations = rapid.SampledFrom([]string{"", "fi", "fi|hel", "fi|hel|1", "FI|hel|1|r|h|x", "se|sto", "|", "||||||"})
	trips     = rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.SampledFrom([]int64{-1, 0, 1, 999, 1000, 5000, 80_000, 1 << 40}).Draw(t, "µs")) * time.Microsecond
	})
)

func candidate(name string) *rapid.Generator[parent.Candidate] {
	return rapid.Custom(func(t *rapid.T) parent.Candidate {
		return parent.Candidate{
			Name: name, IDC: idcs.Draw(t, "idc"), Location: locations.Draw(t, "location"),
			Seed: rapid.Bool().Draw(t, "seed"), Reachable: rapid.IntRange(0, 4).Draw(t, "unreachable") > 0,
			FreeSlots: rapid.IntRange(-1, 40).Draw(t, "slots"), Failures: rapid.IntRange(0, parent.MaxFailures+1).Draw(t, "failures"),
			Pieces: rapid.IntRange(0, 20).Draw(t, "pieces"), RoundTrip: trips.Draw(t, "trip"),
		}
	})
}

// crowd is a child, candidates with names of their own (the child's among them, now and
// then), and a limit.
func crowd(t *rapid.T) (child parent.Candidate, all []parent.Candidate, limit int) {
	child = candidate("child").Draw(t, "child")
	for i := range rapid.IntRange(0, 9).Draw(t, "candidates") {
		all = append(all, candidate(fmt.Sprintf("p%d", i)).Draw(t, "candidate"))
	}
	if rapid.Bool().Draw(t, "itself") {
		all = append(all, child)
	}
	return child, all, rapid.IntRange(-1, 12).Draw(t, "limit")
}

func named(all []parent.Candidate, name string) *parent.Candidate {
	return &all[slices.IndexFunc(all, func(c parent.Candidate) bool { return c.Name == name })]
}

func TestChooseTakesOnlyTheFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		child, all, limit := crowd(t)
		before := slices.Clone(all)
		chosen := parent.Choose(child, all, limit)
		fit := 0
		for _, c := range all {
			ok := c.Name != child.Name && c.Reachable && c.Failures < parent.MaxFailures
			if ok {
				fit++
			}
			if slices.Contains(chosen, c.Name) && !ok {
				t.Errorf("%+v was chosen", c)
			}
		}
		if len(chosen) != max(0, min(limit, fit)) {
			t.Errorf("%d chosen of %d fit, limit %d", len(chosen), fit, limit)
		}
		if unique := slices.Compact(slices.Sorted(slices.Values(chosen))); len(unique) != len(chosen) {
			t.Errorf("twice in %v", chosen)
		}
		if !slices.Equal(before, all) {
			t.Error("the candidates were changed")
		}
	})
}

func TestChooseDoesNotSeeTheOrderOfCandidates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		child, all, limit := crowd(t)
		chosen := parent.Choose(child, all, limit)
		if again := parent.Choose(child, rapid.Permutation(all).Draw(t, "shuffled"), limit); !slices.Equal(chosen, again) {
			t.Errorf("%v, then %v", chosen, again)
		}
	})
}

// A smaller limit only cuts the end off: who is best does not depend on how many are wanted.
func TestChooseOrdersAlikeUnderEveryLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		child, all, limit := crowd(t)
		whole := parent.Choose(child, all, len(all))
		if part := parent.Choose(child, all, limit); !slices.Equal(part, whole[:len(part)]) {
			t.Errorf("%v is not the beginning of %v", part, whole)
		}
	})
}

// What makes one candidate worse, or better, moves it that way or nowhere, whoever else
// is there.
func TestChooseFollowsEachTerm(t *testing.T) {
	t.Parallel()
	for name, worsen := range map[string]func(*rapid.T, *parent.Candidate){
		"failures": func(_ *rapid.T, c *parent.Candidate) { c.Failures++ },
		"slots":    func(_ *rapid.T, c *parent.Candidate) { c.FreeSlots-- },
		"pieces":   func(_ *rapid.T, c *parent.Candidate) { c.Pieces-- },
		"reach":    func(_ *rapid.T, c *parent.Candidate) { c.Reachable = false },
		"seed":     func(_ *rapid.T, c *parent.Candidate) { c.Seed = true },
		"round trip": func(t *rapid.T, c *parent.Candidate) {
			if c.RoundTrip > 0 {
				c.RoundTrip += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "longer"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				child, all, _ := crowd(t)
				all = append(all, candidate("worsened").Draw(t, "worsened"))
				before := slices.Index(parent.Choose(child, all, len(all)), "worsened")
				worsen(t, named(all, "worsened"))
				after := slices.Index(parent.Choose(child, all, len(all)), "worsened")
				if before < 0 && after >= 0 || after >= 0 && after < before {
					t.Errorf("from place %d to %d", before, after)
				}
			})
		})
	}
}

// Of two that differ in one thing only, the nearer, idler, fuller comes first.
func TestChoosePrefersOfTwins(t *testing.T) {
	t.Parallel()
	for name, differ := range map[string]func(t *rapid.T, child, worse, better *parent.Candidate){
		"same idc": func(_ *rapid.T, child, _, better *parent.Candidate) {
			child.IDC += "x" // nobody else is there
			better.IDC = child.IDC
		},
		"same place": func(_ *rapid.T, child, worse, better *parent.Candidate) {
			child.Location, worse.Location = "de|"+child.Location, "se|sto"
			better.Location = child.Location
		},
		"shorter by an order of magnitude": func(t *rapid.T, _, worse, better *parent.Candidate) {
			worse.RoundTrip = time.Duration(rapid.Int64Range(8, 500).Draw(t, "ms")) * time.Millisecond
			better.RoundTrip = worse.RoundTrip / 16
		},
		"measured close rather than not measured": func(_ *rapid.T, _, worse, better *parent.Candidate) {
			worse.RoundTrip, better.RoundTrip = 0, time.Millisecond
		},
		"not measured rather than measured far": func(_ *rapid.T, _, worse, better *parent.Candidate) {
			worse.RoundTrip, better.RoundTrip = time.Second, 0
		},
		"more slots": func(t *rapid.T, _, worse, better *parent.Candidate) {
			worse.FreeSlots = rapid.IntRange(-9, 14).Draw(t, "slots")
			better.FreeSlots = max(worse.FreeSlots, 0) + 1
		},
		"slots below none are none": func(_ *rapid.T, _, worse, better *parent.Candidate) {
			worse.FreeSlots, better.FreeSlots = 0, -40
			better.Pieces++
		},
		"no seed":    func(_ *rapid.T, _, worse, better *parent.Candidate) { worse.Seed, better.Seed = true, false },
		"no failure": func(_ *rapid.T, _, worse, better *parent.Candidate) { worse.Failures, better.Failures = 1, 0 },
		"more pieces": func(t *rapid.T, _, _, better *parent.Candidate) {
			better.Pieces += rapid.IntRange(1, 9).Draw(t, "more")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				child, worse := candidate("child").Draw(t, "child"), candidate("twin").Draw(t, "twin")
				worse.Reachable, worse.Failures = true, worse.Failures%parent.MaxFailures
				better := worse
				better.Name = rapid.SampledFrom([]string{"a", "better", "z"}).Draw(t, "name")
				differ(t, &child, &worse, &better)
				if chosen := parent.Choose(child, []parent.Candidate{worse, better}, 2); chosen[0] != better.Name {
					t.Errorf("%+v before %+v", worse, better)
				}
			})
		})
	}
}

// Many children of equal parents: none of the parents is left out, none has them all.
func TestChooseSpreadsChildrenOverEquals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const children = 400
		model := candidate("").Draw(t, "model")
		model.Reachable, model.Failures = true, model.Failures%parent.MaxFailures
		prefix := rapid.StringMatching(`[a-z]{1,12}-`).Draw(t, "prefix")
		equals := make([]parent.Candidate, rapid.IntRange(2, 8).Draw(t, "parents"))
		for i := range equals {
			equals[i] = model
			equals[i].Name = fmt.Sprintf("%s%d", prefix, i)
		}
		firsts := map[string]int{}
		for i := range children {
			firsts[parent.Choose(parent.Candidate{Name: fmt.Sprintf("child-%d", i)}, equals, 1)[0]]++
		}
		fair := children / len(equals)
		for _, c := range equals {
			if n := firsts[c.Name]; n < fair/3 || n > 3*fair {
				t.Errorf("%d of %d children at first go to %s, fair are %d: %v", n, children, c.Name, fair, firsts)
			}
		}
	})
}
