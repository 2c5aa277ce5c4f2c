package ingest

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// A sender that writes our answer back onto its lead waits for what becomes of it, but not long: most is decided in milliseconds, and
// what comes later it hears with the lead's next event.
const (
	standingWithin = 2 * time.Second
	// assignedWithin is how much of it is waited for what an event leads to, and for a lead that is being handed off to have an owner.
	assignedWithin = time.Second
	// remembered bounds how many leads are known by heart, twice.
	remembered = 50_000
)

// standing is how a lead stands: what is answered to senders that write it back.
type standing struct {
	Lead  string  `json:"lead_id,omitempty"`
	Stage string  `json:"stage,omitempty"`
	Score float64 `json:"score"`
	Grade string  `json:"grade,omitempty"`
	Owner string  `json:"owner,omitempty"`

	handed bool // a handoff is under way, so an owner comes
}

// standings reads along what scoring and handoff say. It is a memory and nothing else: a door that has just started knows nobody.
type standings struct {
	mu sync.Mutex
	// leads by id, people by a digest of their strongest identifier; two generations, the older of which is forgotten at once.
	leads, olderLeads   map[string]standing
	people, olderPeople map[string]string
	// waiting are those who ask for the outcome of an event, by the cause that will be named.
	waiting map[string]*wait
	// changed is closed and made anew with each word.
	changed chan struct{}
}

// wait is for what becomes of one event.
type wait struct {
	person string
	asking int // requests: the same event may be sent twice at once
	heard  bool
}

func newStandings() *standings {
	return &standings{leads: map[string]standing{}, people: map[string]string{}, waiting: map[string]*wait{}, changed: make(chan struct{})}
}

// hear takes in one event.
func (s *standings) hear(e *eventv1.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := s.lead(e.GetLead())
	now.Lead = e.GetLead()
	switch body := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		staged := body.LeadStaged
		now.Stage, now.Score, now.Grade = staged.GetTo(), staged.GetScore(), staged.GetGrade()
		now.handed = now.handed || staged.GetHandoff()
		if w := s.waiting[e.GetCause()]; w != nil {
			s.people[w.person], w.heard = e.GetLead(), true
		}
	case *eventv1.Event_HandoffAssigned:
		now.Owner, now.handed = body.HandoffAssigned.GetTerms().GetRep(), false
	case *eventv1.Event_HandoffWaiting:
		now.handed = false // nobody is free: waiting on is for the next event
	case *eventv1.Event_HandoffReleased:
		now.Owner = ""
	case *eventv1.Event_LeadErased:
		now = standing{}
	default:
		return
	}
	if !known && len(s.leads) >= remembered || len(s.people) > remembered { // a lead may have been known under many names
		s.leads, s.olderLeads = map[string]standing{}, s.leads
		s.people, s.olderPeople = map[string]string{}, s.people
	}
	s.leads[e.GetLead()] = now
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *standings) lead(id string) (standing, bool) {
	if st, ok := s.leads[id]; ok {
		return st, true
	}
	st, ok := s.olderLeads[id]
	return st, ok
}

func (s *standings) of(person string) (standing, bool) {
	id, ok := s.people[person]
	if !ok {
		if id, ok = s.olderPeople[person]; !ok {
			return standing{}, false
		}
		s.people[person] = id
	}
	st, ok := s.lead(id)
	return st, ok && st.Lead != ""
}

// expect says before an event is stored that its outcome will be asked for, and returns how to ask, and what to call in the end. Who
// sends an id that is on its way for somebody else hears nothing: only one of the two events will stand.
func (s *standings) expect(source, id, key string) (ask func(context.Context) (standing, bool), forget func()) {
	cause, person := event.DerivedID(source, id), event.DerivedID(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[cause]
	switch {
	case w == nil:
		w = &wait{person: person}
		s.waiting[cause] = w
	case w.person != person:
		return func(context.Context) (standing, bool) { return standing{}, false }, func() {}
	}
	w.asking++
	ask = func(ctx context.Context) (standing, bool) { return s.await(ctx, w) }
	forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.asking--; w.asking == 0 {
			delete(s.waiting, cause)
		}
	}
	return ask, forget
}

// await waits until the event was heard of and its lead has an owner. What is known of somebody who was here before is answered after a
// short while: not every event changes anything.
func (s *standings) await(ctx context.Context, w *wait) (standing, bool) {
	ctx, cancel := context.WithTimeout(ctx, standingWithin)
	defer cancel()
	settled := time.NewTimer(assignedWithin)
	defer settled.Stop()
	old := false
	for {
		s.mu.Lock()
		st, ok := s.of(w.person)
		changed, heard := s.changed, w.heard
		s.mu.Unlock()
		if ok && (old || (heard && !st.handed && st.Owner != "")) {
			return st, true
		}
		select {
		case <-changed:
		case <-settled.C:
			old = true
		case <-ctx.Done():
			return st, ok
		}
	}
}

// json is the answer with what is known.
func (st standing) json() []byte {
	out, err := json.Marshal(struct {
		Accepted int `json:"accepted"`
		standing
	}{1, st})
	if err != nil {
		return []byte(`{"accepted":1}` + "\n") // of texts and a number
	}
	return append(out, '\n')
}
