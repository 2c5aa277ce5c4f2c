package demo

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPlan: one seed, one plan, to the byte; and in every plan something of all that real senders do.
func TestPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		duration := time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second
		one, other := plan(seed, duration, machinePace), plan(seed, duration, machinePace)
		if !reflect.DeepEqual(one, other) || digest(one) != digest(other) {
			t.Fatal("two plans of one seed differ")
		}
		if digest(one) == digest(plan(seed+1, duration, machinePace)) {
			t.Fatal("two seeds give one plan")
		}
		first := map[string]string{}
		for i, r := range one {
			if r.After < 0 || r.After >= duration || (i > 0 && r.After < one[i-1].After) {
				t.Fatalf("request %d is sent after %s of %s", i, r.After, duration)
			}
			if json.Valid(r.Body) == r.Broken {
				t.Fatalf("request %s: broken is %v, the body is %s", r.ID, r.Broken, r.Body)
			}
			if was, ok := first[r.Source+r.ID]; ok && was != string(r.Body) {
				t.Fatalf("request %s has two bodies", r.ID)
			}
			first[r.Source+r.ID] = string(r.Body)
			if len(r.IDs) == 0 != r.Broken {
				t.Fatalf("request %s holds the events %v", r.ID, r.IDs)
			}
		}
	})
}

func TestPlanHasAllKinds(t *testing.T) {
	t.Parallel()
	var forged, broken, again, batches int
	sources, seen := map[string]int{}, map[string]bool{}
	for _, r := range plan(7, 5*time.Minute, machinePace) {
		sources[r.Source]++
		switch {
		case r.Forged:
			forged++
		case r.Broken:
			broken++
		case seen[r.Source+r.ID]:
			again++
		}
		if !r.Forged {
			seen[r.Source+r.ID] = true
		}
		if len(r.IDs) > 1 {
			batches++
		}
	}
	if len(sources) != 3 || forged == 0 || broken == 0 || again == 0 || batches == 0 {
		t.Errorf("sources %v, %d forged, %d broken, %d again, %d batches", sources, forged, broken, again, batches)
	}
}
