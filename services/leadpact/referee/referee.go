// Package referee judges from outside: it looks at the events that pass by, computes by itself when each promise was due, and
// counts what must not happen. It shares no code with the services, nor with the calendar that they compute with.
package referee

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Verdict is what the referee counted.
type Verdict struct {
	Assignments struct {
		Made       int `json:"made"`
		Reassigned int `json:"reassigned"`
		Double     int `json:"double"`
	} `json:"assignments"`
	Clocks struct {
		Started   int `json:"started"`
		Met       int `json:"met"`
		Breached  int `json:"breached"`
		Cancelled int `json:"cancelled"`
		Open      int `json:"open"`
		// Corrected clocks are among those breached: a witness reported late that the promise had been kept, or it had been withdrawn.
		Corrected int `json:"corrected"`
		// Misdated clocks carry another due time than the referee's.
		Misdated int `json:"misdated"`
		// Contradicted clocks ended in two ways, were met when they were due already, or were corrected without a breach, twice, or by
		// what was not done in their time.
		Contradicted int `json:"contradicted"`
		// Overdue clocks are open although their due time has passed.
		Overdue int `json:"overdue"`
	} `json:"clocks"`
	Breaches struct {
		Early     int `json:"early"`
		Duplicate int `json:"duplicate"`
	} `json:"breaches"`
	Latency struct {
		WebhookToAssigned Quantiles `json:"webhook_to_assigned_ms"`
		BreachLateness    Quantiles `json:"breach_lateness_ms"`
	} `json:"latency"`
	// Faults are examples of what must not happen.
	Faults []string `json:"faults,omitempty"`
}

// Quantiles of a set of milliseconds.
type Quantiles struct {
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
	Count int     `json:"count"`
}

// Clean says whether nothing happened that must not.
func (v Verdict) Clean() bool {
	return v.Assignments.Double+v.Clocks.Misdated+v.Clocks.Contradicted+v.Clocks.Overdue+v.Breaches.Early+v.Breaches.Duplicate == 0
}

// Referee is safe for concurrent use.
type Referee struct {
	hours map[string]Hours

	mu    sync.Mutex
	seen  map[string]bool   // events, by source and id: a stream may repeat one
	owner map[string]string // lead -> live assignment
	clock map[string]*watched
	v     Verdict
	toRep []float64
	late  []float64
}

// watched is one clock as the referee knows it.
type watched struct {
	due       time.Time
	verdict   string
	breaches  int
	corrected bool
}

// New returns a referee who knows the calendars by name; "always" need not be among them.
func New(hours map[string]Hours) *Referee {
	hours = maps.Clone(hours)
	if hours == nil {
		hours = map[string]Hours{}
	}
	hours["always"] = Hours{Always: true}
	return &Referee{hours: hours, seen: map[string]bool{}, owner: map[string]string{}, clock: map[string]*watched{}}
}

// See takes events in the order of their stream; at is when the log stored them, by the log's own clock.
func (r *Referee) See(events []*eventv1.Event, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		key := e.GetSource() + "\n" + e.GetId()
		if r.seen[key] {
			continue
		}
		r.seen[key] = true
		r.see(e, at)
	}
}

func (r *Referee) see(e *eventv1.Event, at time.Time) {
	switch b := e.GetBody().(type) {
	case *eventv1.Event_HandoffAssigned:
		r.assigned(e, b.HandoffAssigned)
	case *eventv1.Event_HandoffReleased:
		if a := b.HandoffReleased.GetTerms().GetAssignment(); r.owner[e.GetLead()] == a {
			delete(r.owner, e.GetLead())
		}
	case *eventv1.Event_ClockStarted:
		r.started(b.ClockStarted.GetClock())
	case *eventv1.Event_ClockMet:
		if c := r.ended(b.ClockMet.GetClock(), "met"); c != nil && !micros(b.ClockMet.GetStoppedAt()).Before(c.due) {
			r.v.Clocks.Contradicted++
			r.fault("clock %s was met when it was due already", b.ClockMet.GetClock().GetId())
		}
	case *eventv1.Event_ClockBreached:
		r.breached(e, b.ClockBreached.GetClock(), at)
	case *eventv1.Event_ClockCorrected:
		r.corrected(b.ClockCorrected)
	case *eventv1.Event_ClockCancelled:
		r.ended(b.ClockCancelled.GetClock(), "cancelled")
	}
}

func (r *Referee) assigned(e *eventv1.Event, a *eventv1.HandoffAssigned) {
	r.v.Assignments.Made++
	if a.GetN() > 1 {
		r.v.Assignments.Reassigned++
	} else {
		r.toRep = append(r.toRep, ms(micros(e.GetRecordedAt()).Sub(micros(a.GetReceivedAt()))))
	}
	if live := r.owner[e.GetLead()]; live != "" && live != a.GetTerms().GetAssignment() {
		r.v.Assignments.Double++
		r.fault("lead %s was given away as %s while %s lived", e.GetLead(), a.GetTerms().GetAssignment(), live)
	}
	r.owner[e.GetLead()] = a.GetTerms().GetAssignment()
}

func (r *Referee) started(c *eventv1.Clock) {
	r.v.Clocks.Started++
	w := r.of(c)
	h, known := r.hours[c.GetCalendar()]
	if !known {
		r.v.Clocks.Misdated++
		r.fault("clock %s runs on the calendar %q, which the referee was not told of", c.GetId(), c.GetCalendar())
		return
	}
	due, ok := h.due(micros(c.GetStartedAt()), time.Duration(c.GetWithin())*time.Microsecond)
	if !ok || !due.Equal(micros(c.GetDueAt())) {
		r.v.Clocks.Misdated++
		r.fault("clock %s is due at %s, the referee says %s", c.GetId(), micros(c.GetDueAt()), due)
	}
	w.due = due
}

// ended notes how a clock ended; a second, other end is a contradiction.
func (r *Referee) ended(c *eventv1.Clock, verdict string) *watched {
	w := r.of(c)
	if w.verdict != "" && w.verdict != verdict {
		r.v.Clocks.Contradicted++
		r.fault("clock %s was %s and %s", c.GetId(), w.verdict, verdict)
		return w
	}
	if w.verdict == "" {
		switch verdict {
		case "met":
			r.v.Clocks.Met++
		case "breached":
			r.v.Clocks.Breached++
		default:
			r.v.Clocks.Cancelled++
		}
	}
	w.verdict = verdict
	return w
}

func (r *Referee) breached(e *eventv1.Event, c *eventv1.Clock, at time.Time) {
	w := r.ended(c, "breached")
	if w.breaches++; w.breaches > 1 {
		r.v.Breaches.Duplicate++
		r.fault("clock %s was breached %d times", c.GetId(), w.breaches)
	}
	recorded := micros(e.GetRecordedAt())
	if recorded.Before(w.due) || at.Before(w.due) {
		r.v.Breaches.Early++
		r.fault("clock %s was breached at %s, it was due at %s", c.GetId(), recorded, w.due)
	}
	r.late = append(r.late, ms(recorded.Sub(w.due)))
}

func (r *Referee) corrected(told *eventv1.ClockCorrected) {
	w, at := r.of(told.GetClock()), micros(told.GetRespondedAt())
	if w.verdict != "breached" || w.corrected || !at.Before(w.due) || at.Before(micros(told.GetClock().GetStartedAt())) {
		r.v.Clocks.Contradicted++
		r.fault("clock %s, %q and due at %s, was corrected by what was done at %s", told.GetClock().GetId(), w.verdict, w.due, at)
	}
	w.corrected = true
	r.v.Clocks.Corrected++
}

func (r *Referee) of(c *eventv1.Clock) *watched {
	w := r.clock[c.GetId()]
	if w == nil {
		w = &watched{due: micros(c.GetDueAt())}
		r.clock[c.GetId()] = w
	}
	return w
}

// Judge sums up as of now; grace is how long after its due time an open clock counts as overdue.
func (r *Referee) Judge(now time.Time, grace time.Duration) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.v
	v.Faults = slices.Clone(r.v.Faults)
	for id, w := range r.clock {
		if w.verdict != "" {
			continue
		}
		v.Clocks.Open++
		if now.Sub(w.due) > grace {
			v.Clocks.Overdue++
			v.Faults = append(v.Faults, fmt.Sprintf("clock %s was due at %s and nobody has judged it", id, w.due))
		}
	}
	v.Latency.WebhookToAssigned = quantiles(r.toRep)
	v.Latency.BreachLateness = quantiles(r.late)
	return v
}

// fault keeps the first few examples.
func (r *Referee) fault(format string, args ...any) {
	const kept = 20
	if len(r.v.Faults) < kept {
		r.v.Faults = append(r.v.Faults, fmt.Sprintf(format, args...))
	}
}

func quantiles(values []float64) Quantiles {
	if len(values) == 0 {
		return Quantiles{}
	}
	s := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { return s[min(int(q*float64(len(s))), len(s)-1)] }
	return Quantiles{P50: at(.5), P99: at(.99), Max: s[len(s)-1], Count: len(s)}
}

func micros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
