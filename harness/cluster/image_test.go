package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const peerDockerfile = "FROM scratch\nCOPY peer gate /\ncopy --chown=1:1 config.json /etc/\nENTRYPOINT [\"/gate\"]\n"

// project makes a root with one image, peer, that wants two packages and a file.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range map[string]string{
		"images/peer/Dockerfile":  peerDockerfile,
		"images/peer/main.go":     "package main",
		"images/peer/config.json": "{}",
		"images/gate/main.go":     "package main",
	} {
		write(t, filepath.Join(root, path), text)
	}
	return root
}

func TestRecipeTellsPackagesFromFiles(t *testing.T) {
	root := project(t)
	r, err := readRecipe(root, "peer")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"peer", "gate"}; !slices.Equal(r.packages, want) {
		t.Errorf("packages are %v, want %v", r.packages, want)
	}
	if want := []string{filepath.Join(root, "images/peer/config.json")}; !slices.Equal(r.files, want) {
		t.Errorf("files are %v, want %v", r.files, want)
	}
}

func TestRecipeNamesTheLineThatCannotBe(t *testing.T) {
	root := project(t)
	write(t, filepath.Join(root, "images/peer/Dockerfile"), "FROM scratch\nCOPY pear /\n")
	if _, err := readRecipe(root, "peer"); err == nil || !strings.Contains(err.Error(), "images/peer/Dockerfile:2: pear") {
		t.Errorf("error is %v, want the line and the word", err)
	}
	write(t, filepath.Join(root, "images/peer/Dockerfile"), "FROM scratch\n")
	if _, err := readRecipe(root, "peer"); err == nil {
		t.Error("an image that holds no program of ours passes")
	}
	if _, err := readRecipe(root, "none"); err == nil {
		t.Error("an image without a Dockerfile passes")
	}
}

func TestTagFollowsContent(t *testing.T) {
	root, bin := project(t), t.TempDir()
	tag := func() string {
		t.Helper()
		r, err := readRecipe(root, "peer")
		if err != nil {
			t.Fatal(err)
		}
		i, err := newImage(r, "2.2.1", bin)
		if err != nil {
			t.Fatal(err)
		}
		return i.ref()
	}
	write(t, filepath.Join(bin, "peer"), "one")
	write(t, filepath.Join(bin, "gate"), "two")
	was := tag()
	if !strings.HasPrefix(was, "faultbed/peer:2.2.1-") || len(was) != len("faultbed/peer:2.2.1-")+12 {
		t.Errorf("tag is %s", was)
	}
	if tag() != was {
		t.Error("the same content has two tags")
	}
	for path, text := range map[string]string{
		filepath.Join(bin, "gate"):                     "tow", // as long as before
		filepath.Join(root, "images/peer/Dockerfile"):  peerDockerfile + "CMD []\n",
		filepath.Join(root, "images/peer/config.json"): "{ }",
	} {
		write(t, path, text)
		if now := tag(); now == was {
			t.Errorf("changing %s leaves the tag as it was", path)
		} else {
			was = now
		}
	}
}

func TestPackHoldsWhatTheDockerfileCopies(t *testing.T) {
	root, bin := project(t), t.TempDir()
	write(t, filepath.Join(bin, "peer"), "one")
	write(t, filepath.Join(bin, "gate"), "two")
	r, err := readRecipe(root, "peer")
	if err != nil {
		t.Fatal(err)
	}
	i, err := newImage(r, "", bin)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := i.pack(&packed); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for in := tar.NewReader(&packed); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = string(text)
	}
	want := map[string]string{"Dockerfile": peerDockerfile, "peer": "one", "gate": "two", "config.json": "{}"}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s holds %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("packed %v", got)
	}
}

func TestBuildOutcomeIsInTheStream(t *testing.T) {
	if err := buildOutcome(strings.NewReader(`{"stream":"Step 1/2"}{"aux":{"ID":"x"}}`)); err != nil {
		t.Errorf("a build that went well ends in %v", err)
	}
	if err := buildOutcome(strings.NewReader(`{"stream":"Step"}{"error":"no space left"}`)); err == nil || err.Error() != "no space left" {
		t.Errorf("a build that failed ends in %v", err)
	}
	if err := buildOutcome(strings.NewReader(`{"stream":"Ste`)); err == nil {
		t.Error("a stream that was cut off passes")
	}
}

func TestLockKeepsTheSecondOut(t *testing.T) {
	dir := t.TempDir()
	quiet := func(string) {}
	unlock, err := lock(t.Context(), dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithTimeout(t.Context(), 2*lockEvery)
	defer cancel()
	if _, err := lock(over, dir, quiet); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock ends in %v, want it to wait", err)
	}
	unlock()
	again, err := lock(t.Context(), dir, quiet)
	if err != nil {
		t.Fatalf("the lock is still held after unlock: %v", err)
	}
	again()
}

func TestModuleRootIsFoundFromBelow(t *testing.T) {
	root, err := ModuleRoot()
	if err != nil || filepath.Base(filepath.Dir(root)) == "harness" {
		t.Errorf("root is %s, %v", root, err)
	}
	t.Chdir(t.TempDir())
	if _, err := ModuleRoot(); err == nil {
		t.Error("a folder outside any project has a root")
	}
}
