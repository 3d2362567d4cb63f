package cluster

import (
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

// releaseVariable is set at link time to the release that a binary is built as.
const releaseVariable = "github.com/faultbed/faultbed/images/swarm.Release"

// lockEvery is how often a run looks whether the run that builds images is done.
const lockEvery = 100 * time.Millisecond

// compile builds the binaries that recipes want into bin, static, for the engine's
// machine. All packages of a release go into one go build, which shares the work
// between them; go itself leaves alone what is up to date in bin.
func compile(ctx context.Context, root, bin, arch string, b batch, recipes []recipe, progress func(string)) error {
	packages := packagesOf(recipes)
	what := strings.Join(packages, ", ")
	flags := "-s -w"
	if b.release != "" {
		flags += " -X " + releaseVariable + "=" + b.release
		what = b.release + ": " + what
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", bin + string(os.PathSeparator)}
	if b.overlay != "" {
		args = append(args, "-overlay", b.overlay)
	}
	for _, p := range packages {
		args = append(args, "./images/"+p)
	}
	start := time.Now()
	slow := time.AfterFunc(saySlow, func() { progress("compiling " + what) })
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	output, err := cmd.CombinedOutput()
	if !slow.Stop() {
		progress(fmt.Sprintf("compiling %s ... %s", what, seconds(time.Since(start))))
	}
	if err != nil {
		return fmt.Errorf("compile %s: %w\n%s", what, err, strings.TrimSpace(string(output)))
	}
	return nil
}

// lock keeps other runs out of dir until unlock is called, or this process ends.
func lock(ctx context.Context, dir string, progress func(string)) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the cache for binaries: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the cache for binaries: %w", err)
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	waiting := time.AfterFunc(saySlow, func() { progress("waiting for another run that is building images") })
	defer waiting.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil // closing it unlocks
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock the cache for binaries: %w", err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another run that is building images: %w", context.Cause(ctx)), file.Close())
		case <-tick.C:
		}
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
