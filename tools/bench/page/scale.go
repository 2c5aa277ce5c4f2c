package page

import (
	"math"
	"strconv"
)

// scale maps values to places on the drawing.
type scale struct {
	low, high float64 // values
	from, to  float64 // places, in the drawing's units
	log       bool
}

// at is the place of v.
func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(v)
	}
	if high == low {
		return (s.from + s.to) / 2
	}
	return s.from + (v-low)/(high-low)*(s.to-s.from)
}

// linear is a scale over values whose ends are ticks; about is how many steps there should be.
func linear(low, high, from, to float64, about int) (s scale, ticks []float64) {
	if low == high {
		pad := math.Abs(low) / 10
		if pad == 0 {
			pad = 1
		}
		low, high = low-pad, high+pad
	}
	step := niceStep((high - low) / float64(max(about, 1)))
	// Rounding first: 0.3/0.1 is a little less than 3.
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	for i := first; i <= last; i++ {
		ticks = append(ticks, round(i*step, step))
	}
	return scale{low: ticks[0], high: ticks[len(ticks)-1], from: from, to: to}, ticks
}

// niceStep is the smallest of 1, 2, 2.5, 5 times a power of ten that is not below step.
func niceStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= step*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// round takes away what adding binary fractions left behind.
func round(v, step float64) float64 {
	digits := math.Pow(10, 2-math.Floor(math.Log10(step)))
	return math.Round(v*digits) / digits
}

// decades are ticks of a logarithmic scale from low to high, both above 0: powers of ten, or with few of them steps of 1, 2, 5.
func decades(low, high float64) []float64 {
	for _, steps := range [][]float64{{1}, {1, 3}, {1, 2, 5}} {
		var ticks []float64
		for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
			for _, m := range steps {
				if v := m * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
					ticks = append(ticks, v)
				}
			}
		}
		if len(ticks) >= 3 {
			return ticks
		}
	}
	return []float64{low, high}
}

// short is a round number: 0, 0.25, 20, 1.5k, 1M. It has no digits that say nothing.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e9:
		return digits(v/1e9) + "G"
	case a >= 1e6:
		return digits(v/1e6) + "M"
	case a >= 1e3:
		return digits(v/1e3) + "k"
	}
	return digits(v)
}

// digits is at most four digits that count, in plain form.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	power := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(math.Round(v*power)/power, 'f', -1, 64)
}

// px is a place on the drawing, to a tenth.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// wide is about how much room a text takes in the drawing's type.
func wide(text string) float64 { return 6.4 * float64(len([]rune(text))) }

// apart moves places, from top to bottom, so that any two next to each other are gap apart, all stay between low and high if there is
// room, and none moves further than it must.
func apart(places []float64, gap, low, high float64) []float64 {
	out := append([]float64(nil), places...)
	for i := range out {
		floor := low
		if i > 0 {
			floor = out[i-1] + gap
		}
		out[i] = math.Max(out[i], floor)
	}
	for i := len(out) - 1; i >= 0; i-- {
		ceiling := high
		if i < len(out)-1 {
			ceiling = out[i+1] - gap
		}
		out[i] = math.Min(out[i], ceiling)
	}
	return out
}
