package score

import (
	"math"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
)

// Position is where a lead stands while it is scored.
type Position struct {
	Stage string
	Cycle uint32
	// Since is when the cycle began; zero for the first.
	Since time.Time
}

// Reason is one rule's part in a score.
type Reason struct {
	Rule   string
	Points float64
}

// Card is a lead's score with everything that led to it.
type Card struct {
	// Lead is what conditions look at, its score and grade included.
	Lead agreement.Lead
	// Reasons are the rules that gave points, in the order of the agreement. Points have two decimals, and their sum is exactly
	// the score: what a person adds up by hand is what the guards saw.
	Reasons []Reason
}

// Of scores what is known at now under the agreement. Rules see no score and no grade, grades see the score. A condition that
// costs too much to evaluate on this lead does not hold.
func Of(a *agreement.Agreement, k lead.Knowledge, p Position, now time.Time) Card {
	return Open(a, k, now).At(p)
}

// Case is what is known of a lead at one moment, to be scored wherever it stands: a walk through the funnel changes the position
// and nothing else, so that the rules are asked once in it.
type Case struct {
	agreement *agreement.Agreement
	known     lead.Knowledge
	now       time.Time
	// card is that of the position last asked for; its grade is given anew for each.
	card   Card
	at     Position
	scored bool
}

// Open prepares a case; nothing is scored before a card is asked for.
func Open(a *agreement.Agreement, k lead.Knowledge, now time.Time) *Case {
	return &Case{agreement: a, known: k, now: now}
}

// At is the card of the lead at a position. Cards of one case share their Fields, Granted, Did and Reasons: they are for reading.
func (c *Case) At(p Position) Card {
	if !c.scored {
		c.open()
	}
	// Rules see of the position what sales did in its cycle.
	if !c.scored || len(c.known.Deeds) > 0 && (p.Cycle != c.at.Cycle || !p.Since.Equal(c.at.Since)) {
		c.card.Lead.Did = c.known.Did(p.Cycle, p.Since)
		c.score()
	}
	c.at, c.scored = p, true
	c.card.Lead.Stage, c.card.Lead.Grade = p.Stage, ""
	for i := range c.agreement.Grades {
		if g := &c.agreement.Grades[i]; Holds(g.When, &c.card.Lead) {
			c.card.Lead.Grade = g.Name
			break
		}
	}
	return c.card
}

// open fills in what does not depend on the position.
func (c *Case) open() {
	c.card.Lead = agreement.Lead{
		Fields: make(map[string]any, len(c.known.Fields)), Channel: Channel(c.agreement, c.known.First.Channel), Source: c.known.First.Source,
	}
	for field, value := range c.known.Fields {
		c.card.Lead.Fields[field] = value.Value
	}
	for purpose, word := range c.known.Consents {
		if c.card.Lead.Granted == nil {
			c.card.Lead.Granted = make(map[string]bool, len(c.known.Consents))
		}
		c.card.Lead.Granted[purpose] = word.Granted
	}
}

// score asks the rules: those on the lead that could hold of it, and those on touches that gave it something.
func (c *Case) score() {
	scoring := &c.agreement.Scoring
	var room [64]int
	places := scoring.Fitting(room[:0], &c.card.Lead)
	for rule := range c.known.Engaged {
		if place, ok := scoring.Place(rule); ok && scoring.Rules[place].On != nil {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	// Hundredths of points, so that sums are exact.
	var fit, engagement int64
	c.card.Reasons = make([]Reason, 0, len(places))
	for _, place := range places {
		r := &scoring.Rules[place]
		points, sum := int64(0), &fit
		switch {
		case r.On != nil:
			points, sum = hundredths(bounded(c.known.Points(r.Name, r.HalfLife, c.now), r.Cap)), &engagement
		case Holds(r.When, &c.card.Lead):
			points = hundredths(r.Points)
		}
		if points != 0 {
			*sum += points
			c.card.Reasons = append(c.card.Reasons, Reason{Rule: r.Name, Points: float64(points) / 100})
		}
	}
	l := &c.card.Lead
	l.Fit, l.Engagement, l.Score = float64(fit)/100, float64(engagement)/100, float64(fit+engagement)/100
}

// Holds says whether a condition is met; one that costs too much to evaluate on this lead is not.
func Holds(c *agreement.Condition, l *agreement.Lead) bool {
	holds, err := c.Holds(l)
	return err == nil && holds
}

// hundredths of the points of one rule.
func hundredths(points float64) int64 {
	return int64(math.Round(bounded(points, lead.MaxPoints) * 100))
}

// bounded cuts points to ±bound; zero is no bound.
func bounded(points, bound float64) float64 {
	if bound == 0 {
		return points
	}
	return math.Max(-bound, math.Min(bound, points))
}
