package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOverlayReplacesSourcesByTheirPlace(t *testing.T) {
	v := Variant{Name: "x", Dir: t.TempDir(), Sources: map[string][]byte{"images/swarm/a.go": []byte("package swarm")}}
	path, err := v.overlay("/project")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &overlay); err != nil {
		t.Fatal(err)
	}
	here := overlay.Replace["/project/images/swarm/a.go"]
	content, err := os.ReadFile(here)
	if err != nil || string(content) != "package swarm" || !strings.HasPrefix(here, v.Dir) {
		t.Errorf("overlay is %s: %q, %v", text, content, err)
	}
}

func TestVariantIsTheReleaseUnderAnotherName(t *testing.T) {
	own := image{recipe: recipe{name: "peer", dockerfile: []byte(peerDockerfile)}, release: DefaultRelease, hash: "aaaaaaaaaaaa"}
	other := own
	other.variant = "one-parent-1234"
	if own.key() != other.key() || other.ref() != "faultbed/peer:2.2.1-one-parent-1234-aaaaaaaaaaaa" || own.ref() == other.ref() {
		t.Errorf("%s is %s, its variant %s is %s", own.key(), own.ref(), other.key(), other.ref())
	}
	if own.labels()[LabelImage] != "peer" || len(other.labels()) > 0 {
		t.Errorf("labels are %v and %v: a variant must not supersede an image", own.labels(), other.labels())
	}
	first, rest, _ := strings.Cut(string(marked(own.recipe.dockerfile, other.variant)), "\n")
	label, rest, _ := strings.Cut(rest, "\n")
	want := fmt.Sprintf("LABEL %s=%q %s=%q", LabelVariant, other.variant, LabelHolder, holder())
	if first != "FROM scratch" || label != want || !strings.HasSuffix(peerDockerfile, rest) {
		t.Errorf("the Dockerfile begins with %q, %q, want %q", first, label, want)
	}
}

func TestImageIsHeldAsLongAsItsProcessIsThere(t *testing.T) {
	over := exec.Command("true")
	if err := over.Run(); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		by   string
		age  time.Duration
		want bool
	}{
		"ours":              {holder(), 48 * time.Hour, true},
		"of the dead":       {fmt.Sprintf("%s/%d", hostname(), over.Process.Pid), 0, false},
		"elsewhere, young":  {"another.host/1", time.Hour, true},
		"elsewhere, old":    {"another.host/1", holdAtMost, false},
		"of nobody, though": {"", holdAtMost, false},
	} {
		if got := held(c.by, c.age); got != c.want {
			t.Errorf("%s: held %v", what, got)
		}
	}
}

// imageEngine has an image of a live variant, one of a dead one, and one half built.
type imageEngine struct{ fakeEngine }

func (f *imageEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		answer := httptest.NewRecorder()
		f.fakeEngine.ServeHTTP(answer, r)
		if answer.Code == http.StatusNoContent { // of images the engine tells what went
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[]`)
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/images/json") {
		f.fakeEngine.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if !strings.Contains(r.URL.RawQuery, "variant") {
		fmt.Fprint(w, `[]`)
		return
	}
	one := func(id, tags, variant, by string) string {
		return fmt.Sprintf(`{"Id":%q,"RepoTags":[%s],"Created":1,"Labels":{%q:%q,%q:%q}}`, id, tags, LabelVariant, variant, LabelHolder, by)
	}
	fmt.Fprintf(w, "[%s]", strings.Join([]string{
		one("i1", `"faultbed/peer:live"`, "live", holder()),
		one("i2", `"faultbed/peer:dead"`, "dead", "another.host/1"),
		one("i3", `"<none>:<none>"`, "dead", "another.host/1"),
	}, ","))
}

func TestVariantsThatNobodyHoldsAreStale(t *testing.T) {
	engine := connectFake(t, &imageEngine{})
	for all, want := range map[bool][]string{
		false: {"faultbed/peer:dead", "dead, half built"},
		true:  {"faultbed/peer:live", "faultbed/peer:dead", "dead, half built"},
	} {
		stale, err := engine.StaleImages(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range stale {
			names = append(names, l.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("all %v: stale are %v, want %v", all, names, want)
		}
	}
}

func TestVariantIsRemovedOnceNoContainerNeedsIt(t *testing.T) {
	fake := &imageEngine{fakeEngine{refuse: map[string]refusal{
		"peer:live": {status: http.StatusConflict, times: 2, message: "container c1 is using its referenced image"},
	}}}
	if err := connectFake(t, fake).RemoveVariant(t.Context(), "live"); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(fake.deleted, "peer:live") {
		t.Errorf("deleted %v, want the image after it was refused twice", fake.deleted)
	}
}
