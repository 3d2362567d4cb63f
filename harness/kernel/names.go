//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

// Answer says what becomes of a question that a spoof is about.
type Answer string

// The answers.
const (
	AnswerSilence  Answer = "silence"  // none
	AnswerServFail Answer = "servfail" // the resolver could not find out
	AnswerNXDomain Answer = "nxdomain" // there is no such name
	AnswerAddress  Answer = "address"  // Spoof.Addresses, and nothing else of any kind
	AnswerSlow     Answer = "slow"     // the true one, Spoof.Delay later
)

// Spoof says which DNS questions are answered in the resolver's place, and how.
type Spoof struct {
	// Names are asked for in any case of letters, with or without the dot at the end.
	// None stands for all.
	Names  []string
	Answer Answer
	// Addresses, of IPv4 and in this order, are for AnswerAddress, Delay for AnswerSlow.
	Addresses []netip.Addr
	Delay     time.Duration
}

// Check says what is wrong with the spoof, if anything is.
func (s Spoof) Check() error {
	for _, name := range s.Names {
		if _, ok := dns.IsDomainName(name); !ok {
			return fmt.Errorf("spoof: %q is no name", name)
		}
	}
	switch s.Answer {
	case AnswerSilence, AnswerServFail, AnswerNXDomain, AnswerAddress, AnswerSlow:
	default:
		return fmt.Errorf("spoof: answer %q is not one of silence, servfail, nxdomain, address, slow", s.Answer)
	}
	switch {
	case s.Answer == AnswerAddress && len(s.Addresses) == 0:
		return errors.New("spoof: answer address needs one")
	case s.Answer != AnswerAddress && len(s.Addresses) > 0:
		return fmt.Errorf("spoof: answer %s takes no address", s.Answer)
	case s.Answer == AnswerSlow && s.Delay <= 0:
		return fmt.Errorf("spoof: a delay of %s is none", s.Delay)
	case s.Answer != AnswerSlow && s.Delay != 0:
		return fmt.Errorf("spoof: answer %s takes no delay", s.Answer)
	}
	for _, address := range s.Addresses {
		if !address.Is4() {
			return fmt.Errorf("spoof: address %s is not IPv4", address)
		}
	}
	return nil
}

// spoofsAlready is an ErrOwnerExists that says of what.
type spoofsAlready string

func (owner spoofsAlready) Error() string {
	return fmt.Sprintf("owner %q spoofs names already", string(owner))
}

func (owner spoofsAlready) Is(target error) bool { return target == ErrOwnerExists }

// Spoofs knows who spoofs names where. The zero value is empty. Several owners may do
// so in one namespace: the last to come is asked first, and passes on what is not about
// its names.
type Spoofs struct {
	// adding lets one owner in at a time, so that layers are in force in their order.
	adding sync.Mutex

	mu   sync.Mutex
	held map[string]*spoofing
	// layer is that of the last owner to come; a later one has a higher layer.
	layer uint32
}

// spoofing is what one owner has in force. Its lock is held while that changes.
type spoofing struct {
	mu        sync.Mutex
	impostors map[*Namespace]*impostor
}

// Add answers questions in all of the namespaces, or nowhere and says why. Questions
// over TCP connections that are open already stay with the resolver.
func (s *Spoofs) Add(owner string, namespaces []*Namespace, spoof Spoof) error {
	if !owners.MatchString(owner) {
		return fmt.Errorf("owner %q: want 1 to 64 of a-z, 0-9 and -", owner)
	}
	if err := spoof.Check(); err != nil {
		return err
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	added := &spoofing{impostors: map[*Namespace]*impostor{}}
	added.mu.Lock()
	defer added.mu.Unlock()
	layer, entered := s.enter(owner, added)
	if !entered {
		return spoofsAlready(owner)
	}

	var group errgroup.Group
	var mu sync.Mutex
	once := map[*Namespace]bool{}
	for _, namespace := range namespaces {
		if once[namespace] {
			continue
		}
		once[namespace] = true
		group.Go(func() error {
			impostor, err := newImpostor(namespace, owner, layer, spoof)
			if err != nil {
				return err
			}
			// Before it is in force, so that one which half is can be undone.
			mu.Lock()
			added.impostors[namespace] = impostor
			mu.Unlock()
			return impostor.Begin()
		})
	}
	if err := group.Wait(); err != nil {
		return errors.Join(err, s.clear(owner, added))
	}
	return nil
}

// Remove ends exactly what Add began for the owner, and returns when nothing of it is
// left. An owner that has nothing is no error, and neither is a namespace that is gone.
// What could not be undone is kept for another try.
func (s *Spoofs) Remove(owner string) error {
	held := s.of(owner)
	if held == nil {
		return nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	return s.clear(owner, held)
}

// Asked counts the questions that the owner's spoof was about: it answered them, kept
// silent on them or held them back. An owner without any has heard nothing.
func (s *Spoofs) Asked(owner string) (uint64, error) {
	held := s.of(owner)
	if held == nil {
		return 0, nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	var questions uint64
	for _, impostor := range held.impostors {
		asked, err := impostor.Asked()
		if err != nil {
			return 0, err
		}
		questions += asked
	}
	return questions, nil
}

func (s *Spoofs) of(owner string) *spoofing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[owner]
}

func (s *Spoofs) enter(owner string, added *spoofing) (layer uint32, entered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[string]*spoofing{}
	}
	if s.held[owner] != nil {
		return 0, false
	}
	s.held[owner] = added
	s.layer++
	return s.layer, true
}

// clear ends the owner's spoofing; the caller holds its lock.
func (s *Spoofs) clear(owner string, held *spoofing) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for namespace, impostor := range maps.Clone(held.impostors) {
		wait.Go(func() {
			err := impostor.End()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, err)
				return
			}
			delete(held.impostors, namespace)
		})
	}
	wait.Wait()
	if failed != nil {
		return failed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[owner] == held {
		delete(s.held, owner)
	}
	return nil
}
