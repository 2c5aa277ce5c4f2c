package trial

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/handoff/clock"
	"github.com/leadpact/leadpact/services/handoff/route"
	"github.com/leadpact/leadpact/services/leadpact/due"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// Moments of a handoff.
const (
	Made  = "made"     // in this story, at At
	Would = "would"    // as it would be if the lead came to the handoff point at the moment of the trial
	Was   = "was made" // before this story; told as it would be now
	Over  = "over"     // the lead's way ended without one; told as it would be now
	Held  = "withheld" // for want of consent, and told as it would be now with it
)

// Handoff is who gets the lead, and what is promised to it.
type Handoff struct {
	Point string    `json:"point"` // the stage that starts it
	State string    `json:"state"`
	At    time.Time `json:"at"`
	// Withheld is why, in that state: do_not_contact or consent.
	Withheld string `json:"withheld,omitempty"`
	Pool     string `json:"pool"`
	// Routes are those looked at, in their order.
	Routes []Option `json:"routes"`
	// Rep is who of the pool would get it, at the start of the pool's rotation and with nobody holding a lead; empty without a roster, and
	// when Refusal says why nobody can take it.
	Rep      string `json:"rep,omitempty"`
	Team     string `json:"team,omitempty"`
	Refusal  string `json:"refusal,omitempty"`
	Eligible int    `json:"eligible"` // of the pool's reps
	Reps     int    `json:"reps"`
	Passed   []Pass `json:"passed_over,omitempty"`
	// Clocks are the promises that begin with it.
	Clocks []Promise `json:"clocks"`
}

// Pass is a rep who is passed over.
type Pass struct {
	Rep    string `json:"rep"`
	Reason string `json:"reason"`
}

// Promise is one clock on the lead.
type Promise struct {
	Name     string        `json:"name"`
	Within   time.Duration `json:"within_ns"`
	Calendar string        `json:"calendar"`
	Zone     string        `json:"zone,omitempty"`
	// Due is zero when the promise runs on the hours of a rep whom nobody names.
	Due   time.Time   `json:"due,omitzero"`
	Stops []string    `json:"stops_on,omitempty"`
	Count int         `json:"count"`
	State clock.State `json:"state,omitempty"` // as of the moment of the trial, of a handoff that was made
}

// hand tells the handoff.
func (q Question) hand(s *story) (Handoff, error) {
	a := q.Agreement
	h := Handoff{Point: a.Handoff.At, State: Would, At: q.At, Clocks: []Promise{}, Routes: []Option{}}
	at := place(a, s.state.Stage)
	switch why := stage.Withheld(a, s.known); {
	case s.state.Withdrawn, why != "" && !s.state.Handed && (at < 0 || !a.Stages[at].Final):
		h.State, h.Withheld = Held, why
	case s.handed != nil:
		h.State, h.At = Made, s.handed.At
	case s.state.Handed:
		h.State = Was
	case at >= 0 && (a.Stages[at].Final || a.Stages[at].Recycled):
		h.State = Over
	}
	if s.way < 0 {
		return h, nil // the last route takes all: no agreement that passed its check comes here
	}
	for i, r := range a.Handoff.Routes[:s.way+1] {
		h.Routes = append(h.Routes, Option{Name: r.Pool, When: words(r.When), Holds: i == s.way})
	}
	h.Pool = a.Handoff.Routes[s.way].Pool
	if err := q.pick(&h, s.grade()); err != nil {
		return Handoff{}, err
	}
	promises := a.ClocksFor(s.grade())
	if h.Refusal != "" {
		promises = []agreement.Clock{a.Handoff.Unassigned}
	}
	for _, promise := range promises {
		p, err := q.promise(promise, h)
		if err != nil {
			return Handoff{}, err
		}
		if h.State == Made && !p.Due.IsZero() && h.Refusal == "" {
			if p.State, err = q.stands(promise, h, p.Due, s); err != nil {
				return Handoff{}, err
			}
		}
		h.Clocks = append(h.Clocks, p)
	}
	return h, nil
}

// pick has the pool's rotation choose at its start.
func (q Question) pick(h *Handoff, grade string) error {
	if q.Roster == nil {
		return nil
	}
	var crew []agreement.Rep
	for _, rep := range q.Roster.Reps {
		if slices.Contains(q.Agreement.TeamsOf(h.Pool), rep.Team) {
			crew = append(crew, rep)
		}
	}
	slices.SortFunc(crew, func(x, y agreement.Rep) int { return cmp.Compare(x.ID, y.ID) })
	hourless, err := q.hourless(crew, grade, h.At)
	if err != nil {
		return err
	}
	rotation := route.New(route.State{}, crew, func(string) int { return 0 }, h.At)
	only := route.Lead{Hourless: hourless}
	h.Reps = len(crew)
	for _, rep := range crew {
		if why := rotation.Why(rep.ID, only); why != "" {
			h.Passed = append(h.Passed, Pass{rep.ID, string(why)})
		}
	}
	h.Eligible = len(crew) - len(h.Passed)
	record, refusal := rotation.Pick(only)
	h.Rep, h.Refusal = record.Winner, string(refusal)
	for _, rep := range crew {
		if rep.ID == h.Rep {
			h.Team = rep.Team
		}
	}
	return nil
}

// hourless are the reps in whose hours a promise that comes with the lead would not end. What is asked of one's hours is answered for all
// who keep them.
func (q Question) hourless(crew []agreement.Rep, grade string, at time.Time) ([]string, error) {
	endless := map[string]bool{} // by the name of hours
	var out []string
	for _, rep := range crew {
		never, asked := endless[rep.Calendar]
		if !asked {
			var err error
			if never, err = q.endless(rep.ID, grade, at); err != nil {
				return nil, err
			}
			endless[rep.Calendar] = never
		}
		if never {
			out = append(out, rep.ID)
		}
	}
	return out, nil
}

// endless says whether one of the promises would not end in the rep's hours.
func (q Question) endless(rep, grade string, at time.Time) (bool, error) {
	for _, promise := range q.Agreement.ClocksFor(grade) {
		switch _, err := q.due(promise.Name, rep, at); {
		case errors.Is(err, calendar.ErrHorizon):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

func (q Question) due(name, rep string, at time.Time) (due.Answer, error) {
	return due.Ask(due.Question{Agreement: q.Agreement, Roster: q.Roster, Clock: name, Rep: rep, At: at.Format(time.RFC3339Nano)})
}

// promise is when a clock that begins with the handoff falls due.
func (q Question) promise(c agreement.Clock, h Handoff) (Promise, error) {
	p := Promise{Name: c.Name, Within: c.Within, Calendar: c.Calendar, Stops: c.StopsOn, Count: max(c.Count, 1)}
	if c.Calendar == agreement.RepHours && h.Rep == "" {
		return p, nil
	}
	answer, err := q.due(c.Name, h.Rep, h.At)
	if err != nil {
		return Promise{}, err
	}
	p.Calendar, p.Zone, p.Due = answer.Calendar, answer.Zone, answer.Due
	return p, nil
}

// stands is how a clock stands at the moment of the trial, after what sales did until then. Its warnings are nobody's concern here, and only
// they need hours.
func (q Question) stands(promise agreement.Clock, h Handoff, dueAt time.Time, s *story) (clock.State, error) {
	c := clock.Clock{State: clock.Open, StartedAt: h.At, DueAt: dueAt, WakeAt: dueAt, Needed: max(promise.Count, 1)}
	promise.Warn = nil
	did := []string{}
	for _, f := range s.facts {
		if f.Kind == lead.Activity {
			did = append(did, f.Name)
		}
	}
	for _, kind := range append(did, clock.Passed) {
		var err error
		if c, _, err = clock.Step(promise, nil, c, kind, q.At); err != nil {
			return "", fmt.Errorf("the clock %q: %w", promise.Name, err)
		}
	}
	return c.State, nil
}
