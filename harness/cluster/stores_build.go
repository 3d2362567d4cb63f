package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bootstrapper makes a tree out of Debian's packages, with or without root.
const bootstrapper = "mmdebstrap"

// bootstrapStops is how long the bootstrapper may take to tidy up once it is told to stop.
const bootstrapStops = 5 * time.Second

// errNoBootstrapper is one line that says what to do.
var errNoBootstrapper = errors.New(bootstrapper + " is not installed: sudo apt-get install " + bootstrapper +
	" debian-archive-keyring, or pull the official images: docker pull " + officialDatabase + " && docker pull " + officialCache)

// buildStores makes the own image i out of dir unless the engine has it. The tree is made
// on this machine, by Debian's own tool; the engine only adds the data directory.
func (e *Engine) buildStores(ctx context.Context, i image, dir string, progress func(string)) error {
	_, found, err := e.Image(ctx, i.ref())
	if err != nil || found {
		return err
	}
	info, err := e.Info(ctx)
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("build image %s: %w", storesName, err)
	}
	cache = filepath.Join(cache, "faultbed", storesName, info.Arch)
	unlock, err := lock(ctx, cache, progress)
	if err != nil {
		return err
	}
	defer unlock()
	if _, found, err := e.Image(ctx, i.ref()); err != nil || found {
		return err // another run was building it
	}
	tree := filepath.Join(cache, "root.tar")
	defer func() { _ = os.Remove(tree) }() // in the cache; the next build writes it anew
	if err := bootstrap(ctx, dir, tree, info.Arch, progress); err != nil {
		return fmt.Errorf("build image %s: %w", storesName, err)
	}
	i.context = append(i.context, tree) // after the tag was made: the recipe stands for it
	return e.ensure(ctx, i, progress)
}

// bootstrap writes to tree what the packages and paths in dir make.
func bootstrap(ctx context.Context, dir, tree, arch string, progress func(string)) (err error) {
	if _, err := exec.LookPath(bootstrapper); err != nil {
		return errNoBootstrapper
	}
	packages, err := os.ReadFile(filepath.Join(dir, "packages"))
	if err != nil {
		return err
	}
	out, err := os.Create(tree)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	start := time.Now()
	progress("unpacking MariaDB and Redis out of Debian's packages")
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, bootstrapper, bootstrapArgs(string(packages), filepath.Join(dir, "paths"), arch)...)
	cmd.Stdout, cmd.Stderr = out, &said
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // it waits for its children, so they are told too
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = bootstrapStops
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("unpack Debian's packages: %w: %s", err, complaint(said.String()))
	}
	progress("unpacking MariaDB and Redis out of Debian's packages ... " + seconds(time.Since(start)))
	return nil
}

// bootstrapArgs unpack packages and what they need, run nothing of theirs, and write the
// tree as a tar to standard output. Where nothing is run no root is needed, and nothing
// is mounted that a stopped run could leave behind: hence the mode, for root too, whom
// newer releases warn of it.
func bootstrapArgs(packages, paths, arch string) []string {
	return []string{
		"--mode=chrootless", "--skip=check/chrootless", "--variant=extract", "--architectures=" + arch,
		"--include=" + strings.Join(strings.Fields(packages), ","), "--dpkgopt=" + paths,
		"--aptopt=Acquire::http::Timeout \"20\"", // without a network apt tries for minutes
		"--skip=output/dev", "--format=tar", debian, "-",
	}
}

// complaint is what the bootstrapper said was wrong: its first line that says so, or its
// last.
func complaint(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "Err:") {
			return line
		}
	}
	return lines[len(lines)-1]
}
