//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestSpoofBitesItsNamesOnlyAndHeals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoof Spoof
		want  string
	}{
		"silence":  {Spoof{Answer: AnswerSilence}, string(TimedOut)},
		"servfail": {Spoof{Answer: AnswerServFail}, "SERVFAIL"},
		"nxdomain": {Spoof{Answer: AnswerNXDomain}, "NXDOMAIN"},
		"address":  {Spoof{Answer: AnswerAddress, Addresses: []netip.Addr{lie}}, lie.String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick, resolver := newResolved(t, "sick")
			also, _ := newResolved(t, "also")
			sibling, _ := newResolved(t, "sibling")
			wantHeard(t, sick, "origin.test.", truth.String())
			before := resolver.questions.Load()

			var spoofs Spoofs
			c.spoof.Names = []string{"Origin.test", "manager.test."}
			must(t, spoofs.Add("names", []*Namespace{sick, also, also}, c.spoof))
			wantTables(t, sick, "ip docker", "ip fb-names")
			wantHeard(t, sick, "origin.test.", c.want)
			wantHeard(t, sick, "oRIGIN.TEST.", c.want)
			wantHeard(t, sick, "manager.test.", c.want)
			wantHeard(t, also, "origin.test.", c.want)
			wantAsked(t, &spoofs, "names", 8)
			if after := resolver.questions.Load(); after != before {
				t.Errorf("%d of the questions reached the resolver", after-before)
			}
			wantHeard(t, sick, "other.test.", truth.String())
			wantHeard(t, sick, "more.origin.test.", truth.String())
			wantHeard(t, sick, "absent.test.", "NXDOMAIN")
			wantHeard(t, sibling, "origin.test.", truth.String())
			wantAsked(t, &spoofs, "names", 8)

			must(t, spoofs.Remove("names"))
			for _, n := range []*Namespace{sick, also} {
				wantHeard(t, n, "origin.test.", truth.String())
				wantTables(t, n, "ip docker")
			}
			must(t, spoofs.Remove("names"))
			wantAsked(t, &spoofs, "names", 0)
		})
	}
}

func TestSlowSpoofDelaysTheTruth(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	const delay = time.Second
	took := func(network, name string) time.Duration {
		start := time.Now()
		if got := heard(ask(t, sick, network, embedded, question(name), soon)); got != truth.String() {
			t.Errorf("%s by %s: %s, want the truth", name, network, got)
		}
		return time.Since(start)
	}
	var spoofs Spoofs
	must(t, spoofs.Add("slow", []*Namespace{sick}, Spoof{Names: []string{"origin.test"}, Answer: AnswerSlow, Delay: delay}))
	for _, network := range []string{"udp", "tcp"} {
		if got := took(network, "origin.test."); got < delay*3/4 {
			t.Errorf("by %s: %s, want about %s", network, got, delay)
		}
		if got := took(network, "other.test."); got > delay*3/4 {
			t.Errorf("another name by %s: %s", network, got)
		}
	}
	wantAsked(t, &spoofs, "slow", 2)
	must(t, spoofs.Remove("slow"))
	if got := took("udp", "origin.test."); got > delay*3/4 {
		t.Errorf("healed: %s", got)
	}
}

// Whoever is held back when the fault ends has its answer then, and the end does not
// wait for the delay, nor for a resolver that is silent.
func TestSlowSpoofEndsWithAnswers(t *testing.T) {
	t.Parallel()
	sick, resolver := newResolved(t, "sick")
	var spoofs Spoofs
	must(t, spoofs.Add("slow", []*Namespace{sick}, Spoof{Answer: AnswerSlow, Delay: 2 * soon}))
	answers := map[string]chan string{"udp": make(chan string, 1), "tcp": make(chan string, 1)}
	for network, answer := range answers {
		go func() { answer <- heard(ask(t, sick, network, embedded, question("origin.test."), soon)) }()
		go func() { _, _ = ask(t, sick, network, embedded, question("silent.test."), soon) }()
	}
	eventually(t, "all have asked", func() bool {
		asked, err := spoofs.Asked("slow")
		return err == nil && asked == 4
	})
	if resolver.questions.Load() != 0 {
		t.Error("the resolver was asked at once")
	}
	start := time.Now()
	must(t, spoofs.Remove("slow"))
	if took := time.Since(start); took > questionsWithin+soon/2 {
		t.Errorf("the end took %s", took)
	}
	for network, answer := range answers {
		if got := <-answer; got != truth.String() {
			t.Errorf("held back by %s: %s, want the truth", network, got)
		}
	}
}

// Nor does it wait for clients that do not read.
func TestSpoofEndsWhileAClientDoesNotRead(t *testing.T) {
	t.Parallel()
	sick, resolver := newResolved(t, "sick")
	var spoofs Spoofs
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Names: []string{"origin.test"}, Answer: AnswerNXDomain}))
	conn, err := sick.dial(t.Context(), socketOption(unix.SOL_SOCKET, unix.SO_RCVBUF, 1), "tcp", embedded.String())
	must(t, err)
	defer conn.Close() //nolint:errcheck // nobody reads it
	go func() {
		for over := (&dns.Conn{Conn: conn}); over.WriteMsg(question("huge.test.")) == nil; {
		}
	}()
	stuck := int64(0)
	eventually(t, "the answers are in nobody's hands", func() bool {
		before := stuck
		<-time.After(silence)
		stuck = resolver.questions.Load()
		return stuck > 0 && stuck == before
	})
	start := time.Now()
	must(t, spoofs.Remove("names"))
	if took := time.Since(start); took > readWithin+soon/2 {
		t.Errorf("the end took %s", took)
	}
	wantSockets(t, sick, 2)
}

func TestSpoofOfAllNames(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	var spoofs Spoofs
	must(t, spoofs.Add("all", []*Namespace{sick}, Spoof{Answer: AnswerNXDomain}))
	for _, name := range []string{"origin.test.", "other.test.", "."} {
		wantHeard(t, sick, name, "NXDOMAIN")
	}
	must(t, spoofs.Remove("all"))
	wantHeard(t, sick, "origin.test.", truth.String())
}

// Spoofed addresses are the name's only records, in their order, and nobody's to keep.
func TestSpoofedAddressesAreTheOnlyRecords(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	var spoofs Spoofs
	must(t, spoofs.Add("address", []*Namespace{sick}, Spoof{Names: []string{"origin.test"}, Answer: AnswerAddress, Addresses: []netip.Addr{lie, truth}}))
	wantHeard(t, sick, "origin.test.", lie.String()+", "+truth.String())
	for kind, records := range map[uint16]int{dns.TypeA: 2, dns.TypeANY: 2, dns.TypeAAAA: 0, dns.TypeMX: 0, dns.TypeHTTPS: 0} {
		q := new(dns.Msg).SetQuestion("origin.test.", kind)
		q.SetEdns0(1232, true)
		answer, err := ask(t, sick, "udp", embedded, q, soon)
		must(t, err)
		if answer.Rcode != dns.RcodeSuccess || len(answer.Answer) != records || len(answer.Ns) != 0 || !answer.RecursionAvailable {
			t.Errorf("asked for %s: %v, want %d records", dns.TypeToString[kind], answer, records)
		}
		if extended := answer.IsEdns0(); extended == nil || !extended.Do() {
			t.Errorf("asked for %s with EDNS, got %v", dns.TypeToString[kind], answer)
		}
		for _, record := range answer.Answer {
			if record.Header().Ttl != 0 {
				t.Errorf("%v may be kept", record)
			}
		}
		q.Extra = nil
		if answer, err = ask(t, sick, "udp", embedded, q, soon); err != nil || answer.IsEdns0() != nil {
			t.Errorf("asked without EDNS: %v, %v", answer, err)
		}
	}
}

// What is not spoofed goes to whom it was meant for, and comes back as it was.
func TestSpoofPassesOnToTheResolverThatWasAsked(t *testing.T) {
	l := newLab(t)
	inside, outside := serveNames(t, l.a, embedded.Addr().String()+":0"), serveNames(t, l.b, addressB.String()+":53")
	inside.hide(t, l.a)
	elsewhere, nobody := netip.AddrPortFrom(addressB, 53), netip.AddrPortFrom(addressT, 53)
	impostor, err := newImpostor(l.a, "names", 1, Spoof{Names: []string{"origin.test"}, Answer: AnswerServFail})
	must(t, err)
	impostor.resolvers = append(impostor.resolvers, addressB, addressT, addressB)
	must(t, impostor.Begin())

	for _, network := range []string{"udp", "tcp"} {
		before := [2]int64{inside.questions.Load(), outside.questions.Load()}
		if got := heard(ask(t, l.a, network, elsewhere, question("origin.test."), soon)); got != "SERVFAIL" {
			t.Errorf("by %s: %s, want the spoof to stand in for any resolver", network, got)
		}
		if got := heard(ask(t, l.a, network, elsewhere, question("other.test."), soon)); got != truth.String() {
			t.Errorf("by %s: %s, want the truth", network, got)
		}
		if inside.questions.Load() != before[0] || outside.questions.Load() != before[1]+1 {
			t.Errorf("by %s: asked %d, %d times, were %v", network, inside.questions.Load(), outside.questions.Load(), before)
		}
		// Nobody is there, and that is a failure, which a resolver's silence is not.
		if got := heard(ask(t, l.a, network, nobody, question("other.test."), soon)); got != "SERVFAIL" {
			t.Errorf("nobody asked by %s: %s", network, got)
		}
		if got := heard(ask(t, l.a, network, elsewhere, question("silent.test."), silence)); got != string(TimedOut) {
			t.Errorf("a silent one asked by %s: %s", network, got)
		}
	}
	large := question("large.test.")
	answer, err := ask(t, l.a, "udp", embedded, large, soon)
	must(t, err)
	if !answer.Truncated || len(answer.Answer) == 100 {
		t.Errorf("more than a datagram holds came as %d records, truncated: %t", len(answer.Answer), answer.Truncated)
	}
	if answer, err = ask(t, l.a, "tcp", embedded, large, soon); err != nil || len(answer.Answer) != 100 {
		t.Errorf("by tcp: %v (%v), want all records", answer, err)
	}
	large.SetEdns0(8192, true)
	answer, err = ask(t, l.a, "udp", embedded, large, soon)
	must(t, err)
	if answer.Truncated || len(answer.Answer) != 100 || answer.IsEdns0() == nil || answer.IsEdns0().UDPSize() != 8192 || !answer.IsEdns0().Do() {
		t.Errorf("with room for it: %d records, truncated: %t, %v", len(answer.Answer), answer.Truncated, answer.IsEdns0())
	}
}

// Docker's resolver asks others from inside the namespace, and is to hear the truth.
func TestSpoofSparesResolversThatAreNotTheNodes(t *testing.T) {
	l := newLab(t)
	serveNames(t, l.a, embedded.Addr().String()+":0").hide(t, l.a)
	serveNames(t, l.b, addressB.String()+":53")
	var spoofs Spoofs
	must(t, spoofs.Add("names", []*Namespace{l.a}, Spoof{Answer: AnswerServFail}))
	wantHeard(t, l.a, "origin.test.", "SERVFAIL")
	for _, network := range []string{"udp", "tcp"} {
		if got := heard(ask(t, l.a, network, netip.AddrPortFrom(addressB, 53), question("origin.test."), soon)); got != truth.String() {
			t.Errorf("another resolver asked by %s: %s, want the truth", network, got)
		}
	}
	must(t, spoofs.Remove("names"))
}

// Some clients keep their socket. The kernel asks its rules about a socket's first
// packet only.
func TestSpoofIsNotSparedByASocketThatAskedBefore(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	conn, err := sick.DialContext(t.Context(), "udp", embedded.String())
	must(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	want := func(when, want string) {
		t.Helper()
		if got := heard(askOver(conn, question("origin.test."), soon)); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	var spoofs Spoofs
	want("before", truth.String())
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerNXDomain}))
	want("during", "NXDOMAIN")
	must(t, spoofs.Remove("names"))
	want("after", truth.String())
}

func TestSpoofsOfOwnersCompose(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	both := []*Namespace{sick}
	var spoofs Spoofs
	must(t, spoofs.Add("all", both, Spoof{Answer: AnswerServFail}))
	must(t, spoofs.Add("one", both, Spoof{Names: []string{"origin.test"}, Answer: AnswerNXDomain}))
	must(t, spoofs.Add("another", both, Spoof{Names: []string{"manager.test"}, Answer: AnswerAddress, Addresses: []netip.Addr{lie}}))
	wantHeard(t, sick, "origin.test.", "NXDOMAIN")
	wantHeard(t, sick, "manager.test.", lie.String())
	wantHeard(t, sick, "other.test.", "SERVFAIL")
	wantAsked(t, &spoofs, "all", 2)

	must(t, spoofs.Remove("one"))
	wantHeard(t, sick, "origin.test.", "SERVFAIL")
	wantHeard(t, sick, "manager.test.", lie.String())
	must(t, spoofs.Remove("all"))
	wantHeard(t, sick, "manager.test.", lie.String())
	wantHeard(t, sick, "origin.test.", truth.String())
	must(t, spoofs.Add("slow", both, Spoof{Answer: AnswerSlow, Delay: time.Millisecond}))
	wantHeard(t, sick, "manager.test.", lie.String())
	wantAsked(t, &spoofs, "slow", 2)
	must(t, spoofs.Remove("another"))
	must(t, spoofs.Remove("slow"))
	wantHeard(t, sick, "manager.test.", truth.String())
	wantTables(t, sick, "ip docker")
}

func TestSpoofOfTheSameOwnerTwiceIsRefused(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	var spoofs, theirs Spoofs
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerNXDomain}))
	err := spoofs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerServFail})
	if !errors.Is(err, ErrOwnerExists) || !strings.Contains(err.Error(), "spoofs names already") {
		t.Errorf("second add: %v, want ErrOwnerExists in words of its own", err)
	}
	wantHeard(t, sick, "origin.test.", "NXDOMAIN")

	// A table of that name that is not in this book stays.
	if err := theirs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerServFail}); !errors.Is(err, unix.EEXIST) {
		t.Errorf("add: %v, want EEXIST", err)
	}
	must(t, theirs.Remove("names"))
	wantHeard(t, sick, "origin.test.", "NXDOMAIN")
	must(t, spoofs.Remove("names"))
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerServFail}))
	wantHeard(t, sick, "origin.test.", "SERVFAIL")
}

func TestPartialSpoofLeavesNothing(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	gone := Attach("gone", newNamespace(t))
	gone.Close()
	var spoofs Spoofs
	for _, namespaces := range [][]*Namespace{{sick, gone}, {gone, sick}} {
		if err := spoofs.Add("names", namespaces, Spoof{Answer: AnswerNXDomain}); !errors.Is(err, ErrGone) {
			t.Errorf("add: %v, want ErrGone", err)
		}
		wantHeard(t, sick, "origin.test.", truth.String())
		wantTables(t, sick, "ip docker")
		wantSockets(t, sick, 2)
	}
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Answer: AnswerNXDomain}))
}

func TestSpoofForgivesANamespaceThatIsGone(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	gone, _ := newResolved(t, "gone")
	var spoofs Spoofs
	must(t, spoofs.Add("names", []*Namespace{sick, gone}, Spoof{Answer: AnswerNXDomain}))
	wantHeard(t, gone, "origin.test.", "NXDOMAIN")
	gone.Close()
	wantAsked(t, &spoofs, "names", 2)
	must(t, spoofs.Remove("names"))
	wantHeard(t, sick, "origin.test.", truth.String())
}

// Not side by side with others: it counts what runs.
func TestSpoofLeavesNothingRunning(t *testing.T) {
	sick, _ := newResolved(t, "sick")
	gone, _ := newResolved(t, "gone")
	others := goleak.IgnoreCurrent()
	wantSockets(t, sick, 2)
	var spoofs Spoofs
	for _, spoof := range []Spoof{
		{Answer: AnswerSilence}, {Answer: AnswerSlow, Delay: 2 * soon}, {Answer: AnswerNXDomain, Names: []string{"origin.test"}},
	} {
		must(t, spoofs.Add("names", []*Namespace{sick}, spoof))
		wantSockets(t, sick, 5)
		for _, network := range []string{"udp", "tcp"} {
			if got := heard(ask(t, sick, network, embedded, question("silent.test."), silence)); got != string(TimedOut) {
				t.Errorf("by %s under %s: %s", network, spoof.Answer, got)
			}
		}
		must(t, spoofs.Remove("names"))
		wantSockets(t, sick, 2)
		if err := goleak.Find(others); err != nil {
			t.Errorf("after %s: %v", spoof.Answer, err)
		}
	}

	// The end of a namespace is that of what runs there, before anybody removes it.
	must(t, spoofs.Add("gone", []*Namespace{gone}, Spoof{Answer: AnswerSilence}))
	handle, err := unix.Dup(int(gone.handle.Fd()))
	must(t, err)
	afterlife := Attach("afterlife", os.NewFile(uintptr(handle), "namespace"))
	defer afterlife.Close()
	gone.Close()
	if err := goleak.Find(others); err != nil {
		t.Errorf("after the namespace: %v", err)
	}
	wantSockets(t, afterlife, 2)
	must(t, spoofs.Remove("gone"))
}

func TestSpoofIsSeenByADNSProbe(t *testing.T) {
	t.Parallel()
	sick, _ := newResolved(t, "sick")
	var spoofs Spoofs
	must(t, spoofs.Add("names", []*Namespace{sick}, Spoof{Names: []string{"origin"}, Answer: AnswerServFail}))
	for name, want := range map[string]Outcome{"origin": ServFail, "manager": OK} {
		got := sick.Probe(t.Context(), Probe{Target: embedded, Protocol: "dns", Path: name, Timeout: soon})
		if got.Outcome != want {
			t.Errorf("asked for %s: %+v, want %s", name, got, want)
		}
	}
}

func TestInvalidSpoofsAreRefused(t *testing.T) {
	for name, spoof := range map[string]Spoof{
		"no answer":        {},
		"another answer":   {Answer: "refuse"},
		"no address":       {Answer: AnswerAddress},
		"ipv6":             {Answer: AnswerAddress, Addresses: []netip.Addr{netip.MustParseAddr("::1")}},
		"needless address": {Answer: AnswerSilence, Addresses: []netip.Addr{lie}},
		"no delay":         {Answer: AnswerSlow},
		"back in time":     {Answer: AnswerSlow, Delay: -time.Second},
		"needless delay":   {Answer: AnswerNXDomain, Delay: time.Second},
		"empty name":       {Answer: AnswerSilence, Names: []string{"origin", ""}},
		"no name":          {Answer: AnswerSilence, Names: []string{"a..b"}},
	} {
		if spoof.Check() == nil || new(Spoofs).Add("owner", nil, spoof) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := new(Spoofs).Add("Upper", nil, Spoof{Answer: AnswerSilence}); err == nil {
		t.Error("an owner that is no part of a table's name was accepted")
	}
}

func wantAsked(t *testing.T, spoofs *Spoofs, owner string, want uint64) {
	t.Helper()
	if got, err := spoofs.Asked(owner); err != nil || got != want {
		t.Errorf("%s was asked %d questions (%v), want %d", owner, got, err, want)
	}
}

// wantSockets counts the sockets that wait for datagrams or connections, and those that
// talk with netfilter.
func wantSockets(t *testing.T, n *Namespace, want int) {
	t.Helper()
	got := 0
	must(t, n.inside("list sockets", func() error {
		for file, is := range map[string]func(fields []string) bool{
			"udp": func(fields []string) bool { return fields[3] == "07" },
			"tcp": func(fields []string) bool { return fields[3] == "0A" },
			"netlink": func(fields []string) bool {
				return fields[1] == strconv.Itoa(unix.NETLINK_NETFILTER) && fields[2] != "0"
			},
		} {
			list, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(list)) {
				if is(strings.Fields(line)) {
					got++
				}
			}
		}
		return nil
	}))
	if got != want {
		t.Errorf("%d sockets on %s, want %d", got, n.Name(), want)
	}
}
