package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// newRunFolder makes the folder of a run that started at a time. Two that start in
// the same second differ in their last four digits.
func newRunFolder(out string, started time.Time) (id, dir string, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", "", fmt.Errorf("make the folder for runs: %w", err)
	}
	for {
		id := fmt.Sprintf("%s-%04x", started.UTC().Format("20060102T150405Z"), rand.Uint32N(1<<16)) //nolint:forbidigo // a name, nothing to replay
		dir := filepath.Join(out, id)
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return id, dir, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", "", fmt.Errorf("make the run's folder: %w", err)
		}
	}
}

// pointLatest makes <out>/latest the link to a run, in one step: whoever follows it
// finds the one run or the other.
func pointLatest(dir string) error {
	out, id := filepath.Split(dir)
	link := filepath.Join(out, ".latest-"+id)
	if err := os.Symlink(id, link); err != nil {
		return fmt.Errorf("point at the run: %w", err)
	}
	if err := os.Rename(link, filepath.Join(out, "latest")); err != nil {
		return errors.Join(fmt.Errorf("point at the run: %w", err), os.Remove(link))
	}
	return nil
}

// shortest is a path as one would type it from here.
func shortest(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(relative, "..") {
		return path
	}
	return relative
}
