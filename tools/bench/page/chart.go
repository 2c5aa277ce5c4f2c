package page

import (
	"fmt"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// chart is a drawing, 360 units wide whatever the screen: cards stand beside each other on a wide one and below each other on a
// narrow one, so that the type stays readable.
type chart struct {
	H     float64
	Label string // says to who cannot see it what it shows
	Areas []area
	Rules []rule
	Paths []path
	Marks []path
	Texts []text
}

const width = 360.0

type area struct {
	Class      string
	X, Y, W, H float64
}

// rule is a straight line.
type rule struct {
	Class          string
	X1, Y1, X2, Y2 float64
}

// path is a line or, as a mark, one point; Title is shown when a pointer rests on it.
type path struct{ Class, D, Title string }

type text struct {
	Class, Anchor string
	X, Y          float64
	Text, Title   string
}

// charts are the drawings of a line.
func charts(l row.Line) []chart {
	var out []chart
	if l.Curve != nil && len(points(*l.Curve)) > 0 {
		out = append(out, curve(*l.Curve, l.What))
	}
	if len(l.Pairs) > 0 {
		out = append(out, pairs(l))
	}
	return out
}

// mark is the outline of the nth shape around a place; shapes tell series apart where colours do not.
func mark(shape int, x, y, r float64) string {
	switch shape % shapes {
	case 0: // circle
		return fmt.Sprintf("M%s %sa%s %s 0 1 0 %s 0a%s %s 0 1 0 %s 0Z", px(x-r), px(y), px(r), px(r), px(2*r), px(r), px(r), px(-2*r))
	case 1: // square
		r *= 0.9
		return fmt.Sprintf("M%s %sh%sv%sh%sZ", px(x-r), px(y-r), px(2*r), px(2*r), px(-2*r))
	case 2: // triangle
		r *= 1.15
		return fmt.Sprintf("M%s %sL%s %sH%sZ", px(x), px(y-r), px(x+r), px(y+0.8*r), px(x-r))
	default: // diamond
		r *= 1.25
		return fmt.Sprintf("M%s %sL%s %sL%s %sL%s %sZ", px(x), px(y-r), px(x+r), px(y), px(x), px(y+r), px(x-r), px(y))
	}
}

const (
	shapes  = 4
	diamond = 3
)

// within keeps a text of which the middle would be at x inside the drawing.
func within(x float64, label string, low, high float64) float64 {
	half := wide(label) / 2
	if 2*half > high-low {
		return (low + high) / 2
	}
	return min(max(x, low+half), high-half)
}
