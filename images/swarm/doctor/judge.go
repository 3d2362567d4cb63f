package doctor

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/cause"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/timers"
)

// slowName is what a lookup may take before it is worth a word.
const slowName = time.Second

// fewDescriptors is the share of open descriptors from which it is worth a word, in percent.
const fewDescriptors = 80

// Judge makes findings of facts, the local ones first.
func Judge(f Facts, profile timers.Profile) []Finding {
	all := judgeDaemon(f.Daemon, profile)
	all = append(all, judgeDescriptors("daemon", f.Daemon.Descriptors)...)
	all = append(all, judgeDescriptors("doctor", f.Own)...)
	for _, n := range f.Names {
		all = append(all, judgeName(n))
	}
	for _, p := range f.Ports {
		all = append(all, judgePort(p))
		all = append(all, judgeVersion(f.Release, p)...)
	}
	for _, p := range f.Paths {
		all = append(all, judgePath(p)...)
	}
	return all
}

// Healthy says whether no finding is a problem.
func Healthy(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.Result == Problem })
}

func judgeDaemon(d Daemon, profile timers.Profile) []Finding {
	runs := Finding{CheckDaemon, d.Target, "", OK, "it answers", ""}
	if d.Failed.yes() {
		runs.Result, runs.Fact = Problem, d.Failed.String()
		runs.Cure = "start the daemon: peer daemon --supernode host:8002"
		if d.Failed.Cause != cause.Refused {
			runs.Cure = "it is there and does not answer: see whether it is paused or out of descriptors, then restart it"
		}
		return []Finding{runs}
	}
	all := []Finding{runs}
	if d.Status == nil {
		return all
	}
	for _, p := range d.Status.Places {
		all = append(all, judgePlace(p)...)
		if p.Registered && p.AnnounceAgeMS >= 0 {
			age := time.Duration(p.AnnounceAgeMS) * time.Millisecond
			announce := Finding{CheckAnnounce, p.Supernode, "", OK, fmt.Sprintf("%.1f s ago", age.Seconds()), ""}
			if age > profile.Lease {
				announce.Result, announce.Cure = Problem, "the stream to the supernode stands still: restart the daemon"
			}
			all = append(all, announce)
		}
	}
	return all
}

func judgePlace(p daemon.PlaceStatus) []Finding {
	found := Finding{CheckRegistered, p.Supernode, "", OK, fmt.Sprintf("registered, peers are named by it (%s)", p.IP), ""}
	if p.Registered {
		return []Finding{found}
	}
	found.Result, found.Fact, found.Cure = Problem, "not registered", "see the rows of this supernode; a release without retries must be restarted"
	if p.LastError == nil {
		return []Finding{found}
	}
	found.Fact = fmt.Sprintf("not registered: %s: %s", p.LastError.Cause, p.LastError.Error)
	switch {
	case p.LastError.Cause == cause.VersionMismatch:
		return []Finding{{CheckVersion, p.Supernode, "", Problem, p.LastError.Error, cureVersion}}
	case strings.Contains(p.LastError.Error, "cannot be called back"):
		found.Cure = "open ports 65000-65020 on this host to the supernode: it calls back before it takes a peer"
	}
	return []Finding{found}
}

const cureVersion = "run a release that speaks with the supernode's; in a rollout, upgrade the supernodes first, one minor release at a time"

func judgeDescriptors(whose string, d Descriptors) []Finding {
	if d.Limit == 0 {
		return nil
	}
	found := Finding{CheckDescriptors, whose, "", OK, fmt.Sprintf("%d of %d open", d.Open, d.Limit), ""}
	if d.Open*100 > d.Limit*fewDescriptors {
		found.Result, found.Cure = Warning, "raise the limit before it is reached: ulimit -n, LimitNOFILE="
	}
	if d.Open+1 >= d.Limit {
		found.Result, found.Cure = Problem, "raise the limit of descriptors (ulimit -n, LimitNOFILE=) and restart"
	}
	return []Finding{found}
}

func judgeName(n Name) Finding {
	found := Finding{CheckDNS, n.Host, "", OK, fmt.Sprintf("%s in %d ms", strings.Join(n.Addresses, ", "), n.Took.Milliseconds()), ""}
	switch {
	case n.Failed.Cause == cause.NoSuchHost:
		found.Result, found.Fact, found.Cure = Problem, n.Failed.String(), "correct the name, or add it to the DNS or to /etc/hosts"
	case n.Failed.yes():
		found.Result, found.Fact, found.Cure = Problem, n.Failed.String(), "see whether the DNS servers of /etc/resolv.conf answer: port 53, UDP and TCP"
	case n.Took > slowName:
		found.Result, found.Cure = Warning, "a slow DNS delays every new connection: see the servers of /etc/resolv.conf"
	}
	return found
}

func judgePort(p Port) Finding {
	found := Finding{CheckPort, p.Target, describe(p), OK, fmt.Sprintf("connected in %d ms, and answers", p.Took.Milliseconds()), ""}
	if !p.Failed.yes() {
		return found
	}
	_, port, _ := net.SplitHostPort(p.Target)
	found.Result, found.Fact = Problem, p.Failed.String()
	switch {
	case p.Failed.Cause == cause.TooManyFiles:
		found.Result, found.Cure = Warning, "not checked: the doctor itself is out of descriptors"
	case p.Connected && p.Failed.Cause != cause.Refused:
		found.Fact = "connected, but no answer: " + found.Fact
		found.Cure = fmt.Sprintf("the %s is there and does not serve: see its log and its descriptors, or a firewall that looks into connections", p.Role)
	case p.Failed.Cause == cause.Refused:
		found.Cure = fmt.Sprintf("start the %s, or open port %s: its firewall may refuse", p.Role, port)
	case p.Failed.Cause == cause.TimedOut:
		found.Cure = fmt.Sprintf("packets vanish: open port %s in firewalls and security groups, or see whether the host is up", port)
	case p.Failed.Cause == cause.NoSuchHost:
		found.Cure = "see the row of its name"
	default:
		found.Cure = "see routes and firewalls on the way"
	}
	if p.Unlisted {
		found.Fact = "a seed that supernodes named and no longer do: " + found.Fact
	}
	return found
}

func describe(p Port) string {
	if p.Node == "" {
		return p.Role
	}
	return fmt.Sprintf("%s %s, %s", p.Role, p.Node, p.Use)
}

// judgeVersion looks at supernodes only: peers that do not speak with each other are kept
// apart by their supernode, and that is no fault.
func judgeVersion(release string, p Port) []Finding {
	if p.Role != roleSupernode || p.Protocol == "" {
		return nil
	}
	own, err := swarm.CapabilitiesOf(release)
	if err != nil {
		return nil
	}
	fact := fmt.Sprintf("peer %s speaks protocol %s, supernode %s speaks protocol %s", own.Release, own.Protocol, p.Release, p.Protocol)
	if swarm.Speak(own.Protocol, p.Protocol) {
		return []Finding{{CheckVersion, p.Target, "", OK, fact, ""}}
	}
	return []Finding{{CheckVersion, p.Target, "", Problem, "version mismatch: " + fact, cureVersion}}
}

func judgePath(p Path) []Finding {
	what, way := "requests", "to "+p.Node
	if p.Back {
		what, way = "answers", "from "+p.Node
	}
	found := Finding{CheckMTU, p.Target, way, OK, fmt.Sprintf("%s of %d bytes pass", what, p.Passed), ""}
	switch {
	case p.Lost == 0:
	case p.Failed.Cause == cause.TooManyFiles:
		return nil
	case p.Passed == 0:
		return nil // the row of the port says it
	default:
		found.Result = Problem
		found.Fact = fmt.Sprintf("small %s pass, full packets vanish: MTU black hole, the largest that passed had %d bytes, one of %d did not", what, p.Passed, p.Lost)
		found.Cure = fmt.Sprintf("lower the MTU of the interface on this host (ip link set dev eth0 mtu %d), or let ICMP 'fragmentation needed' pass", max(minMTU, p.Passed))
	}
	return []Finding{found}
}

// minMTU is what every host must take, RFC 791.
const minMTU = 576
