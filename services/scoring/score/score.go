package score

import (
	"math"
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
	c := Card{Lead: agreement.Lead{
		Fields:  make(map[string]any, len(k.Fields)),
		Stage:   p.Stage,
		Channel: Channel(a, k.First.Channel),
		Source:  k.First.Source,
		Did:     k.Did(p.Cycle, p.Since),
	}}
	for field, value := range k.Fields {
		c.Lead.Fields[field] = value.Value
	}
	// Hundredths of points, so that sums are exact.
	var fit, engagement int64
	for _, r := range a.Scoring.Rules {
		points, sum := int64(0), &fit
		switch {
		case r.On != nil:
			points, sum = hundredths(bounded(k.Points(r.Name, r.HalfLife, now), r.Cap)), &engagement
		case Holds(r.When, c.Lead):
			points = hundredths(r.Points)
		}
		if points != 0 {
			*sum += points
			c.Reasons = append(c.Reasons, Reason{Rule: r.Name, Points: float64(points) / 100})
		}
	}
	c.Lead.Fit, c.Lead.Engagement, c.Lead.Score = float64(fit)/100, float64(engagement)/100, float64(fit+engagement)/100
	for _, g := range a.Grades {
		if Holds(g.When, c.Lead) {
			c.Lead.Grade = g.Name
			break
		}
	}
	return c
}

// Holds says whether a condition is met; one that costs too much to evaluate on this lead is not.
func Holds(c *agreement.Condition, l agreement.Lead) bool {
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
