package deadmen

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is all that a trial has seen.
type Result struct {
	Seed    int64     `json:"seed"`
	Started time.Time `json:"started"`
	WallMS  int64     `json:"wall_ms"`
	// Compared is what was looked at on the host, Missing what could not be, and why.
	Compared []string          `json:"compared"`
	Missing  map[string]string `json:"missing,omitempty"`
	// Undisturbed is what the run left that nobody killed.
	Undisturbed []string `json:"undisturbed_left,omitempty"`
	Kills       []Kill   `json:"kills"`
	Strikes     []Strike `json:"faultd_kills,omitempty"`
	Pairs       []Pair   `json:"pairs,omitempty"`
	// Left is what the host had in the end that it had not before, Alone whether nobody
	// else had anything on the engine then.
	Left  []string `json:"left,omitempty"`
	Alone bool     `json:"alone"`
}

// Kill is one kill of the harness.
type Kill struct {
	N      int      `json:"n"`
	Aim    Phase    `json:"aim"`
	Phase  Phase    `json:"phase"` // that it hit
	Victim Victim   `json:"victim"`
	Hit    []string `json:"hit,omitempty"`
	AtMS   int64    `json:"at_ms"` // after the run's start
	Run    string   `json:"run"`
	Settled
}

func (k Kill) String() string {
	if k.Phase == Ended {
		return fmt.Sprintf("%s: %s: the run was over", k.Aim, k.Victim)
	}
	return fmt.Sprintf("%s: %s killed at %.1f s, %s", k.Phase, k.Victim, seconds(k.AtMS), verdict(max(k.GoneMS, k.HostMS), k.Left))
}

// Strike is one kill of faultd.
type Strike struct {
	N       int      `json:"n"`
	Aim     Phase    `json:"phase"`
	EndedMS int64    `json:"ended_ms"` // until the run had ended by itself
	Status  int      `json:"status"`   // that it ended with
	Wrong   []string `json:"wrong,omitempty"`
	Run     string   `json:"run"`
	Settled          // counted from the end
}

func (s Strike) String() string {
	return fmt.Sprintf("killed while %s, the run ended with %d, %s", s.Aim, s.Status, verdict(s.EndedMS, slices.Concat(s.Wrong, s.Left)))
}

// Pair is two runs side by side, one of which was killed.
type Pair struct {
	N       int      `json:"n"`
	Both    bool     `json:"both"`   // whether the other was under way until the first was gone
	Status  int      `json:"status"` // that the other ended with
	Wrong   []string `json:"wrong,omitempty"`
	Settled          // the one that was killed; the host, after the other's end
}

func (p Pair) String() string {
	return fmt.Sprintf("one killed, the other ended with %d, %s", p.Status, verdict(p.GoneMS, slices.Concat(p.Wrong, p.Left)))
}

// toldAtOnce is how many leftovers a line names while the trial goes on.
const toldAtOnce = 3

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func verdict(ms int64, left []string) string {
	switch n := len(left); {
	case n > toldAtOnce:
		return fmt.Sprintf("LEFT: %s; and %d more", strings.Join(left[:toldAtOnce], "; "), n-toldAtOnce)
	case n > 0:
		return "LEFT: " + strings.Join(left, "; ")
	}
	return fmt.Sprintf("nothing left after %.1f s", seconds(ms))
}

// Faults are what the trial has against the harness, one line each; none is how it should
// be.
func (r Result) Faults() []string {
	var all []string
	add := func(what string, lines []string) {
		for _, line := range lines {
			all = append(all, what+": "+line)
		}
	}
	add("undisturbed", r.Undisturbed)
	aimed, hit := map[Phase]int{}, map[Phase]int{}
	for _, k := range r.Kills {
		add(fmt.Sprintf("kill %d while %s", k.N, k.Phase), k.Left)
		aimed[k.Aim]++
		hit[k.Phase]++
	}
	for _, p := range aims {
		if aimed[p] > 0 && hit[p] == 0 {
			all = append(all, fmt.Sprintf("no kill has hit a run while %s, %d were to", p, aimed[p]))
		}
	}
	for _, s := range r.Strikes {
		add(fmt.Sprintf("faultd %d", s.N), slices.Concat(s.Wrong, s.Left))
	}
	for _, p := range r.Pairs {
		add(fmt.Sprintf("pair %d", p.N), slices.Concat(p.Wrong, p.Left))
	}
	add("in the end", r.Left)
	return all
}

// Table prints how long it took until nothing was left, by phase and by victim.
func (r Result) Table(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "killed while\tkills\tmedian\tslowest\tleft something\t")
	byPhase, byVictim := map[Phase][]Kill{}, map[Victim][]Kill{}
	var hits []Kill
	for _, k := range r.Kills {
		if k.Phase == Ended {
			continue
		}
		byPhase[k.Phase] = append(byPhase[k.Phase], k)
		byVictim[k.Victim] = append(byVictim[k.Victim], k)
		hits = append(hits, k)
	}
	for _, p := range append(slices.Clone(aims), Waiting) {
		row(w, string(p), byPhase[p])
	}
	row(w, "all", hits)
	fmt.Fprintln(w, "\t\t\t\t\t")
	for _, v := range slices.Sorted(maps.Keys(byVictim)) {
		row(w, string(v), byVictim[v])
	}
	fmt.Fprintln(w, "\t\t\t\t\t")
	if err := w.Flush(); err != nil || len(hits) == 0 {
		return err
	}
	_, err := fmt.Fprintf(to, "load of the machine: %s\n", span(hits))
	return err
}

// span is the least and the greatest load.
func span(kills []Kill) string {
	least := slices.MinFunc(kills, func(a, b Kill) int { return cmp.Compare(a.Load, b.Load) })
	most := slices.MaxFunc(kills, func(a, b Kill) int { return cmp.Compare(a.Load, b.Load) })
	return fmt.Sprintf("%.1f to %.1f", least.Load, most.Load)
}

func row(w io.Writer, what string, kills []Kill) {
	if len(kills) == 0 {
		return
	}
	took := make([]time.Duration, len(kills))
	left := 0
	for i, k := range kills {
		took[i] = time.Duration(max(k.GoneMS, k.HostMS)) * time.Millisecond
		if len(k.Left) > 0 {
			left++
		}
	}
	fmt.Fprintf(w, "%s\t%d\t%.1f s\t%.1f s\t%s\t\n", what, len(kills), median(took).Seconds(), slices.Max(took).Seconds(),
		dash(left))
}

func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
