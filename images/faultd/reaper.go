//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// reapEvery is how often is looked for what is left.
	reapEvery = 100 * time.Millisecond
	// quietRounds is how many times in a row nothing must be left: an engine
	// may still be busy creating what the dead harness asked for.
	quietRounds = 2
)

// reaper removes one session's containers and networks, and nothing else.
type reaper struct {
	engine  engine
	session string
	// self is left alone: the container that this runs in.
	self string
	// linger is how long to look at least: an engine under load may still be making what
	// a dead process has asked for.
	linger time.Duration
	// turn lets one reap at a time: two would empty a network side by side.
	turn sync.Mutex
}

// Reap removes the beds whose names begin with beds, all of the session if that is "".
// It goes on until nothing is left, twice in a row, and has looked for long enough, or
// ctx ends.
func (r *reaper) Reap(ctx context.Context, beds string) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	again := time.NewTicker(reapEvery)
	defer again.Stop()
	start := time.Now()
	for quiet := 0; ; {
		found, err := r.round(ctx, beds)
		if found == 0 && err == nil {
			quiet++
		} else {
			quiet = 0
		}
		if quiet >= quietRounds && time.Since(start) >= r.linger {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("session %s: %d containers and networks left: %w", r.session, found, errors.Join(ctx.Err(), err))
		case <-again.C:
		}
	}
}

// round removes all that is there, containers first: a network with containers
// on it cannot be removed.
func (r *reaper) round(ctx context.Context, prefix string) (found int, err error) {
	containers, err := r.engine.Containers(ctx, r.session)
	if err != nil {
		return 0, err
	}
	beds := map[string][]string{} // what belongs to none has nothing in common, and is little
	others := 0
	for _, c := range containers {
		if c.ID != r.self && strings.HasPrefix(c.Bed, prefix) {
			beds[c.Bed] = append(beds[c.Bed], c.ID)
			others++
		}
	}
	// One after the other within a bed: containers that leave a network at the same
	// moment can spoil the engine's count of its endpoints, and then it never goes.
	failed := parallel(slices.Sorted(maps.Keys(beds)), func(bed string) error {
		var errs []error
		for _, id := range beds[bed] {
			errs = append(errs, r.engine.RemoveContainer(ctx, id))
		}
		return errors.Join(errs...)
	})

	networks, err := r.engine.Networks(ctx, r.session)
	if err != nil {
		return others, errors.Join(failed, err)
	}
	var doomed []string
	for _, n := range networks {
		if strings.HasPrefix(n.Bed, prefix) {
			doomed = append(doomed, n.ID)
		}
	}
	err = parallel(doomed, func(id string) error {
		err := r.engine.RemoveNetwork(ctx, id)
		if err == nil {
			return nil
		}
		// It may be this very container that is on it.
		if leaveErr := r.engine.Disconnect(ctx, id, r.self); leaveErr != nil {
			return errors.Join(err, leaveErr)
		}
		return r.engine.RemoveNetwork(ctx, id)
	})
	return others + len(doomed), errors.Join(failed, err)
}

// parallel calls do for each id at once and joins the errors.
func parallel(ids []string, do func(id string) error) error {
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { errs[i] = do(id) })
	}
	all.Wait()
	return errors.Join(errs...)
}
