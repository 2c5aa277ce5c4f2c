package process

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contract "github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// TestFiles: the agreement and the people are as the program wants them.
func TestFiles(t *testing.T) {
	t.Parallel()
	a, faults := contract.Parse("agreement.yaml", agreement)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	people, faults := contract.ParseRoster("roster.yaml", roster)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if faults := a.CheckRoster(people); len(faults) > 0 {
		t.Error(faults)
	}
	if _, ok := a.Source("form"); !ok {
		t.Error("the source that the benchmarks post to is missing")
	}
}

// TestBodies: what is sent is JSON within the door's bounds, every id once, a person four times, one in ten to be handed off.
func TestBodies(t *testing.T) {
	t.Parallel()
	type touch struct {
		ID     string `json:"id"`
		Email  string `json:"email"`
		Fields struct {
			HandRaiser bool `json:"hand_raiser"`
		} `json:"fields"`
	}
	var one touch
	if err := json.Unmarshal(person(7), &one); err != nil || one.Email != "p7@example.com" || !one.Fields.HandRaiser {
		t.Errorf("person 7 is %+v, %v", one, err)
	}
	ids, people, raised := map[string]bool{}, map[string]int{}, map[string]bool{}
	for n := 999_000; n < 1_003_000; n += perRequest {
		body := batch(n, perRequest)
		if len(body) > 256<<10 {
			t.Errorf("a batch has %d bytes, the door takes 256 KiB", len(body))
		}
		var touches []touch
		if err := json.Unmarshal(body, &touches); err != nil || len(touches) != perRequest {
			t.Fatalf("a batch of %d: %v", len(touches), err)
		}
		for _, e := range touches {
			ids[e.ID] = true
			people[e.Email]++
			if e.Fields.HandRaiser {
				raised[e.Email] = true
			}
		}
	}
	if len(ids) != 4000 || len(people) != 1000 || len(raised) != 100 {
		t.Errorf("%d ids of %d people, %d of whom raise a hand", len(ids), len(people), len(raised))
	}
}

// TestLines holds the figures to a run that was made up: each webhook 1 ms late, answered after 3 ms, assigned after 10 ms, but one.
func TestLines(t *testing.T) {
	t.Parallel()
	const rate, seconds = 100, 3
	n := rate * (seconds + warmUp)
	run := &trial{due: make([]time.Time, n), sent: make([]time.Time, n), answered: make([]time.Time, n), assigned: make([]time.Time, n)}
	began := time.Unix(1_800_000_000, 0)
	for i := range n {
		run.due[i] = began.Add(time.Duration(i) * time.Second / rate)
		run.sent[i], run.answered[i], run.assigned[i] = run.due[i].Add(time.Millisecond), run.due[i].Add(3*time.Millisecond), run.due[i].Add(10*time.Millisecond)
	}
	run.assigned[0] = run.assigned[0].Add(time.Hour)                  // in the warm-up: not counted
	run.assigned[n-1] = run.assigned[n-1].Add(190 * time.Millisecond) // the slowest of the last second
	run.refused.Add(2)
	lines := run.lines(rate, seconds)
	for i, want := range []struct {
		value float64
		holds bool
	}{{10, false}, {10, true}, {200, true}, {3, true}} {
		if got := lines[i]; got.Ours.Value != want.value || got.Holds != want.holds {
			t.Errorf("%s: %v, holds %t; want %g, %t", got.What, got.Ours, got.Holds, want.value, want.holds)
		}
	}
	if !strings.Contains(lines[0].Note, "late by 1.00 ms at p50") || !strings.Contains(lines[0].Note, "503") {
		t.Errorf("the note says %q", lines[0].Note)
	}
	tail := lines[1].Curve.Series[1].Points
	if len(tail) != seconds || tail[0].Y != 10 || tail[2].Y <= 10 {
		t.Errorf("the curve is %v", tail)
	}
}

// TestNotBuilt: a missing program is said before anything else is done.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	for _, r := range Rows() {
		e := &row.Env{Dir: t.TempDir(), Quick: true, Leadpact: filepath.Join(t.TempDir(), "none"), Plan: func(int) {}, Done: func() {}, Say: func(string, ...any) {}}
		if _, err := r.Run(t.Context(), e); err == nil || !strings.Contains(err.Error(), "run make build") {
			t.Errorf("%s: %v", r.Name, err)
		}
		if left, err := os.ReadDir(e.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v behind, %v", r.Name, left, err)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1_234_567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
