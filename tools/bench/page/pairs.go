package page

import (
	"fmt"
	"math"
	"strconv"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// measure is what a pair says for a goal.
type measure struct {
	name string
	of   func(row.Pair) float64
}

// measured finds how a line's figure follows from its pairs; none of the known ways is nil.
func measured(l row.Line) *measure {
	for _, m := range []measure{
		{"ours ÷ ceiling", func(p row.Pair) float64 { return p.Ours / p.Ceiling }},
		{"ceiling ÷ ours", func(p row.Pair) float64 { return p.Ceiling / p.Ours }},
		{"ours − ceiling", func(p row.Pair) float64 { return p.Ours - p.Ceiling }},
		{"ours", func(p row.Pair) float64 { return p.Ours }},
	} {
		var all []float64
		for _, p := range l.Pairs {
			all = append(all, m.of(p))
		}
		if got := row.Median(all); math.Abs(got-l.Measured.Value) <= 1e-6*math.Max(math.Abs(got), math.Abs(l.Measured.Value)) {
			return &m
		}
	}
	return nil
}

// pairs draws a row for each pair, the first on top, so that a machine that drifted shows; below them the median. When nobody can say
// how the line's figure follows from them, it draws both sides as they are, and no goal.
func pairs(l row.Line) chart {
	const left, right, top, most = 30.0, width - 12, 24.0, 132.0
	step := math.Min(14, most/float64(len(l.Pairs)))
	bottom := top + step*float64(len(l.Pairs)+1) + 4
	c := chart{H: bottom + 36, Label: l.What + ": each pair of measurements"}
	m := measured(l)

	var values []float64
	for _, p := range l.Pairs {
		if m != nil {
			values = append(values, m.of(p))
		} else {
			values = append(values, p.Ours, p.Ceiling)
		}
	}
	bounds := values
	if m != nil && l.Goal != nil {
		bounds = append(bounds, l.Goal.Bound)
	}
	low, high := ends(bounds)
	if low > 0 && low < high/2 {
		low = 0 // that far apart, lengths from zero are what people compare
	}
	pad := (high - low) / 12 // nothing lies on the edge
	if low != 0 {
		low -= pad
	}
	x, ticks := linear(low, high+pad, left, right, 5)
	if m != nil && l.Goal != nil {
		c.goal(*l.Goal, x, top, bottom)
	}
	c.axis(x, left, right, ticks, bottom)
	y := func(i int) float64 { return top + step*(float64(i)+0.5) }
	every := int(math.Ceil(13 / step))
	for i, p := range l.Pairs {
		if i%every == 0 {
			c.Texts = append(c.Texts, text{Class: "tick", Anchor: "end", X: left - 8, Y: y(i) + 4, Text: strconv.Itoa(i + 1)})
		}
		title := fmt.Sprintf("pair %d: ours %s, ceiling %s", i+1, row.Figure{Value: p.Ours, Unit: l.Ours.Unit}, row.Figure{Value: p.Ceiling, Unit: l.Ours.Unit})
		if m != nil {
			title += fmt.Sprintf(", %s %s", m.name, row.Figure{Value: m.of(p), Unit: l.Measured.Unit})
			c.Marks = append(c.Marks, path{"dot s0", mark(0, x.at(m.of(p)), y(i), 4), title})
			continue
		}
		c.Rules = append(c.Rules, rule{"between", x.at(p.Ours), y(i), x.at(p.Ceiling), y(i)})
		c.Marks = append(c.Marks, path{"dot s0", mark(0, x.at(p.Ours), y(i), 4), title}, path{"ring s1", mark(0, x.at(p.Ceiling), y(i), 4), title})
	}
	name := "ours ● and ceiling ○, " + unitWord(l.Ours.Unit)
	if m != nil {
		name = m.name + unitAfter(l.Measured.Unit)
		c.median(x.at(row.Median(values)), top+step*float64(len(l.Pairs))+9, left, right, "median "+l.Measured.String())
	}
	c.Texts = append(c.Texts, text{Class: "name", Anchor: "middle", X: (left + right) / 2, Y: bottom + 31, Text: name},
		text{Class: "name", Anchor: "end", X: left - 8, Y: top - 8, Text: "pair"})
	return c
}

// goal draws the bound as a line and tints the side on which it holds.
func (c *chart) goal(g row.Goal, x scale, top, bottom float64) {
	at := x.at(g.Bound)
	from, to := at, x.to
	if g.AtMost {
		from, to = x.from, at
	}
	label := "goal " + goal(g)
	c.Areas = append(c.Areas, area{"good", from, top, to - from, bottom - top})
	c.Rules = append(c.Rules, rule{"goal", at, top - 4, at, bottom})
	c.Texts = append(c.Texts, text{Class: "goal", Anchor: "middle", X: within(at, label, x.from+6, x.to), Y: top - 8, Text: label})
}

// axis draws the scale below a plot that reaches from left to right.
func (c *chart) axis(x scale, left, right float64, ticks []float64, bottom float64) {
	for _, t := range ticks {
		c.Rules = append(c.Rules, rule{"grid", x.at(t), bottom, x.at(t), bottom + 4})
		c.Texts = append(c.Texts, text{Class: "tick", Anchor: "middle", X: x.at(t), Y: bottom + 16, Text: short(t)})
	}
	c.Rules = append(c.Rules, rule{"axis", left, bottom, right, bottom})
}

// median marks it and says it on the side that has room.
func (c *chart) median(x, y, left, right float64, label string) {
	c.Marks = append(c.Marks, path{"dot median", mark(diamond, x, y-4, 4.5), label})
	t := text{Class: "value", Anchor: "start", X: x + 9, Y: y, Text: label}
	if x+9+wide(label) > right && x-9-wide(label) > left {
		t.Anchor, t.X = "end", x-9
	}
	c.Texts = append(c.Texts, t)
}

// ends are the least and the greatest of what is a number at all: a ratio over 0 is not.
func ends(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if low > high {
		return 0, 1
	}
	return low, high
}

func unitAfter(unit string) string {
	if unit == "" {
		return ""
	}
	return ", " + unitWord(unit)
}

// unitWord is a unit as it stands alone.
func unitWord(unit string) string {
	if unit == "/s" {
		return "a second"
	}
	return unit
}
