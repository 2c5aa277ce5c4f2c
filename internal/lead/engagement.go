package lead

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Gain is what one touch earns under one rule.
type Gain struct {
	Rule string
	// Points, cut to ±MaxPoints.
	Points float64
	// HalfLife of the points, the same for every gain of a rule; under a microsecond they stay for ever.
	HalfLife time.Duration
}

// MaxPoints bounds what one touch can earn under one rule.
const MaxPoints = 1 << 20

// Window is how many half-lives, back from the newest touch of a rule, are remembered.
const Window = 48

// scale: sums count units of 2^-20 points.
const scale = 20

// Bin is one half-life of one rule's points.
//
// Points p earned at t are worth p · 2^((t-now)/h) at now. With t/h = e + f, e whole, that is (p · 2^f) · 2^(e - now/h): the first
// factor depends on the touch alone, the second on e and now alone. So the touches of one e add up in one integer, round(p · 2^f ·
// 2^20), and nothing needs to know when the sum will be read.
//
// The law. A rule's bins are a map from e to a sum, cut to the Window greatest e. Without the cut, adding two maps is commutative
// and associative, since adding integers is (a sum that overflows wraps, which keeps both; it takes four million touches of
// MaxPoints within one half-life). With the cut: let m(A) be the greatest e of A and cut(A) what lies above m(A) - Window. The cut
// keeps m(A), so m(cut(A) + B) = max(m(A), m(B)) = m(A + B), and whatever cut(A) lost lies at or below m(A) - Window <= m(A + B) -
// Window, so cut(A + B) loses it too: cut(cut(A) + B) = cut(A + B). A bin whose sum came to zero is kept, for its e may be the
// greatest.
//
// The error, for now at or after the touches: at most 2^-20 points a touch from the two roundings, less than a millionth of a
// millionth of the value from exp2, and under 2^-47 of the points of touches that the window lost.
type Bin struct {
	E   int64 `json:"e"`
	Sum int64 `json:"s"`
}

// bin is the one that the gain of a touch at t falls into.
func (g Gain) bin(t time.Time) Bin {
	points := math.Max(-MaxPoints, math.Min(MaxPoints, g.Points))
	if math.IsNaN(points) {
		points = 0
	}
	units := int64(math.Round(points * (1 << scale)))
	h := g.HalfLife.Microseconds()
	if h <= 0 {
		return Bin{Sum: units}
	}
	e, f := split(t, h)
	magnitude := uint64(max(units, -units))
	hi, lo := bits.Mul64(magnitude, exp2(f))
	lo, carry := bits.Add64(lo, 1<<62, 0) // half of the unit below, so that the shift rounds
	sum := int64((hi+carry)<<1 | lo>>63)
	if units < 0 {
		sum = -sum
	}
	return Bin{E: e, Sum: sum}
}

// addBins adds two rules' bins, both ascending by E, into a new slice.
func addBins(a, b []Bin) []Bin {
	out := make([]Bin, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].E < b[0].E:
			out, a = append(out, a[0]), a[1:]
		case a[0].E > b[0].E:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, Bin{E: a[0].E, Sum: a[0].Sum + b[0].Sum})
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	if len(out) == 0 {
		return out
	}
	newest := out[len(out)-1].E
	return slices.DeleteFunc(out, func(x Bin) bool { return newest-x.E >= Window })
}

// Points is what the rule's touches are worth at now, which counts as Latest when it is before it. halfLife is the rule's.
func (k Knowledge) Points(rule string, halfLife time.Duration, now time.Time) float64 {
	bins := k.Engaged[rule]
	if len(bins) == 0 {
		return 0
	}
	h := halfLife.Microseconds()
	if h <= 0 {
		return math.Ldexp(float64(bins[0].Sum), -scale)
	}
	if now.Before(k.Latest) {
		now = k.Latest
	}
	// Every step is an exact power of two or one rounded addition, in one fixed order, so all machines agree.
	sum, at := 0.0, bins[0].E
	for _, b := range bins {
		sum = math.Ldexp(sum, int(at-b.E)) + float64(b.Sum)
		at = b.E
	}
	e, f := split(now, h)
	age := e - at
	if age > 2048 { // beyond what a float64 can hold
		return 0
	}
	if f != 0 {
		// 2^-f = 2^(1-f) / 2
		sum *= math.Ldexp(float64(exp2(-f)), -64)
	}
	return math.Ldexp(sum, -int(age)-scale)
}
