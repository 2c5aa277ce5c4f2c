package row

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestVerdictWithinASpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples []float64
		goal    *Goal
		want    string
	}{
		{[]float64{0.7, 0.8, 0.75, 0.72, 0.9}, AtLeast(0.6, "×"), "yes"},
		{[]float64{0.5, 0.55, 0.4, 0.52, 0.58}, AtLeast(0.6, "×"), "NO"},
		{[]float64{0.5, 0.7, 0.65, 0.8, 0.75}, AtLeast(0.6, "×"), "open"},
		{[]float64{0.7, 0.5, 0.55, 0.52, 0.51}, AtMost(0.6, "×"), "open"},
		{[]float64{0.5, 0.7}, AtLeast(0.55, "×"), "yes"}, // two say nothing about the spread
		// Of nine the lowest and the highest are left out: the median lies between the others in 96 of 100 runs.
		{[]float64{0.1, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7}, AtLeast(0.6, "×"), "yes"},
	} {
		l := Alone("x", Figure{Median(c.samples), "×"}, c.goal).Within(c.samples)
		if l.Verdict() != c.want {
			t.Errorf("%v, %v: %s within %v, want %s", c.samples, c.goal, l.Verdict(), l.Spread, c.want)
		}
	}
	if v := Alone("x", Figure{}, nil).Within([]float64{1, 2, 3}).Verdict(); v != "" {
		t.Errorf("without a goal it is %q", v)
	}
}

// TestSpreadHoldsTheMedian draws samples of a known median: it lies within the spread as often as is said, but for so few that not even
// all of them reach it.
func TestSpreadHoldsTheMedian(t *testing.T) {
	t.Parallel()
	const seed, trials = 7, 4000
	r := rand.New(rand.NewPCG(seed, seed))
	for _, n := range []int{5, 7, 9, 20, 31} {
		inside := 0
		for range trials {
			values := make([]float64, n)
			for i := range values {
				values[i] = r.ExpFloat64()
			}
			if s := spread(values); s.Low <= math.Ln2 && math.Ln2 <= s.High {
				inside++
			}
		}
		if share := float64(inside) / trials; share < 0.89 {
			t.Errorf("%d values, seed %d: the median lies within in %.3f of the samples", n, seed, share)
		}
	}
}
