package handoff

import (
	"slices"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

func line(start time.Time) lineage {
	moves := &agreement.Agreement{UnderWay: agreement.Move}
	return lineage{
		{hash: "one", from: start, moves: moves},
		{hash: "two", from: start.Add(time.Hour)},
		{hash: "three", from: start.Add(2 * time.Hour), moves: moves},
		{hash: "four", from: start.Add(3 * time.Hour), moves: moves},
	}
}

func TestHeirs(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		hash         string
		started, now time.Duration
		want         []string
	}{
		"before any comes":                      {"one", 0, 2*time.Hour - time.Microsecond, nil},
		"at its moment":                         {"one", 0, 2 * time.Hour, []string{"three"}},
		"one that leaves clocks stops no other": {"one", 0, 4 * time.Hour, []string{"three", "four"}},
		"of one in between":                     {"two", time.Hour, 4 * time.Hour, []string{"three", "four"}},
		"taken over already":                    {"three", 0, 4 * time.Hour, []string{"four"}},
		"the last":                              {"four", 3 * time.Hour, 9 * time.Hour, nil},
		"started when it came":                  {"one", 2 * time.Hour, 4 * time.Hour, []string{"four"}},
		"started a moment before":               {"one", 2*time.Hour - time.Microsecond, 2 * time.Hour, []string{"three"}},
		"of a version that is not here yet":     {"none", 0, 4 * time.Hour, nil},
	} {
		var got []string
		for _, d := range line(start).heirs(c.hash, start.Add(c.started), start.Add(c.now)) {
			got = append(got, d.hash)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestTaking: a version is looked at from its moment on until it has settled, also when it is heard of late.
func TestTaking(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	l := line(start)
	taking, done := l.taking(start.Add(time.Hour), nil)
	if !taking || !done["one"] || len(done) != 1 {
		t.Fatalf("at the start: %v, %v", taking, done)
	}
	if taking, _ := l.taking(start.Add(2*time.Hour-time.Microsecond), done); taking {
		t.Error("a version is looked at before its moment")
	}
	for _, after := range []time.Duration{0, settling - time.Microsecond, settling} {
		if taking, done = l.taking(start.Add(2*time.Hour+after), done); !taking || done["three"] != (after == settling) {
			t.Errorf("%s after its moment: %v, %v", after, taking, done)
		}
	}
	if taking, _ := l.taking(start.Add(2*time.Hour+settling), done); taking {
		t.Error("a version that has settled is looked at")
	}
	if taking, done := l.taking(start.Add(9*time.Hour), done); !taking || !done["four"] {
		t.Errorf("a version of long ago: %v, %v", taking, done)
	}
}
