package collector

import "testing"

func TestPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: most, 1 << 20: most, 8 << 20: 600, 24 << 20: 200, 48 << 20: usual, 1 << 30: usual,
	} {
		if got := percent(live); got != want {
			t.Errorf("percent(%d MiB) = %d, want %d", live>>20, got, want)
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int64{0: roomy, 80 << 20: roomy, 100 << 20: roomy, 200 << 20: 300 << 20, 2 << 30: 3 << 30} {
		if got := bound(live); got != want {
			t.Errorf("bound(%d MiB) = %d MiB, want %d", live>>20, got>>20, want>>20)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	s := state{percent: usual}
	const live = 16 << 20
	for i, step := range []struct {
		ran   uint64
		want  int
		rests bool
	}{
		{1, usual, false}, // one collection a second is Go's own business
		{8, 300, false},
		{1, 300, false}, // as much work, collected more rarely
		{0, 300, false}, {0, 300, false}, {0, 300, false}, {0, 300, false},
		{1, 300, false}, // not over after all
		{0, 300, false}, {0, 300, false}, {0, 300, false}, {0, 300, false},
		{0, usual, true},
		{1, usual, false}, // the one that gave it back
		{0, usual, false},
	} {
		rests := s.next(reading{s.cycles + step.ran, live})
		if s.percent != step.want || rests != step.rests {
			t.Fatalf("step %d: %d %%, rests %v; want %d %%, %v", i, s.percent, rests, step.want, step.rests)
		}
	}
}
