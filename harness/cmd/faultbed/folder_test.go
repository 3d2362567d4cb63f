package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestRunsThatStartTogetherDoNotClash(t *testing.T) {
	out, started := filepath.Join(t.TempDir(), "deep", "out"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all sync.Map
	var runs sync.WaitGroup
	for range 64 {
		runs.Go(func() {
			_, dir, err := newRunFolder(out, started)
			if err != nil {
				t.Error(err)
			}
			if _, twice := all.LoadOrStore(dir, true); twice {
				t.Errorf("two runs got %s", dir)
			}
			if err := pointLatest(dir); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	target, err := os.Readlink(filepath.Join(out, "latest"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := all.Load(filepath.Join(out, target)); !ok {
		t.Errorf("latest points at %s, no run of ours", target)
	}
}
