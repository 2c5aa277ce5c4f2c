// Package trial shows what the running product would make of one lead, why, and what would have made it decide otherwise. It asks the
// product's own core and writes nothing.
package trial

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Question asks about one lead.
type Question struct {
	Agreement *agreement.Agreement
	Roster    *agreement.Roster // nil when nobody in particular takes leads
	Lead      Lead
	// At is the moment of the trial, UTC microseconds.
	At time.Time
}

// Answer says what becomes of the lead.
type Answer struct {
	Title   string    `json:"title"`
	Version string    `json:"version"`
	Hash    string    `json:"hash"`
	At      time.Time `json:"at"`

	Score      float64  `json:"score"`
	Fit        float64  `json:"fit"`
	Engagement float64  `json:"engagement"`
	Reasons    []Reason `json:"reasons"`
	Persona    string   `json:"persona,omitempty"` // empty when the agreement has none
	// Margin is the share of a persona's weight, 0..1, that would have to go or come for another one.
	Margin float64 `json:"persona_margin"`
	// Grade of the handoff, or as of now; empty when there is none. Grades are those looked at, in their order.
	Grade  string   `json:"grade"`
	Grades []Option `json:"grades,omitempty"`

	Stage       string       `json:"stage"`
	Cycle       uint32       `json:"cycle"`
	Transitions []Transition `json:"transitions"`
	Next        *Next        `json:"next,omitempty"`

	Handoff Handoff `json:"handoff"`
	// Notes are clauses that would touch this lead and that nothing acts on yet.
	Notes []string `json:"notes,omitempty"`

	// Otherwise says for each decision which changes of one thing would have turned it, the nearest first.
	Otherwise []Otherwise `json:"otherwise"`
	// Tried is how many changes of one thing were tried, of so many that the agreement's conditions suggest.
	Tried     int `json:"changes_tried"`
	Suggested int `json:"changes_suggested"`
}

// Reason is one rule's part in the score.
type Reason struct {
	Rule   string  `json:"rule"`
	Points float64 `json:"points"`
	When   string  `json:"when"`
	// Touches is how many brought points, Whole what they were worth on their day, and Cap what the rule brings at most: of rules on touches.
	Touches int     `json:"touches,omitempty"`
	Whole   float64 `json:"whole,omitempty"`
	Cap     float64 `json:"cap,omitempty"`
}

// Option is one of several of which the first that holds is taken.
type Option struct {
	Name  string `json:"name"`
	When  string `json:"when,omitempty"` // none holds always
	Holds bool   `json:"holds"`
}

// Transition is a change of stage.
type Transition struct {
	From  string    `json:"from"`
	To    string    `json:"to"`
	Cycle uint32    `json:"cycle"`
	At    time.Time `json:"at"`
	Score float64   `json:"score"`
	Why   string    `json:"why"`
	// Handoff says that it is the one with which sales gets the lead.
	Handoff bool `json:"handoff,omitempty"`
	// Withheld is why sales does not get it there, or has to let it go: do_not_contact or consent.
	Withheld string `json:"withheld,omitempty"`
}

// Next is the stage that the lead would enter next.
type Next struct {
	Stage   string `json:"stage"`
	When    string `json:"when"`
	Missing []Gap  `json:"missing,omitempty"`
}

// Gap is what a number lacks to what a condition asks.
type Gap struct {
	Of    string  `json:"of"` // score, fit or engagement
	Has   float64 `json:"has"`
	Needs float64 `json:"needs"`
	// Above says that it must be more than it Needs.
	Above bool   `json:"above,omitempty"`
	Rules []Gain `json:"rules"`
}

// Gain is what a rule that has points left would bring.
type Gain struct {
	Rule   string  `json:"rule"`
	Points float64 `json:"points"`
	When   string  `json:"when"`
	Each   bool    `json:"each,omitempty"` // touch
}

// Ask answers. The error says what the question lacks, all of it.
func Ask(q Question) (Answer, error) {
	if err := q.Lead.Check(q.Agreement, q.At); err != nil {
		return Answer{}, err
	}
	a, terms := q.Agreement, score.NewTerms(q.Agreement)
	s := tell(a, terms, q.Lead, q.At)
	out := Answer{
		Title: a.Title, Version: a.Version, Hash: a.Hash, At: q.At,
		Score: s.card.Lead.Score, Fit: s.card.Lead.Fit, Engagement: s.card.Lead.Engagement, Reasons: s.reasons(a, terms),
		Grade: s.grade(), Grades: s.grades(a), Stage: s.state.Stage, Cycle: s.state.Cycle, Transitions: s.transitions(a), Next: s.next(a),
		Notes: s.notes(a),
	}
	if len(a.Personas) > 0 {
		out.Persona, out.Margin = a.PersonaOf(&s.card.Lead)
	}
	var err error
	if out.Handoff, err = q.hand(&s); err != nil {
		return Answer{}, fmt.Errorf("hand the lead off: %w", err)
	}
	out.Otherwise, out.Tried, out.Suggested = q.otherwise(terms, &s)
	return out, nil
}

// reasons are the rules that gave points, with what the touches were worth.
func (s *story) reasons(a *agreement.Agreement, terms *score.Terms) []Reason {
	touches, whole := map[string]int{}, map[string]float64{}
	for _, f := range s.facts {
		if f.Kind != lead.Touch {
			continue
		}
		for _, g := range terms.Engage(f) {
			touches[g.Rule]++
			whole[g.Rule] += g.Points
		}
	}
	out := []Reason{}
	for _, given := range s.card.Reasons {
		r := Reason{Rule: given.Rule, Points: given.Points}
		if at, ok := a.Scoring.Place(given.Rule); ok {
			rule := a.Scoring.Rules[at]
			if r.When = words(rule.When); rule.On != nil {
				r.When, r.Touches, r.Whole, r.Cap = words(rule.On), touches[r.Rule], whole[r.Rule], rule.Cap
			}
		}
		out = append(out, r)
	}
	return out
}

// grades are those that were looked at, the lead's last.
func (s *story) grades(a *agreement.Agreement) []Option {
	view := s.card.Lead
	if s.handed != nil {
		view = s.handed.Card.Lead
	}
	var out []Option
	for _, g := range a.Grades {
		taken := g.Name == view.Grade
		out = append(out, Option{Name: g.Name, When: words(g.When), Holds: taken})
		if taken {
			break
		}
	}
	return out
}

func (s *story) transitions(a *agreement.Agreement) []Transition {
	out := []Transition{}
	cycle := s.firstCycle()
	for _, c := range s.changes {
		t := Transition{From: c.From, To: c.To, Cycle: c.Cycle, At: c.At, Score: c.Card.Lead.Score, Handoff: c.Handoff, Withheld: c.Withheld}
		switch to := a.Stages[place(a, c.To)]; {
		case c.From == "":
			t.Why = "its first touch"
		case c.Withdrawn:
			t.Why = "its person takes back the consent that the handoff stands on"
		case c.From == c.To:
			t.Why = "a touch at the handoff point"
		case c.Cycle > cycle:
			t.Why = "a new touch after the end"
		case to.Recycled:
			t.Why = "sales gave it back"
		default:
			t.Why = words(to.When)
		}
		cycle = c.Cycle
		out = append(out, t)
	}
	return out
}

// firstCycle is the one that the story began in.
func (s *story) firstCycle() uint32 {
	if len(s.changes) > 0 && s.changes[0].From == "" {
		return s.changes[0].Cycle
	}
	return 1
}

// next is the stage whose condition the lead would have to meet; nil when its way is over.
func (s *story) next(a *agreement.Agreement) *Next {
	at := place(a, s.state.Stage)
	if at < 0 || a.Stages[at].Final || a.Stages[at].Recycled {
		return nil
	}
	for _, step := range a.Stages[at+1:] {
		if !step.Final && !step.Recycled {
			return &Next{Stage: step.Name, When: words(step.When), Missing: s.missing(a, step.When)}
		}
	}
	return nil
}

// missing are the numbers that fall short of what a condition compares them with.
func (s *story) missing(a *agreement.Agreement, when *agreement.Condition) []Gap {
	has := map[string]float64{"score": s.card.Lead.Score, "fit": s.card.Lead.Fit, "engagement": s.card.Lead.Engagement}
	var out []Gap
	for _, c := range when.Comparisons() {
		if len(c.Variables) != 1 || len(c.Literals) != 1 || c.Variables[0].Subject != "" || c.Operator != ">=" && c.Operator != ">" {
			continue
		}
		of := c.Variables[0].Name
		needs, isNumber := c.Literals[0].(float64)
		now, isPoints := has[of]
		if !isNumber || !isPoints || now > needs || c.Operator == ">=" && now == needs {
			continue
		}
		out = append(out, Gap{Of: of, Has: now, Needs: needs, Above: c.Operator == ">", Rules: s.gains(a, of)})
	}
	return out
}

// gains are the rules that would add to the score, the fit or the engagement, in the order of the agreement.
func (s *story) gains(a *agreement.Agreement, of string) []Gain {
	given := map[string]float64{}
	for _, r := range s.card.Reasons {
		given[r.Rule] = r.Points
	}
	out := []Gain{}
	for _, r := range a.Scoring.Rules {
		g := Gain{Rule: r.Name, Points: r.Points, When: words(r.When)}
		if r.On != nil {
			g.When, g.Each = words(r.On), true
			if r.Cap > 0 {
				g.Points = min(g.Points, r.Cap-given[r.Name])
			}
		} else if given[r.Name] != 0 {
			continue
		}
		if g.Points > 0 && (of == "score" || (of == "engagement") == g.Each) {
			out = append(out, g)
		}
	}
	return out
}

// notes tell of clauses that this lead would meet and that no service acts on yet.
func (s *story) notes(a *agreement.Agreement) []string {
	pending := func(path string) bool {
		return slices.ContainsFunc(a.Pending(), func(f agreement.Fault) bool { return f.Path == path })
	}
	var out []string
	view := s.routed(a)
	for _, e := range a.Scope.Excludes {
		if pending("scope.excludes") && score.Holds(e.When, &view) {
			out = append(out, fmt.Sprintf("the scope excludes it as %s: %s", e.Name, words(e.When)))
		}
	}
	if !pending("handoff.needs") {
		return out
	}
	for _, field := range a.Handoff.Needs.Fields {
		if _, known := view.Fields[field]; !known {
			out = append(out, fmt.Sprintf("the handoff needs %s, which is not known", field))
		}
	}
	if name, _ := a.PersonaOf(&view); a.Handoff.Needs.Persona && name == agreement.Unmatched {
		out = append(out, "the handoff needs a persona, and the lead is none")
	}
	return out
}

// words are a condition on one line.
func words(c *agreement.Condition) string { return strings.Join(strings.Fields(c.String()), " ") }

// Moment reads the moment of a trial.
func Moment(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errors.New("--at " + s + ": write the moment as 2026-11-25T16:20:00Z, or with its offset as 2026-11-25T11:20:00-05:00")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}
