package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// curve draws a figure over a size: the figure from zero, each series with its name at its end.
func curve(k row.Curve, what string) chart {
	const top, bottom, tall = 26.0, 176.0, 14.0
	c := chart{H: bottom + 36, Label: what + ": " + k.Y + " over " + k.X}
	all := points(k)
	var xs, ys []float64
	for _, p := range all {
		xs, ys = append(xs, p.X), append(ys, p.Y)
	}
	low, high := ends(ys)
	y, yTicks := linear(math.Min(low, 0), math.Max(high, 0), bottom, top, 4)
	left := 12.0
	for _, t := range yTicks {
		left = math.Max(left, wide(short(t))+12)
	}
	names := 0.0
	for _, s := range k.Series {
		names = math.Max(names, wide(shown(s.Name)))
	}
	right := width - 16
	if names > 0 {
		right = width - names - 14
	}
	x, xTicks := across(k, xs, left, right-6)

	for _, t := range yTicks {
		c.Rules = append(c.Rules, rule{"grid", left, y.at(t), right, y.at(t)})
		c.Texts = append(c.Texts, text{Class: "tick", Anchor: "end", X: left - 6, Y: y.at(t) + 4, Text: short(t)})
	}
	c.axis(x, left, right, xTicks, bottom)
	c.Texts = append(c.Texts, text{Class: "name", Anchor: "start", X: 2, Y: 11, Text: k.Y},
		text{Class: "name", Anchor: "middle", X: (left + right) / 2, Y: bottom + 31, Text: k.X})

	var tails []float64
	var labels []text
	for i, s := range k.Series {
		c.serie(i, s, k, x, y)
		if len(s.Points) == 0 || s.Name == "" {
			continue
		}
		last := sorted(s.Points)[len(s.Points)-1]
		tails = append(tails, y.at(last.Y))
		t := text{Class: fmt.Sprintf("end s%d", i%shapes), Anchor: "start", X: right + 8, Text: shown(s.Name)}
		if t.Text != s.Name {
			t.Title = s.Name
		}
		labels = append(labels, t)
	}
	place(tails, labels, tall, top, bottom)
	c.Texts = append(c.Texts, labels...)
	return c
}

// serie draws one line of a curve, its points marked.
func (c *chart) serie(i int, s row.Serie, k row.Curve, x, y scale) {
	var d strings.Builder
	for j, p := range sorted(s.Points) {
		letter := "L"
		if j == 0 {
			letter = "M"
		}
		_, _ = fmt.Fprintf(&d, "%s%s %s", letter, px(x.at(p.X)), px(y.at(p.Y))) // a builder takes everything
		title := fmt.Sprintf("%s: %s %s", k.X, short(p.X), row.Figure{Value: p.Y})
		if s.Name != "" {
			title = s.Name + ", " + title
		}
		c.Marks = append(c.Marks, path{fmt.Sprintf("dot s%d", i%shapes), mark(i, x.at(p.X), y.at(p.Y), 3.6), title})
	}
	c.Paths = append(c.Paths, path{Class: fmt.Sprintf("line s%d", i%shapes), D: d.String()})
}

// across is the scale of sizes. Its ticks are the sizes that were measured, when they are few and stand apart.
func across(k row.Curve, xs []float64, from, to float64) (scale, []float64) {
	xs = slices.Compact(slices.Sorted(slices.Values(xs)))
	low, high := xs[0], xs[len(xs)-1]
	log := k.LogX && low > 0
	x := scale{low: low, high: high, from: from + 10, to: to - 10, log: log}
	ticks := xs
	if !apartEnough(x, ticks) {
		if log {
			ticks = decades(low, high)
		} else {
			x, ticks = linear(low, high, from+10, to-10, 4)
		}
	}
	return x, ticks
}

// apartEnough says whether labels at ticks would not touch.
func apartEnough(x scale, ticks []float64) bool {
	for i := 1; i < len(ticks); i++ {
		if x.at(ticks[i])-x.at(ticks[i-1]) < (wide(short(ticks[i]))+wide(short(ticks[i-1])))/2+6 {
			return false
		}
	}
	return true
}

// place puts labels beside the ends of their lines, from top to bottom, none upon another.
func place(tails []float64, labels []text, gap, top, bottom float64) {
	order := make([]int, len(tails))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tails[a], tails[b]) })
	var at []float64
	for _, i := range order {
		at = append(at, tails[i])
	}
	for n, y := range apart(at, gap, top, bottom) {
		labels[order[n]].Y = y + 4
	}
}

// shown is a name of a length that leaves room for the curve.
func shown(name string) string {
	const most = 16
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}

func points(k row.Curve) []row.Point {
	var out []row.Point
	for _, s := range k.Series {
		out = append(out, s.Points...)
	}
	return out
}

func sorted(points []row.Point) []row.Point {
	return slices.SortedFunc(slices.Values(points), func(a, b row.Point) int { return cmp.Compare(a.X, b.X) })
}
