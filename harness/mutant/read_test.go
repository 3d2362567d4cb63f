package mutant

import (
	"strings"
	"testing"
	"testing/fstest"
)

const healthySource = `package parent

// Limit is how many parents a child gets.
const Limit = 4

func fit(n int) bool {
	return n < Limit
}
`

const goodPatch = `diff --git a/images/swarm/parent/limit.go b/images/swarm/parent/limit.go
--- a/images/swarm/parent/limit.go
+++ b/images/swarm/parent/limit.go
@@ -1,7 +1,7 @@
 package parent
 
 // Limit is how many parents a child gets.
-const Limit = 4
+const Limit = 1
 
 func fit(n int) bool {
 	return n < Limit
`

const goodWords = "broken: a child gets one parent\n\npromise: children have parents to turn to\nseen: only 1 parent\n"

// project is one with a source and a mutant of it, of these files.
func project(patch, words string) fstest.MapFS {
	return fstest.MapFS{
		"images/swarm/parent/limit.go":      {Data: []byte(healthySource)},
		"images/swarm/parent/limit_test.go": {Data: []byte("package parent\n")},
		"harness/bed.go":                    {Data: []byte("package harness\n")},
		Folder + "/one-parent/mutant.patch": {Data: []byte(patch)},
		Folder + "/one-parent/mutant.txt":   {Data: []byte(words)},
	}
}

func TestMutantIsTheSourceWithThePatch(t *testing.T) {
	for what, patch := range map[string]string{
		"git's":            goodPatch,
		"plain":            strings.ReplaceAll(strings.ReplaceAll(strings.SplitAfterN(goodPatch, "\n", 2)[1], " a/", " "), " b/", " "),
		"one that moved":   strings.Replace(goodPatch, "@@ -1,7 +1,7 @@", "@@ -21,7 +21,7 @@", 1),
		"with words above": "What this does.\n\n" + goodPatch,
	} {
		all, err := Read(project(patch, goodWords))
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d mutants, %v", what, len(all), err)
			continue
		}
		m := all[0]
		if m.Name != "one-parent" || m.Broken != "a child gets one parent" || m.Promise != "children have parents to turn to" || m.Seen.String() != "only 1 parent" {
			t.Errorf("%s: mutant is %+v", what, m)
		}
		want := strings.Replace(healthySource, "Limit = 4", "Limit = 1", 1)
		if got := string(m.Sources["images/swarm/parent/limit.go"]); got != want || len(m.Sources) != 1 {
			t.Errorf("%s: sources are\n%s", what, got)
		}
	}
}

func TestNoMutantsAreNoError(t *testing.T) {
	if all, err := Read(fstest.MapFS{}); err != nil || len(all) != 0 {
		t.Errorf("read %v, %v", all, err)
	}
}

func TestWhatIsWrongWithAMutantIsNamedByFileAndLine(t *testing.T) {
	const patchAt, wordsAt = Folder + "/one-parent/mutant.patch:", Folder + "/one-parent/mutant.txt:"
	change := func(was, is string) string { return strings.ReplaceAll(goodPatch, was, is) }
	for what, c := range map[string]struct{ patch, words, want string }{
		"empty":            {"", goodWords, patchAt + "1: no unified diff: make one with git diff"},
		"no diff":          {"Limit = 1\n", goodWords, patchAt + "1: no unified diff"},
		"cut off":          {strings.Replace(goodPatch, " \treturn n < Limit\n", "", 1), goodWords, "no unified diff"},
		"other source":     {change("Limit = 4", "Limit = 5"), goodWords, patchAt + "8: does not apply at images/swarm/parent/limit.go:4: "},
		"two other places": {"--- images/swarm/parent/limit.go\n+++ images/swarm/parent/limit.go\n@@ -1,1 +1,1 @@\n-\n+// x\n", goodWords, patchAt + "4: does not apply at images/swarm/parent/limit.go:1: "},
		"no change":        {change("Limit = 1", "Limit = 4"), goodWords, patchAt + "2: changes nothing"},
		"only a comment":   {change("-const Limit = 4\n+const Limit = 1", "-const Limit = 4\n+const Limit = 4 // four"), goodWords, "changes nothing in images/swarm/parent/limit.go but comments"},
		"no Go":            {change("Limit = 1", "Limit = "), goodWords, patchAt + "2: what it makes is no Go: images/swarm/parent/limit.go:6:"},
		"no such source":   {change("limit.go", "most.go"), goodWords, patchAt + "2: there is no images/swarm/parent/most.go"},
		"a test":           {change("limit.go", "limit_test.go"), goodWords, "limit_test.go cannot be mutated"},
		"the harness":      {change("images/swarm/parent/limit.go", "harness/bed.go"), goodWords, "harness/bed.go cannot be mutated"},
		"a way out":        {change("images/swarm/parent/limit.go", "images/swarm/../../harness/bed.go"), goodWords, "cannot be mutated"},
		"a new file":       {"diff --git a/images/swarm/x.go b/images/swarm/x.go\nnew file mode 100644\n--- /dev/null\n+++ b/images/swarm/x.go\n@@ -0,0 +1 @@\n+package swarm\n", goodWords, "does more than change lines"},
		"a file twice":     {goodPatch + goodPatch, goodWords, patchAt + "14: changes images/swarm/parent/limit.go a second time"},
		"no words":         {goodPatch, "", wordsAt + "1: broken is missing: add a line \"broken: ...\""},
		"no promise":       {goodPatch, "broken: a\nseen: b\n", wordsAt + "1: promise is missing"},
		"nothing seen":     {goodPatch, "broken: a\npromise: b\nseen:\n", wordsAt + "3: seen is empty"},
		"broken twice":     {goodPatch, goodWords + "broken: c\n", wordsAt + "5: broken is there twice"},
		"another key":      {goodPatch, goodWords + "author: me\n", wordsAt + `5: "author: me" begins with no key`},
		"no regexp":        {goodPatch, "broken: a\npromise: b\nseen: (\n", wordsAt + `3: seen "(" is no regular expression`},
		"a regexp for all": {goodPatch, "broken: a\npromise: b\nseen: .*\n", wordsAt + `3: seen ".*" matches any reason`},
	} {
		_, err := Read(project(c.patch, c.words))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func TestAllThatIsWrongIsNamedAtOnce(t *testing.T) {
	files := project("", goodWords)
	files[Folder+"/One_Parent/mutant.txt"] = &fstest.MapFile{Data: []byte(goodWords)}
	files[Folder+"/one-parent/notes"] = &fstest.MapFile{}
	files[Folder+"/stray.patch"] = &fstest.MapFile{Data: []byte(goodPatch)}
	_, err := Read(files)
	for _, want := range []string{
		"One_Parent:1: no name of a mutant", "One_Parent/mutant.patch:1: is missing: add it",
		"one-parent/notes:1: a mutant is", "one-parent/mutant.patch:1: no unified diff", "stray.patch:1: no folder of a mutant",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is\n%v\nwant %q in it", err, want)
		}
	}
}
