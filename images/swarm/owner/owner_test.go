package owner_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/faultbed/faultbed/images/swarm/owner"
)

const tasks = 3000

func supernodes(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("supernode-%d", i+1)
	}
	return names
}

// Whatever order a peer was told them in, it finds the same owner.
func TestOrderDoesNotDependOnConfiguration(t *testing.T) {
	names := supernodes(5)
	turned := slices.Clone(names)
	slices.Reverse(turned)
	for task := range tasks {
		id := fmt.Sprint(task)
		if a, b := owner.Order(id, names), owner.Order(id, turned); !slices.Equal(a, b) || len(a) != len(names) {
			t.Fatalf("task %s: %v and %v", id, a, b)
		}
	}
}

// Seen red with a hash of the task alone, modulo their number: most tasks move.
func TestOnlyTasksOfTheLostOneMove(t *testing.T) {
	all := supernodes(5)
	left := all[1:]
	for task := range tasks {
		id := fmt.Sprint(task)
		before, after := owner.Order(id, all), owner.Order(id, left)
		if before[0] != all[0] && after[0] != before[0] {
			t.Fatalf("task %s moved from %s to %s though neither went", id, before[0], after[0])
		}
		if before[0] == all[0] && after[0] != before[1] {
			t.Fatalf("task %s fell to %s and not to the next in order, %s", id, after[0], before[1])
		}
	}
}

// Seen red without the finalizer: the last byte of a name decides next to nothing.
func TestTasksSpreadEvenly(t *testing.T) {
	for n := 2; n <= 5; n++ {
		owned := map[string]int{}
		for task := range tasks {
			owned[owner.Order(fmt.Sprint(task), supernodes(n))[0]]++
		}
		for name, count := range owned {
			if fair := tasks / n; count < fair*8/10 || count > fair*12/10 {
				t.Errorf("%s of %d owns %d of %d tasks", name, n, count, tasks)
			}
		}
	}
}
