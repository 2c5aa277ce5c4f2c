package page

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLinear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		low, high float64
		about     int
		want      []float64
	}{
		{0, 30, 4, []float64{0, 10, 20, 30}},
		{0, 28, 4, []float64{0, 10, 20, 30}},
		{0.6, 0.66, 5, []float64{0.6, 0.62, 0.64, 0.66}},
		{0.58, 0.7, 5, []float64{0.575, 0.6, 0.625, 0.65, 0.675, 0.7}},
		{12.9, 15.2, 5, []float64{12.5, 13, 13.5, 14, 14.5, 15, 15.5}},
		{-3, 4, 4, []float64{-4, -2, 0, 2, 4}},
		{5, 5, 4, []float64{4.5, 4.75, 5, 5.25, 5.5}},
		{0, 0, 4, []float64{-1, -0.5, 0, 0.5, 1}},
		{0, 41000, 4, []float64{0, 20000, 40000, 60000}},
		{0, 3e-4, 3, []float64{0, 1e-4, 2e-4, 3e-4}},
	} {
		s, ticks := linear(c.low, c.high, 100, 200, c.about)
		if !slices.Equal(ticks, c.want) {
			t.Errorf("ticks from %g to %g are %v, not %v", c.low, c.high, ticks, c.want)
		}
		if s.at(s.low) != 100 || s.at(s.high) != 200 || s.low > c.low || s.high < c.high {
			t.Errorf("the scale from %g to %g is %+v", c.low, c.high, s)
		}
	}
}

// TestLinearProperties: whatever was measured lies on the scale, and its ticks are few, in order and evenly spaced.
func TestLinearProperties(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 10_000 {
		low := (rng.Float64()*2 - 1) * math.Pow(10, rng.Float64()*12-3)
		high := low + math.Abs(low)*math.Pow(10, rng.Float64()*9-4) // no benchmark tells less from noise
		about := 1 + rng.IntN(8)
		s, ticks := linear(low, high, 0, 1, about)
		slack := (high - low) * 1e-6
		if s.low > low+slack || s.high < high-slack || len(ticks) < 2 || len(ticks) > about+3 || !slices.IsSorted(ticks) {
			t.Fatalf("seed %d: %d ticks from %g to %g: %v", seed, about, low, high, ticks)
		}
		for i := 2; i < len(ticks); i++ {
			if d := (ticks[i] - ticks[i-1]) / (ticks[1] - ticks[0]); math.Abs(d-1) > 0.02 {
				t.Fatalf("seed %d: ticks from %g to %g are uneven: %v", seed, low, high, ticks)
			}
		}
	}
}

func TestDecades(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		low, high float64
		want      []float64
	}{
		{1e4, 1e6, []float64{1e4, 1e5, 1e6}},
		{20, 2000, []float64{30, 100, 300, 1000}},
		{10, 60, []float64{10, 20, 50}},
		{10, 12, []float64{10, 12}},
		{0.001, 1, []float64{0.001, 0.01, 0.1, 1}},
	} {
		got := decades(c.low, c.high)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a/b-1) < 1e-9 }) {
			t.Errorf("decades from %g to %g are %v, not %v", c.low, c.high, got, c.want)
		}
	}
}

func TestLogPlaces(t *testing.T) {
	t.Parallel()
	s := scale{low: 10, high: 1000, from: 0, to: 100, log: true}
	for v, want := range map[float64]float64{10: 0, 100: 50, 1000: 100} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%g is at %g, not at %g", v, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.6: "0.6", 0.575: "0.575", 1: "1", 15.5: "15.5", 999: "999", 1000: "1k", 1500: "1.5k", 20000: "20k", 1e6: "1M", 2.5e6: "2.5M", 3e9: "3G",
		-4: "-4", 0.00012: "0.00012", 0.30000000000000004: "0.3", 1.66: "1.66", 1664: "1.664k",
	} {
		if got := short(v); got != want {
			t.Errorf("%g is written %q, not %q", v, got, want)
		}
	}
}

func TestApart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ places, want []float64 }{
		"nothing":            {nil, nil},
		"apart already":      {[]float64{10, 30, 60}, []float64{10, 30, 60}},
		"upon each other":    {[]float64{20, 20}, []float64{20, 30}},
		"at the bottom":      {[]float64{95, 99, 100}, []float64{80, 90, 100}},
		"above the top":      {[]float64{-5, 2}, []float64{0, 10}},
		"more than fit":      {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, []float64{-10, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}},
		"a chain that moves": {[]float64{50, 55, 60}, []float64{50, 60, 70}},
	} {
		if got := apart(c.places, 10, 0, 100); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	for s, want := range map[float64]string{0: "", 0.2: "1 s", 59.4: "59 s", 59.7: "1 min 0 s", 118.4: "1 min 58 s"} {
		if got := took(s); got != want {
			t.Errorf("%g seconds are %q, not %q", s, got, want)
		}
	}
}
