//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// wired has a bulk server behind two links, with packets as on a wire on both.
func wired(t *testing.T) (l *lab, sick, healthy *link) {
	t.Helper()
	l = newLab(t)
	l.bulk(65002)
	l.bulk(65003)
	sick, healthy = l.link(65002, 20001), l.link(65003, 20002)
	l.steer(sick, healthy)
	var offloads Offloads
	must(t, offloads.Disable("wire", []*Namespace{l.a, l.t}))
	return l, sick, healthy
}

// sampled is a rule for one direction of a link that hits a sample.
func sampled(l *lab, k *link, direction Direction, verdict Verdict, sample Sample) Placement {
	place := map[Direction]func(*lab, Verdict, ...*link) Placement{Upstream: upstream, Downstream: downstream}[direction](l, verdict, k)
	place.Rule.Sample = sample
	return place
}

// moved is how to send many packets in a direction.
var moved = map[Direction]func(*lab, *link, int, time.Duration) error{Upstream: (*lab).upload, Downstream: (*lab).download}

func (d Direction) String() string {
	return map[Direction]string{Upstream: "upstream", Downstream: "downstream"}[d]
}

// binomial says that hits of seen can be had with a chance of p: within five standard
// deviations, one run in a million and a half.
func binomial(hits, seen uint64, p float64) error {
	n := float64(seen)
	if off := math.Abs(float64(hits) - n*p); off > 5*math.Sqrt(n*p*(1-p)) || seen < 500 {
		return fmt.Errorf("hit %d of %d packets, %.1f were asked for", hits, seen, n*p)
	}
	return nil
}

func TestLoss(t *testing.T) {
	for _, direction := range []Direction{Upstream, Downstream} {
		for name, sample := range map[string]Sample{
			"independent": {PerMillion: 50_000},
			"in bursts":   {PerMillion: 50_000, Burst: 3},
		} {
			t.Run(fmt.Sprintf("%s %s", direction, name), func(t *testing.T) {
				l, sick, healthy := wired(t)
				var book Rulebook
				must(t, book.Add("loss", []Placement{sampled(l, sick, direction, Drop, sample)}))
				must(t, moved[direction](l, sick, 2*megabyte, 2*soon))
				tally := one(t, &book, "loss")
				// Bursts of three make the count's spread wider, by the square root of 2*3-1.
				if err := binomial(tally.Packets, tally.Seen, 0.05); err != nil && name == "independent" || tally.Packets == 0 {
					t.Error(err)
				}
				must(t, moved[direction](l, healthy, megabyte, soon))
				if more := one(t, &book, "loss").Seen - tally.Seen; more > late {
					t.Errorf("the other link's packets were seen: %d more", more)
				}
				for range 2 {
					must(t, book.Remove("loss"))
				}
				must(t, moved[direction](l, sick, megabyte, soon))
				wantTables(t, l.t)
			})
		}
	}
}

// TestBursts sends numbered datagrams and looks at the gaps.
func TestBursts(t *testing.T) {
	l := newLab(t)
	const datagrams, share, burst = 40_000, 0.1, 5
	var book Rulebook
	must(t, book.Add("gaps", []Placement{{Namespace: l.t, Rule: Rule{
		Direction: Upstream, Peers: []netip.Addr{addressA}, UDP: []uint16{4006}, Verdict: Drop,
		Sample: Sample{PerMillion: share * million, Burst: burst},
	}}}))
	arrived := l.numbered(datagrams, 4006)
	var gaps []int
	last := -1
	for _, n := range arrived {
		if gap := n - last - 1; gap > 0 {
			gaps = append(gaps, gap)
		}
		last = n
	}
	lost := 0
	for _, gap := range gaps {
		lost += gap
	}
	// About 800 gaps of 5±4.5: the mean is off by 0.16 at one standard deviation.
	if mean := float64(lost) / float64(len(gaps)); math.Abs(mean-burst) > 0.8 {
		t.Errorf("%d gaps of %.2f on average, want %d", len(gaps), mean, burst)
	}
	if got := float64(lost) / datagrams; math.Abs(got-share) > 0.025 {
		t.Errorf("lost %.3f, want %.3f", got, share)
	}
}

// numbered sends numbered datagrams from A to T, slowly enough to lose none, and
// returns the numbers that arrive.
func (l *lab) numbered(n int, port uint16) (arrived []int) {
	l.tb.Helper()
	var server net.PacketConn
	must(l.tb, l.t.inside("listen", func() (err error) {
		server, err = net.ListenPacket("udp4", fmt.Sprintf(":%d", port))
		return err
	}))
	defer server.Close() //nolint:errcheck // the test is over
	must(l.tb, server.(*net.UDPConn).SetReadBuffer(4<<20))
	client, err := l.a.DialContext(l.tb.Context(), "udp", netip.AddrPortFrom(addressT, port).String())
	must(l.tb, err)
	defer client.Close() //nolint:errcheck // the test is over
	const window = 100
	buffer := make([]byte, 8)
	for sent := 0; sent < n; {
		for range window {
			binary.BigEndian.PutUint64(buffer, uint64(sent))
			_, err := client.Write(buffer)
			must(l.tb, err)
			sent++
		}
		must(l.tb, server.SetReadDeadline(time.Now().Add(time.Millisecond)))
		for {
			if _, _, err := server.ReadFrom(buffer); err != nil {
				break
			}
			arrived = append(arrived, int(binary.BigEndian.Uint64(buffer)))
		}
	}
	return arrived
}

// late is how many packets of a transfer that has ended may still be on the way.
const late = 10

// one reads the only rule's tally.
func one(t *testing.T, book *Rulebook, owner string) Tally {
	t.Helper()
	tallies, err := book.Counters(owner)
	must(t, err)
	if len(tallies) != 1 {
		t.Fatalf("%d tallies of %s, want one", len(tallies), owner)
	}
	return tallies[0]
}

// TestDropListIsRepeatable loses the same packets of each of three connections: of a
// conversation in which every word is a packet, the same words have to be said again.
func TestDropListIsRepeatable(t *testing.T) {
	for _, direction := range []Direction{Upstream, Downstream} {
		t.Run(direction.String(), func(t *testing.T) {
			l, sick, healthy := twoLinks(t)
			var book Rulebook
			place := sampled(l, sick, direction, Drop, Sample{Indices: []uint32{4, 7, 8}})
			must(t, book.Add("list", []Placement{place}))
			var first []int
			for round := range 3 {
				conn := l.dial(sick)
				var again []int
				for word := range 12 {
					start := time.Now()
					must(t, says(conn, fmt.Sprintf("%04d", word), soon))
					if time.Since(start) > 5*time.Millisecond { // a loss costs a timer of TCP's, 10 ms at least
						again = append(again, word)
					}
				}
				// Two that arrive on two processors at once can get one number, see byNumber.
				if tally := one(t, &book, "list"); tally.Packets < uint64(3*(round+1)) || tally.Packets > uint64(3*(round+1))+1 {
					t.Errorf("round %d: %d packets lost so far, want three of each connection", round, tally.Packets)
				}
				if round == 0 {
					first = again
				}
				if len(again) == 0 || !slices.Equal(first, again) && !loaded() {
					t.Errorf("round %d: words %v were late, in the first round %v", round, again, first)
				}
			}
			must(t, says(l.dial(healthy), "sibling", soon))
			for range 2 {
				must(t, book.Remove("list"))
			}
			must(t, book.Add("again", []Placement{place})) // marks of before do not count
			must(t, says(l.dial(sick), "fresh", soon))
		})
	}
}

// loaded says that words can be late for other reasons than a lost packet.
func loaded() bool {
	load, err := os.ReadFile("/proc/loadavg")
	var now float64
	_, err2 := fmt.Sscan(string(load), &now)
	return err != nil || err2 != nil || now > 1
}

// TestSampleComposes puts a list and bursts, which both use a connection's mark, on one
// link.
func TestSampleComposes(t *testing.T) {
	l, sick, _ := wired(t)
	var book Rulebook
	must(t, book.Add("loss", []Placement{sampled(l, sick, Upstream, Drop, Sample{PerMillion: 20_000, Burst: 2})}))
	must(t, book.Add("list", []Placement{sampled(l, sick, Upstream, Drop, Sample{Indices: []uint32{2, 30, 60}})}))
	must(t, l.upload(sick, megabyte, 2*soon))
	loss, list := one(t, &book, "loss"), one(t, &book, "list")
	if loss.Packets == 0 || list.Packets < 3 || list.Packets > 4 {
		t.Errorf("lost %d by chance and %d by number, want some and 3", loss.Packets, list.Packets)
	}
}

func TestDuplicate(t *testing.T) {
	for _, direction := range []Direction{Upstream, Downstream} {
		t.Run(direction.String(), func(t *testing.T) {
			l, sick, healthy := wired(t)
			receiver, other := l.t, l.a
			place := Placement{Namespace: l.a, Rule: Rule{Direction: Upstream, Leaving: true, Originals: []netip.AddrPort{sick.server}, Verdict: Duplicate}}
			if direction == Downstream {
				receiver, other = l.a, l.t
				place = Placement{Namespace: l.t, Rule: Rule{Direction: Downstream, Leaving: true, Ports: []uint16{sick.listener.Port()}, Verdict: Duplicate}}
			}
			var book Rulebook
			must(t, book.Add("twice", []Placement{place}))
			before, spared := figure(t, receiver, "TCPDSACKOldSent"), figure(t, other, "TCPDSACKOldSent")
			must(t, moved[direction](l, sick, megabyte, soon))
			tally := one(t, &book, "twice")
			// Packets leave as long ones, which are cut behind the rule.
			if again := figure(t, receiver, "TCPDSACKOldSent") - before; tally.Bytes < megabyte || again < 300 {
				t.Errorf("%d bytes were sent twice, %d packets were told to have come twice", tally.Bytes, again)
			}
			must(t, moved[direction](l, healthy, megabyte, soon))
			if more := one(t, &book, "twice").Packets - tally.Packets; more > late {
				t.Errorf("the other link's packets were sent twice: %d", more)
			}
			// Acknowledgements that come twice need no answer.
			if again := figure(t, other, "TCPDSACKOldSent") - spared; again > 20 {
				t.Errorf("%d packets came twice against the direction", again)
			}
			for range 2 {
				must(t, book.Remove("twice"))
			}
		})
	}
}

func TestCorrupt(t *testing.T) {
	for _, direction := range []Direction{Upstream, Downstream} {
		t.Run(direction.String(), func(t *testing.T) {
			l, sick, healthy := wired(t)
			receiver := map[Direction]*Namespace{Upstream: l.t, Downstream: l.a}[direction]
			var book Rulebook
			must(t, book.Add("noise", []Placement{{Namespace: receiver, Rule: Rule{
				Direction: direction, Ports: []uint16{sick.listener.Port()}, Verdict: Corrupt, Sample: Sample{PerMillion: 50_000},
			}}}))
			before := figure(t, receiver, "InCsumErrors")
			must(t, moved[direction](l, sick, megabyte, 2*soon))
			tally := one(t, &book, "noise")
			if found := figure(t, receiver, "InCsumErrors") - before; found == 0 || found > tally.Packets {
				t.Errorf("%d packets were corrupted, %d found out", tally.Packets, found)
			}
			must(t, binomial(tally.Packets, tally.Seen, 0.05))
			must(t, moved[direction](l, healthy, megabyte, soon))
			for range 2 {
				must(t, book.Remove("noise"))
			}
		})
	}
}

// figure reads a number of /proc/net/snmp or netstat, Tcp: or TcpExt:.
func figure(t *testing.T, n *Namespace, name string) (value uint64) {
	t.Helper()
	must(t, n.inside("read figures", func() error {
		for _, file := range []string{"snmp", "netstat"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil {
				return err
			}
			lines := strings.Split(string(text), "\n")
			for i := 0; i+1 < len(lines); i += 2 {
				names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
				if k := slices.Index(names, name); k > 0 && strings.HasPrefix(names[0], "Tcp") {
					_, err := fmt.Sscan(values[k], &value)
					return err
				}
			}
		}
		return fmt.Errorf("no figure %s", name)
	}))
	return value
}
