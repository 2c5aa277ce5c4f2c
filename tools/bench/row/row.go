// Package row is what a benchmark is made of: a row measures ours beside its ceiling in one run and says which goals hold.
package row

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Row is one part of the benchmarks, run alone with ROW=name.
type Row struct {
	Name string
	What string // one line, for the list
	// Postgres says that it needs a PostgreSQL server.
	Postgres bool
	Run      func(ctx context.Context, e *Env) ([]Line, error)
}

// Line is one line of the table.
type Line struct {
	Row  string `json:"row"`
	What string `json:"what"`
	// Ours is what was measured of leadpact; Ceiling what the same run measured of the bare minimum or of a peer, if there is one.
	Ours    Figure  `json:"ours"`
	Ceiling *Figure `json:"ceiling,omitempty"`
	// Measured is what the goal is about: a ratio, or Ours itself.
	Measured Figure `json:"measured"`
	// Goal is nil for a line that only informs.
	Goal  *Goal `json:"goal,omitempty"`
	Holds bool  `json:"holds"`
	// Spread is where Measured lies with nine chances in ten, as its single measurements say; nil where there was one only. Open says
	// that the bound lies within: another run may say otherwise.
	Spread *Spread `json:"spread,omitempty"`
	Open   bool    `json:"open,omitempty"`
	// Pairs are the single measurements behind medians, ours and ceiling in turns.
	Pairs []Pair `json:"pairs,omitempty"`
	// Curve shows how the figure grows.
	Curve *Curve `json:"curve,omitempty"`
	// Note is what a reader must know to read the figures.
	Note string `json:"note,omitempty"`
}

// Spread is a range of Measured, in its unit.
type Spread struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Figure is a number with its unit: "/s", "ms", "µs", "MB", "B", "×", or none.
type Figure struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Goal is a bound on Measured.
type Goal struct {
	Bound  float64 `json:"bound"`
	AtMost bool    `json:"at_most"` // else at least
	Unit   string  `json:"unit,omitempty"`
}

// Pair is one measurement of each side.
type Pair struct {
	Ours    float64 `json:"ours"`
	Ceiling float64 `json:"ceiling"`
}

// Curve is a figure over a size.
type Curve struct {
	X      string  `json:"x"`
	Y      string  `json:"y"`
	LogX   bool    `json:"log_x"`
	Series []Serie `json:"series"`
}

// Serie is one line of a curve.
type Serie struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// Point is one place on it.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// AtLeast is a lower bound in unit.
func AtLeast(bound float64, unit string) *Goal { return &Goal{Bound: bound, Unit: unit} }

// AtMost is an upper bound in unit.
func AtMost(bound float64, unit string) *Goal { return &Goal{Bound: bound, AtMost: true, Unit: unit} }

// Met says whether v is within the goal.
func (g *Goal) Met(v float64) bool {
	if g.AtMost {
		return v <= g.Bound
	}
	return v >= g.Bound
}

// Against makes the line of pairs: ours and ceiling are medians, Measured is the median of the ratios ours over ceiling.
func Against(what, unit string, pairs []Pair, goal *Goal) Line {
	var ours, ceiling, ratios []float64
	for _, p := range pairs {
		ours, ceiling, ratios = append(ours, p.Ours), append(ceiling, p.Ceiling), append(ratios, p.Ours/p.Ceiling)
	}
	l := Line{
		What: what, Ours: Figure{Median(ours), unit}, Ceiling: &Figure{Median(ceiling), unit},
		Measured: Figure{Median(ratios), "×"}, Goal: goal, Pairs: pairs,
	}
	l.Holds = goal == nil || goal.Met(l.Measured.Value)
	return l.Within(ratios)
}

// Within gives the line the spread of the median of its single measurements.
func (l Line) Within(measured []float64) Line {
	if len(measured) < 3 {
		return l
	}
	s := spread(measured)
	l.Spread = &s
	l.Open = l.Goal != nil && (l.Goal.Met(s.Low) != l.Goal.Met(s.High) || l.Goal.Met(s.Low) != l.Holds)
	return l
}

// Verdict is yes, NO or open; empty without a goal.
func (l Line) Verdict() string {
	switch {
	case l.Goal == nil:
		return ""
	case l.Open:
		return "open"
	case l.Holds:
		return "yes"
	}
	return "NO"
}

// spread is the narrowest pair of order statistics, as many from either end, between which the median lies with nine chances in ten; of
// few values it is all of them. It asks nothing of how they are distributed.
func spread(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	cut, outside, ways := 0, 0.0, 1.0
	for k := range n / 2 {
		outside += 2 * ways / math.Pow(2, float64(n))
		if outside > 0.1 {
			break
		}
		cut, ways = k, ways*float64(n-k)/float64(k+1)
	}
	return Spread{sorted[cut], sorted[n-1-cut]}
}

// Alone makes the line of a figure that has a bound of its own, or none.
func Alone(what string, f Figure, goal *Goal) Line {
	return Line{What: what, Ours: f, Measured: f, Goal: goal, Holds: goal == nil || goal.Met(f.Value)}
}

// Pairs measures both sides in turns, n times: ours, ceiling, ours, ceiling …, so that a machine that grows slower does so under both.
func Pairs(ctx context.Context, e *Env, n int, ours, ceiling func(context.Context) (float64, error)) ([]Pair, error) {
	var pairs []Pair
	for i := range n {
		var p Pair
		var err error
		if p.Ours, err = ours(ctx); err != nil {
			return nil, fmt.Errorf("measure ours, pair %d: %w", i+1, err)
		}
		e.Step()
		if p.Ceiling, err = ceiling(ctx); err != nil {
			return nil, fmt.Errorf("measure the ceiling, pair %d: %w", i+1, err)
		}
		e.Step()
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// Median of values; of an even number the mean of the two in the middle; 0 of none.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile of values by linear interpolation; 0 of none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// String writes three significant digits.
func (f Figure) String() string {
	switch v := math.Abs(f.Value); {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM%s", f.Value/1e6, f.suffix())
	case v >= 1e4:
		return fmt.Sprintf("%.1fk%s", f.Value/1e3, f.suffix())
	case v >= 100:
		return fmt.Sprintf("%.0f%s", f.Value, f.suffix())
	case v >= 10:
		return fmt.Sprintf("%.1f%s", f.Value, f.suffix())
	case v >= 0.1 || v == 0:
		return fmt.Sprintf("%.2f%s", f.Value, f.suffix())
	}
	return fmt.Sprintf("%.2g%s", f.Value, f.suffix())
}

func (f Figure) suffix() string {
	if f.Unit == "" || f.Unit == "×" || f.Unit[0] == '/' {
		return f.Unit
	}
	return " " + f.Unit
}

// String is the goal in words.
func (g *Goal) String() string {
	sign := "≥ "
	if g.AtMost {
		sign = "≤ "
	}
	return sign + Figure{g.Bound, g.Unit}.String()
}
