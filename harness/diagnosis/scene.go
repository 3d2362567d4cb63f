package diagnosis

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/faultbed/faultbed/harness/history"
)

// scene is a history as it is read for its trouble.
type scene struct {
	h     history.History
	roles map[string]string
	lost  *history.Download // the first that failed
	short bool              // a supernode counts fewer than there are
	end   int64             // when the failure showed, as far as can be told
}

// late is how many ms after its cause a log line may be written.
const late = 1000

// until is the part of a history that came before its bed was put away: what nodes say when
// faults are healed and downloads ended explains nothing of what failed before.
func until(h history.History) history.History {
	if h.EndedMS == nil {
		return h
	}
	ended, over := *h.EndedMS, *h.EndedMS+late
	for _, f := range h.Faults {
		if f.HealedMS != nil && *f.HealedMS > ended {
			over = min(over, *f.HealedMS)
		}
	}
	h.Complaints = slices.DeleteFunc(slices.Clone(h.Complaints), func(c history.Complaint) bool { return c.FirstMS > over })
	h.Log = slices.DeleteFunc(slices.Clone(h.Log), func(l history.LogLine) bool { return l.AtMS > over })
	h.PeerCount = slices.DeleteFunc(slices.Clone(h.PeerCount), func(p history.PeerCount) bool { return p.AtMS > ended })
	h.Downloads = slices.DeleteFunc(slices.Clone(h.Downloads), func(d history.Download) bool { return d.StartedMS+d.TookMS > ended })
	h.Ledger = slices.DeleteFunc(slices.Clone(h.Ledger), func(l history.LinkBytes) bool { return l.LastMS != nil && *l.LastMS > over })
	return h
}

func read(h history.History) scene {
	h = until(h)
	c := scene{h: h, roles: map[string]string{}}
	for _, n := range h.Nodes {
		c.roles[n.Name] = n.Role
	}
	for i, d := range h.Downloads {
		if d.Error != "" || !d.SHA256OK {
			c.lost, c.end = &h.Downloads[i], d.StartedMS+d.TookMS
			break
		}
	}
	c.short = c.counted()
	switch {
	case c.end == 0 && h.EndedMS != nil:
		c.end = *h.EndedMS
	case c.end == 0:
		for _, s := range h.Steps {
			c.end = max(c.end, s.AtMS)
		}
		for _, one := range h.Complaints {
			c.end = max(c.end, one.LastMS)
		}
	}
	return c
}

// counted says whether some supernode in the end counts fewer than there are.
func (c scene) counted() bool {
	want, last := map[string]bool{}, map[string]int{}
	for _, n := range c.h.Nodes {
		if n.Role == "seed" || n.Role == "peer" {
			want[cmp.Or(n.Stated, n.Name)] = true
		}
	}
	for _, p := range c.h.PeerCount {
		last[p.Supernode] = p.N
	}
	for _, n := range last {
		if n < len(want) {
			return true
		}
	}
	return false
}

// role is what a node is: as the history says, or as its name does in one that is older.
func (c scene) role(node string) string {
	if role, ok := c.roles[node]; ok {
		return role
	}
	for _, role := range []string{"supernode", "seed", "peer", "origin", "manager"} {
		if strings.HasPrefix(node, role+"-") {
			return role
		}
	}
	return ""
}

func host(target string) string {
	name, _, _ := strings.Cut(target, ":")
	return name
}

func port(target string) int {
	_, text, _ := strings.Cut(target, ":")
	n, _ := strconv.Atoi(text) // 0 if there is none
	return n
}

// uploadPort is where pieces are got from a peer, in both systems.
const uploadPort = 65002

// stepOf is the step of joining that a node's complaint is about.
func (c scene) stepOf(one history.Complaint) Step {
	server := c.role(host(one.Target))
	switch one.Step {
	case "register", "announce", "manager":
		return Register
	case "list":
		if server == "supernode" {
			return List
		}
		return Connect // a parent is asked for its list of pieces once it was chosen
	case "check":
		if server == "supernode" {
			return Register
		}
		return Connect
	case "seed":
		return Connect
	case "piece", "origin", "storage", "back to source":
		return Share
	}
	return c.stepTo(one.Target)
}

// stepTo is the step that needs a server's port.
func (c scene) stepTo(target string) Step {
	switch c.role(host(target)) {
	case "supernode", "manager":
		return Register
	case "origin":
		return Share
	case "seed", "peer":
		if port(target) == uploadPort {
			return Share
		}
		return Connect
	}
	return NoStep
}

// find looks for what broke: for the complaint that has most to do with the failure, else
// for a probe that failed.
func (c scene) find() (finding, bool) {
	if best, ok := c.worst(); ok {
		return finding{
			step: c.stepOf(best), node: best.Node, target: best.Target, since: best.FirstMS, until: best.LastMS,
			count: best.Count, how: cmp.Or(best.Error, best.Cause), complaint: &best,
		}, true
	}
	for _, f := range c.h.Faults {
		readings := slices.Clone(f.Receipt.Probe.During)
		slices.SortStableFunc(readings, func(a, b history.Reading) int { return cmp.Compare(c.nearness(b.Link), c.nearness(a.Link)) })
		for _, r := range readings {
			if r.Outcome == "ok" || f.AppliedMS == nil {
				continue
			}
			node, target, _ := strings.Cut(r.Link, ">")
			until := c.end
			if f.HealedMS != nil {
				until = min(until, *f.HealedMS)
			}
			return finding{
				step: c.stepTo(target), node: node, target: target, since: *f.AppliedMS, until: max(until, *f.AppliedMS), count: 1,
				how: unsaid + cmp.Or(r.Detail, r.Outcome),
			}, true
		}
	}
	return finding{}, false
}

// unsaid begins what only a probe saw.
const unsaid = "no node says so; a probe saw: "

// nearness is how much a link has to do with the download that failed.
func (c scene) nearness(link string) (n int) {
	if c.lost == nil {
		return 0
	}
	node, target, _ := strings.Cut(link, ">")
	if node == c.lost.Peer {
		n += 2
	}
	if host(target) == c.lost.Peer {
		n++
	}
	return n
}

// worst is the complaint with the highest weight, of several the one of the earliest step.
func (c scene) worst() (history.Complaint, bool) {
	ranked := c.ranked()
	if len(ranked) == 0 {
		return history.Complaint{}, false
	}
	return ranked[0], true
}

// ranked are the complaints from before the failure showed, the weightiest first, without
// those that had ended when all were counted: whoever starts before its supernode is refused.
func (c scene) ranked() []history.Complaint {
	early := slices.DeleteFunc(slices.Clone(c.h.Complaints), func(one history.Complaint) bool {
		return one.FirstMS > c.end+late || c.h.BedReadyMS != nil && one.LastMS < *c.h.BedReadyMS && c.end > *c.h.BedReadyMS
	})
	slices.SortStableFunc(early, func(a, b history.Complaint) int {
		return cmp.Or(
			cmp.Compare(c.weight(b), c.weight(a)),
			cmp.Compare(slices.Index(Steps, c.stepOf(a)), slices.Index(Steps, c.stepOf(b))),
			cmp.Compare(a.FirstMS, b.FirstMS),
		)
	})
	return early
}

// weight is how much a complaint has to do with the failure. Its figures say no more than
// what counts before what: whose file is missing, then what keeps a node out of the count,
// then what nobody recovered from, then what was said most often.
func (c scene) weight(one history.Complaint) (w int) {
	w = 8 * c.nearness(one.Link())
	if c.short && c.lost == nil {
		w += 8 * (len(Steps) - slices.Index(Steps, c.stepOf(one)))
	}
	if telling[one.Cause] {
		w += 6
	}
	if one.LastMS >= c.end-2000 {
		w += 4
	}
	return w + min(bits.Len(uint(one.Count)), 4) //nolint:gosec // a count
}

// telling are causes that explain themselves, and what else goes wrong beside them.
var telling = map[string]bool{"version mismatch": true, "too many open files": true, "no such host": true}

// lines are the log lines that show a finding: its own, then those of what is next in
// weight, each of another kind, with an error of the node in question among them.
func (c scene) lines(f finding) []history.LogLine {
	var chosen []history.LogLine
	add := func(l history.LogLine) {
		same := func(other history.LogLine) bool { return other == l }
		if l.Text != "" && len(chosen) < linesAtMost && !slices.ContainsFunc(chosen, same) {
			chosen = append(chosen, l)
		}
	}
	if f.complaint != nil {
		add(history.LogLine{AtMS: f.complaint.FirstMS, Node: f.complaint.Node, Text: f.complaint.Line})
	}
	for _, l := range c.h.Log {
		if c.lost != nil && l.Node == c.lost.Peer || l.Node == f.node {
			add(l)
			break
		}
	}
	for _, one := range c.ranked() {
		if f.complaint == nil || host(one.Target) == f.server() || one.Node == f.node {
			add(history.LogLine{AtMS: one.FirstMS, Node: one.Node, Text: one.Line})
		}
	}
	for _, l := range c.h.Log {
		add(l)
	}
	slices.SortStableFunc(chosen, func(a, b history.LogLine) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return chosen
}
