package deadmen

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Snapshot is what a host and its engine had at one moment: lines, by what they are about.
type Snapshot map[string][]string

// What has no equal afterwards that was there before is somebody else's doing: others end
// theirs. All else on a host is to stay as it was, in both directions.
var mayGo = map[string]bool{
	SectionNamespaces: true, SectionContainers: true, SectionNetworks: true, SectionVolumes: true, SectionMounts: true,
}

// Sections of a snapshot.
const (
	SectionNft        = "nft rules"
	SectionIptables   = "iptables"
	SectionIP6tables  = "ip6tables"
	SectionLinks      = "links"
	SectionAddresses  = "addresses"
	SectionRoutes     = "routes"
	SectionSysctls    = "sysctls"
	SectionNamespaces = "network namespaces"
	SectionMounts     = "mounts"
	SectionContainers = "containers"
	SectionNetworks   = "networks"
	SectionVolumes    = "volumes"
)

// Baseline is how a host is before a trial. Where others are at work as well it is never
// the same twice: Always is what every look has shown, Ever what any has.
type Baseline struct{ Always, Ever Snapshot }

// add takes in one more look.
func (b *Baseline) add(now Snapshot) {
	if b.Always == nil {
		*b = Baseline{now, maps.Clone(now)}
		return
	}
	for section, lines := range now {
		b.Ever[section] = append(slices.Clone(b.Ever[section]), without(lines, b.Ever[section])...)
		b.Always[section] = without(b.Always[section], without(b.Always[section], lines))
	}
}

// Difference says what a host has now that it had not before, and the reverse, one line
// each.
func Difference(before Baseline, now Snapshot) []string {
	var differ []string
	for _, section := range slices.Sorted(maps.Keys(now)) {
		if _, known := before.Ever[section]; !known {
			continue // could not be read then
		}
		add := func(what string, lines []string) {
			for _, line := range lines {
				differ = append(differ, fmt.Sprintf("%s: %s: %s", section, what, line))
			}
		}
		left := without(now[section], before.Ever[section])
		if section == SectionSysctls {
			left = ofInterfaces(left, before.Always[section])
		}
		add("left", left)
		if mayGo[section] {
			continue
		}
		missing := without(before.Always[section], now[section])
		if section == SectionSysctls {
			missing = ofInterfaces(missing, now[section])
		}
		add("missing", missing)
	}
	return differ
}

// perInterface are settings that an interface brings along, hundreds of them.
var perInterface = regexp.MustCompile(`^net\.ipv[46]\.(?:conf|neigh)\.(.+)\.[a-z0-9_]+ = `)

// ofInterfaces leaves out settings of interfaces that others do not have at all: that they
// came or went is told among the links, once.
func ofInterfaces(settings, others []string) []string {
	there := map[string]bool{}
	for _, line := range others {
		if found := perInterface.FindStringSubmatch(line); found != nil {
			there[found[1]] = true
		}
	}
	return slices.DeleteFunc(settings, func(line string) bool {
		found := perInterface.FindStringSubmatch(line)
		return found != nil && !there[found[1]]
	})
}

// without are the lines of some that others do not have as often.
func without(some, others []string) []string {
	n := map[string]int{}
	for _, line := range others {
		n[line]++
	}
	var rest []string
	for _, line := range some {
		if n[line]--; n[line] < 0 {
			rest = append(rest, line)
		}
	}
	return rest
}

// lines splits what a tool printed.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}

// nftLines puts before each rule the table and the chain that it is in.
func nftLines(text string) []string {
	var all, within []string
	for _, line := range lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasSuffix(line, "{"):
			within = append(within, strings.TrimSpace(strings.TrimSuffix(line, "{")))
			all = append(all, strings.Join(within, ", "))
		case line == "}":
			within = within[:max(0, len(within)-1)]
		case !strings.HasPrefix(line, "#"):
			all = append(all, strings.Join(append(slices.Clone(within), line), ", "))
		}
	}
	return all
}

var counted = regexp.MustCompile(`\[\d+:\d+\]`)

// iptablesLines leaves out comments and counters, and puts the table before each rule.
func iptablesLines(text string) []string {
	var all []string
	table := ""
	for _, line := range lines(text) {
		switch {
		case strings.HasPrefix(line, "#"), line == "COMMIT":
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		default:
			all = append(all, table+" "+strings.TrimSpace(counted.ReplaceAllString(line, "")))
		}
	}
	return all
}

// What an interface happens to have: its number, its peer's, and whether a bridge that
// nobody is on says that it has no carrier, which depends on who was on it last.
var happens = regexp.MustCompile(`^\d+: |@if\d+|NO-CARRIER,|,LOWER_UP| state (UP|DOWN|UNKNOWN)| linkdown`)

// linkLines leaves out what interfaces happen to have.
func linkLines(text string) []string {
	all := lines(text)
	for i, line := range all {
		line = happens.ReplaceAllString(line, "")
		all[i] = strings.Join(strings.Fields(strings.ReplaceAll(line, `\`, " ")), " ")
	}
	return all
}

var lifetimes = regexp.MustCompile(`\s*(valid_lft|preferred_lft) \S+`)

// addressLines leaves out how much longer a lease is valid.
func addressLines(text string) []string {
	return linkLines(lifetimes.ReplaceAllString(text, ""))
}

// volatile are sysctls that nobody sets: counts, and what the kernel finds out by itself.
var volatile = []string{
	"net.netfilter.nf_conntrack_count",
}

// steady leaves out what is volatile.
func steady(settings []string) []string {
	return slices.DeleteFunc(settings, func(line string) bool {
		name, _, _ := strings.Cut(line, " = ")
		return slices.Contains(volatile, name)
	})
}
