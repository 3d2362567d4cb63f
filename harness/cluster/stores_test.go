package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shelf is an engine with some images, and a registry with others.
type shelf struct {
	there, registry []string
	asked           []string // of the registry, in order
	fails           error
}

func (s *shelf) Image(_ context.Context, ref string) (string, bool, error) {
	return "", slices.Contains(s.there, ref), s.fails
}

func (s *shelf) Pull(_ context.Context, ref string, _ func(string)) (bool, error) {
	s.asked = append(s.asked, ref)
	return slices.Contains(s.registry, ref), nil
}

func TestStoresAreOfficialIfTheyCanBe(t *testing.T) {
	const own = "faultbed/stores:x"
	both := []string{officialDatabase, officialCache}
	for name, c := range map[string]struct {
		there, registry, asked []string
		official               bool
	}{
		"both there":                        {there: append(both, own), official: true},
		"own there, and a registry":         {there: []string{own}, registry: both},
		"one there, own there":              {there: []string{officialCache, own}, registry: both},
		"none there, a registry":            {registry: both, asked: both, official: true},
		"one there, a registry":             {there: both[:1], registry: both, asked: both[1:], official: true},
		"none there, no registry":           {asked: both[:1]},
		"none there, a registry lacks some": {registry: both[:1], asked: both},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{there: c.there, registry: c.registry}
			official, err := preferOfficial(t.Context(), s, own, func(string) {})
			if err != nil || official != c.official || !slices.Equal(s.asked, c.asked) {
				t.Errorf("official %v after asking for %v, %v; want %v after %v", official, s.asked, err, c.official, c.asked)
			}
		})
	}
	broken := errors.New("engine gone")
	if _, err := preferOfficial(t.Context(), &shelf{fails: broken}, own, func(string) {}); !errors.Is(err, broken) {
		t.Errorf("an engine that fails ends in %v", err)
	}
}

// storesProject makes a root with the recipe of the stores alone.
func storesProject(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"Dockerfile", "packages", "paths", "setup.sql"} {
		write(t, filepath.Join(root, "images/stores", name), name)
	}
	return root
}

func TestStoresTagFollowsTheRecipe(t *testing.T) {
	root := storesProject(t)
	tag := func() string {
		t.Helper()
		i, err := storesImage(root)
		if err != nil {
			t.Fatal(err)
		}
		return i.ref()
	}
	was := tag()
	if !strings.HasPrefix(was, "faultbed/stores:bookworm-") {
		t.Errorf("tag is %s", was)
	}
	if tag() != was {
		t.Error("the same recipe has two tags")
	}
	for _, name := range []string{"Dockerfile", "packages", "paths", "setup.sql"} {
		write(t, filepath.Join(root, "images/stores", name), "changed")
		if now := tag(); now == was {
			t.Errorf("changing %s leaves the tag as it was", name)
		} else {
			was = now
		}
	}
	if err := os.Remove(filepath.Join(root, "images/stores/paths")); err != nil {
		t.Fatal(err)
	}
	if _, err := storesImage(root); err == nil || !strings.Contains(err.Error(), "paths") {
		t.Errorf("a recipe without its paths ends in %v", err)
	}
}

// The recipe says in its own files what the commands rely on.
func TestStoresRecipeIsWhatTheCommandsWant(t *testing.T) {
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, "images/stores", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	dockerfile, paths, setup := read("Dockerfile"), strings.Split(read("paths"), "\n"), read("setup.sql")
	database, cache := ownStores("x")
	for _, flag := range slices.Concat(fileFlags, []string{"--datadir=/var/lib/mysql"}) {
		if !strings.Contains(dockerfile, flag) || !slices.Contains(database.Cmd, flag) {
			t.Errorf("%s is not both in the Dockerfile and in the command", flag)
		}
	}
	for _, s := range []Store{database, cache} {
		if !slices.Contains(paths, "path-include="+s.Cmd[0]) {
			t.Errorf("%s is not among the paths", s.Cmd[0])
		}
	}
	for _, want := range []string{
		"CREATE DATABASE " + storeDatabase + " ", "CREATE USER " + storeUser + "@'%' IDENTIFIED BY '" + storePassword + "';",
		"GRANT ALL PRIVILEGES ON " + storeDatabase + ".* TO " + storeUser + "@'%';",
	} {
		if !strings.Contains(setup, want) {
			t.Errorf("setup.sql lacks %s", want)
		}
	}
}

// Whichever images are chosen, both are signed into alike and neither leans on its
// image's entrypoint.
func TestStoresAreStartedAlike(t *testing.T) {
	officialDB, officialKV := officialStores()
	ownDB, ownKV := ownStores("x")
	for _, s := range []Store{officialDB, officialKV, ownDB, ownKV} {
		if !filepath.IsAbs(s.Cmd[0]) {
			t.Errorf("%s is no absolute path", s.Cmd[0])
		}
	}
	for _, flag := range []string{"--port=3306", "--bind-address=0.0.0.0", "--skip-name-resolve"} {
		if !slices.Contains(officialDB.Cmd, flag) || !slices.Contains(ownDB.Cmd, flag) {
			t.Errorf("a database lacks %s", flag)
		}
	}
	for _, s := range []Store{officialKV, ownKV} {
		if line := strings.Join(s.Cmd, " "); !strings.Contains(line, "--port 6379") || !strings.Contains(line, "--requirepass dragonfly") {
			t.Errorf("cache is started with %s", line)
		}
	}
	env := officialDB.Env
	if env["MARIADB_USER"] != "dragonfly" || env["MARIADB_PASSWORD"] != "dragonfly" || env["MARIADB_DATABASE"] != "manager" {
		t.Errorf("the official database is set up with %v", env)
	}
}

// onlyProgram makes a bootstrapper of a shell script, and the only one to be found.
func onlyProgram(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if script != "" {
		path := filepath.Join(bin, bootstrapper)
		write(t, path, "#!/bin/sh\n"+script)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
}

func TestBootstrapWritesTheTree(t *testing.T) {
	dir, tree := filepath.Join(storesProject(t), "images/stores"), filepath.Join(t.TempDir(), "root.tar")
	write(t, filepath.Join(dir, "packages"), "mariadb-server-core\nredis-server\n")
	onlyProgram(t, `echo noise >&2; echo "$@"`)
	if err := bootstrap(t.Context(), dir, tree, "arm64", func(string) {}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		" --architectures=arm64 ", " --include=mariadb-server-core,redis-server ",
		" --dpkgopt=" + filepath.Join(dir, "paths") + " ", " bookworm -\n",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("called with %s, want %s", got, want)
		}
	}
	if strings.Contains(string(got), "noise") {
		t.Error("what it said on standard error is in the tree")
	}
}

func TestBootstrapSaysWhatIsWrong(t *testing.T) {
	dir, tree := filepath.Join(storesProject(t), "images/stores"), filepath.Join(t.TempDir(), "root.tar")
	for script, want := range map[string]string{
		"": "sudo apt-get install mmdebstrap",
		"echo 'I: running apt-get update...' >&2; echo 'Err:1 http://deb.debian.org bookworm' >&2; echo 'E: apt-get failed' >&2; exit 100": "Err:1 http://deb.debian.org",
		"echo 'I: start' >&2; echo 'cannot go on' >&2; exit 1":                                                                             "cannot go on",
	} {
		onlyProgram(t, script)
		err := bootstrap(t.Context(), dir, tree, "amd64", func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q ends in %v, want one line with %q", script, err, want)
		}
	}
}

// A bootstrapper that is stopped waits for its children: they have to be told too, and it
// has to be given the time to tidy up.
func TestStoppedBootstrapLeavesNothing(t *testing.T) {
	dir, tree := filepath.Join(storesProject(t), "images/stores"), filepath.Join(t.TempDir(), "root.tar")
	left := filepath.Join(t.TempDir(), "half")
	script := "trap 'rm " + left + "; exit 1' TERM\n/bin/sh -c 'echo > " + left + "; exec sleep 60'\n"
	path := os.Getenv("PATH")
	onlyProgram(t, "PATH="+path+"\n"+script)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- bootstrap(ctx, dir, tree, "amd64", func(string) {}) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !exists(left) {
		select {
		case err := <-ended:
			t.Fatalf("ended too early: %v", err)
		case <-tick.C:
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a bootstrap that was stopped ends in %v", err)
	}
	if exists(left) {
		t.Error("what it had begun is left behind")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestBootstrapMountsNothing(t *testing.T) {
	if args := bootstrapArgs("dash", "paths", "amd64"); !slices.Contains(args, "--mode=chrootless") {
		t.Errorf("called with %v", args)
	}
}
