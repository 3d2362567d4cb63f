package deadmen

import (
	"math/rand/v2"
	"slices"
)

// Victim is what is killed, with SIGKILL.
type Victim string

// The victims. Mostly it is everything at once, as an out-of-memory killer, a lost
// connection to CI or a closed laptop does it; whatever goes alone must take the rest along.
const (
	Everything Victim = "everything"     // faultbed, ginkgo and the processes of the suite
	Command    Victim = "faultbed alone" // the command line
	Ginkgo     Victim = "ginkgo alone"
	Process    Victim = "one process" // of those that run the scenarios
)

// shot is one kill to be: what is hit, where, and which scenarios the run has.
type shot struct {
	aim       Phase
	victim    Victim
	share     float64 // of the phase's usual length that passes before
	scenarios []int   // two of the trial's
	seed      int64   // of the run
	pick      int     // chooses among processes
}

// alone is how many of ten kills hit one process only.
const alone = 3

// draw makes the plan of a trial, all of it from the seed. Aims take turns, so that every
// phase is hit, in an order of their own.
func draw(seed int64, kills, scenarios int) []shot {
	r := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // to be drawn again from the same seed
	shots := make([]shot, kills)
	for i := range shots {
		s := shot{aim: aims[i%len(aims)], victim: Everything, share: r.Float64(), seed: int64(r.Uint32()), pick: r.IntN(1 << 16)}
		if r.IntN(10) < alone {
			s.victim = []Victim{Command, Ginkgo, Process}[r.IntN(3)]
		}
		s.scenarios = r.Perm(scenarios)[:min(2, scenarios)]
		slices.Sort(s.scenarios)
		shots[i] = s
	}
	r.Shuffle(len(shots), func(i, j int) { shots[i], shots[j] = shots[j], shots[i] })
	return shots
}
