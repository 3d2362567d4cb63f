package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// cpuPeriod is how often a container gets its share of CPU time, in microseconds: the
// kernel's default (Documentation/scheduler/sched-bwc.rst).
const cpuPeriod = 100_000

// allMemory is the kernel's own way to say no limit, in bytes: the largest number of whole
// pages. The engine's, -1, is refused by Docker 20.10 as less than 6 MB.
const allMemory = math.MaxInt64 &^ 4095

// Limits are what the processes of a container may use. A zero field is left as it is, a
// negative one is no limit.
type Limits struct {
	CPUs        float64 // cores' worth of time, in each period of 100 ms
	MemoryBytes int64   // swap included
}

// Limits are the limits of a container; what has none is negative.
func (e *Engine) Limits(ctx context.Context, id string) (Limits, error) {
	found, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return Limits{}, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	l := Limits{CPUs: -1, MemoryBytes: -1}
	if quota := found.Container.HostConfig.CPUQuota; quota > 0 {
		l.CPUs = float64(quota) / cpuPeriod
	}
	if memory := found.Container.HostConfig.Memory; memory > 0 && memory < allMemory {
		l.MemoryBytes = memory
	}
	return l, nil
}

// Limit changes the limits of a running container and says what they were.
func (e *Engine) Limit(ctx context.Context, id string, l Limits) (previous Limits, err error) {
	were, err := e.Limits(ctx, id)
	if err != nil {
		return Limits{}, err
	}
	var change container.Resources
	if l.CPUs != 0 {
		previous.CPUs = were.CPUs
		change.CPUPeriod, change.CPUQuota = cpuPeriod, -1
		if l.CPUs > 0 {
			change.CPUQuota = int64(l.CPUs * cpuPeriod)
		}
	}
	if l.MemoryBytes != 0 {
		previous.MemoryBytes = were.MemoryBytes
		change.Memory, change.MemorySwap = l.MemoryBytes, l.MemoryBytes
		if l.MemoryBytes < 0 {
			change.Memory, change.MemorySwap = allMemory, allMemory
		}
	}
	if _, err := e.client.ContainerUpdate(ctx, id, client.ContainerUpdateOptions{Resources: &change}); err != nil {
		return Limits{}, fmt.Errorf("change limits of container %.12s: %w", id, err)
	}
	return previous, nil
}

// Usage is what a container's control group says of itself.
type Usage struct {
	Periods, Throttled      uint64 // in which its processes ran; had to wait for the next
	MemoryLimit, MemoryUsed uint64 // bytes
}

// Usage reads it from the kernel, by the engine.
func (e *Engine) Usage(ctx context.Context, id string) (Usage, error) {
	answer, err := e.client.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("usage of container %.12s: %w", id, err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end below
	var s container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return Usage{}, fmt.Errorf("usage of container %.12s: %w", id, err)
	}
	return Usage{
		Periods: s.CPUStats.ThrottlingData.Periods, Throttled: s.CPUStats.ThrottlingData.ThrottledPeriods,
		MemoryLimit: s.MemoryStats.Limit, MemoryUsed: s.MemoryStats.Usage,
	}, nil
}

// Since is when the container's first process was started.
func (e *Engine) Since(ctx context.Context, id string) (time.Time, error) {
	found, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return time.Time{}, fmt.Errorf("inspect container %.12s: %w", id, err)
	}
	if found.Container.State == nil {
		return time.Time{}, fmt.Errorf("container %.12s has no state", id)
	}
	at, err := time.Parse(time.RFC3339Nano, found.Container.State.StartedAt)
	if err != nil {
		return time.Time{}, fmt.Errorf("start of container %.12s: %w", id, err)
	}
	return at, nil
}
