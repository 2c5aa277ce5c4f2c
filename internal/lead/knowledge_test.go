package lead_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

func TestWhoWinsAField(t *testing.T) {
	t.Parallel()
	say := func(source, id string, micros int64, size float64) lead.Fact {
		return lead.Fact{Source: source, ID: id, Kind: lead.Touch, OccurredAt: at(micros), Fields: map[string]any{"size": size}}
	}
	for _, c := range []struct {
		name string
		a, b lead.Fact
		want float64
	}{
		{"the better source, though older", say("crm", "1", 1, 10), say("web", "2", 9, 20), 10},
		{"the newer of equal sources", say("web", "1", 9, 10), say("ads", "2", 1, 20), 10},
		{"at one instant the greater source", say("ads", "9", 5, 10), say("web", "1", 5, 20), 20},
		{"from one source the greater id", say("web", "a", 5, 10), say("web", "b", 5, 20), 20},
		{"a number over what is none", say("crm", "1", 9, math.NaN()), say("web", "1", 5, 20), 20},
	} {
		for _, k := range []lead.Knowledge{fold(c.a, c.b), fold(c.b, c.a)} {
			if got := k.Fields["size"].Value; got != c.want {
				t.Errorf("%s: size is %v, want %v", c.name, got, c.want)
			}
		}
	}
	guess := func(f lead.Fact, confidence float64) lead.Fact {
		f.Confidence = confidence
		return f
	}
	for _, c := range []struct {
		name string
		a, b lead.Fact
		want float64
	}{
		{"a form's own word over a newer guess", say("web", "1", 1, 10), guess(say("ads", "2", 9, 20), 0.6), 10},
		{"the surer of two guesses, though older", guess(say("web", "1", 1, 10), 0.9), guess(say("ads", "2", 9, 20), 0.6), 10},
		{"the newer of two that are as sure", guess(say("web", "1", 1, 10), 0.6), guess(say("ads", "2", 9, 20), 0.6), 20},
		{"a guess of the better source over another's own word", guess(say("crm", "1", 1, 10), 0.1), say("web", "2", 9, 20), 10},
		{"full confidence said is as none said: the newer", guess(say("web", "1", 1, 10), 1), say("ads", "2", 9, 20), 20},
	} {
		for _, k := range []lead.Knowledge{fold(c.a, c.b), fold(c.b, c.a), lead.Merge(fold(c.b), fold(c.a))} {
			if got := k.Fields["size"].Value; got != c.want {
				t.Errorf("%s: size is %v, want %v", c.name, got, c.want)
			}
		}
	}
	k := fold(lead.Fact{Source: "web", ID: "1", Kind: lead.Touch, OccurredAt: at(1),
		Fields: map[string]any{"size": "large", "undeclared": 1.0}})
	if len(k.Fields) != 0 {
		t.Errorf("fields of another type or none are known: %v", k.Fields)
	}
}

func TestFirstAndLastTouch(t *testing.T) {
	t.Parallel()
	k := fold(
		lead.Fact{Source: "web", ID: "2", Kind: lead.Touch, OccurredAt: at(20), Channel: "paid"},
		lead.Fact{Source: "web", ID: "1", Kind: lead.Touch, OccurredAt: at(10), Channel: "organic"},
		lead.Fact{Source: "crm", ID: "0", Kind: lead.Outcome, Name: lead.Won, OccurredAt: at(5)},
		lead.Fact{Source: "crm", ID: "3", Kind: lead.Outcome, Name: lead.Won, OccurredAt: at(30)},
	)
	if k.First.Channel != "organic" || k.Last.Channel != "paid" || !k.Latest.Equal(at(30)) {
		t.Errorf("first %+v, last %+v, latest %v", k.First, k.Last, k.Latest)
	}
	if fold(lead.Fact{Source: "crm", ID: "0", Kind: lead.Outcome, Name: lead.Won, OccurredAt: at(5)}).Touched() {
		t.Error("an outcome alone made a lead")
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	recorded := at(1_000_000_000_000)
	for _, c := range []struct{ occurred, want time.Time }{
		{recorded.Add(-time.Hour), recorded.Add(-time.Hour)},
		{recorded.Add(lead.Ahead), recorded.Add(lead.Ahead)},
		{recorded.Add(lead.Ahead + time.Microsecond), recorded},
		{recorded.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600)), recorded},
	} {
		got := lead.Settle(lead.Fact{OccurredAt: c.occurred, RecordedAt: recorded}).OccurredAt
		if got != c.want {
			t.Errorf("occurred %v is settled at %v, want %v", c.occurred, got, c.want)
		}
	}
}

func TestDidCountsTheCycle(t *testing.T) {
	t.Parallel()
	k := fold(
		lead.Fact{Source: "crm", ID: "1", Kind: lead.Outcome, Name: lead.Attempt, OccurredAt: at(10)},
		lead.Fact{Source: "crm", ID: "2", Kind: lead.Outcome, Name: lead.Attempt, OccurredAt: at(20)},
		lead.Fact{Source: "handoff", ID: "3", Kind: lead.Activity, Name: lead.Attempt, OccurredAt: at(30), Cycle: 1},
		lead.Fact{Source: "handoff", ID: "4", Kind: lead.Activity, Name: lead.Rejected, Reason: "not now", OccurredAt: at(31), Cycle: 1},
		lead.Fact{Source: "handoff", ID: "5", Kind: lead.Activity, Name: lead.Attempt, OccurredAt: at(5), Cycle: 2},
	)
	for _, c := range []struct {
		cycle             uint32
		since             time.Time
		attempt, rejected int64
	}{
		{1, time.Time{}, 3, 1},
		{2, at(20), 2, 0},
		{2, at(21), 1, 0},
	} {
		if did := k.Did(c.cycle, c.since); did[lead.Attempt] != c.attempt || did[lead.Rejected] != c.rejected {
			t.Errorf("cycle %d since %v did %v", c.cycle, c.since, did)
		}
	}
	if !k.Deeds[lead.Rejected][0].Recycles {
		t.Error("the rejection does not recycle")
	}
}

// One touch is worth points · 2^-(age/half-life), to the stated error, at any age and for any half-life.
func TestPointsDecay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		points := rapid.Float64Range(-1000, 1000).Draw(t, "points")
		h := time.Duration(rapid.Int64Range(1, 400*86_400_000_000).Draw(t, "half-life")) * time.Microsecond
		occurred := at(rapid.Int64Range(-1e15, 4e15).Draw(t, "occurred"))
		now := occurred.Add(time.Duration(rapid.Int64Range(0, 86_400_000_000_000).Draw(t, "age")) * time.Microsecond)
		k := lead.Fold(gaining{points, h}, lead.Knowledge{}, lead.Fact{Source: "web", ID: "1", Kind: lead.Touch, OccurredAt: occurred})
		want := points * math.Exp2(-float64(now.Sub(occurred))/float64(h))
		if got := k.Points("rule", h, now); math.Abs(got-want) > math.Ldexp(1, -20)+math.Abs(want)*1e-9 {
			t.Fatalf("worth %v, want %v", got, want)
		}
		kept := lead.Fold(gaining{points, 0}, lead.Knowledge{}, lead.Fact{Source: "web", ID: "1", Kind: lead.Touch, OccurredAt: occurred})
		if got := kept.Points("rule", 0, now); math.Abs(got-points) > math.Ldexp(1, -20) {
			t.Fatalf("points without a half-life are worth %v, want %v", got, points)
		}
	})
}

// Many touches are worth the sum of each, those beyond the window included to the stated error.
func TestPointsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := time.Hour
		var all []lead.Fact
		for i, minutes := range rapid.SliceOfN(rapid.Int64Range(0, 60*60), 1, 80).Draw(t, "minutes") {
			all = append(all, lead.Fact{Source: "web", ID: time.Duration(i).String(), Kind: lead.Touch,
				OccurredAt: at(1_700_000_000_000_000 + minutes*60_000_000)})
		}
		k := lead.Fold(gaining{7, h}, lead.Knowledge{}, all...)
		now := k.Latest.Add(time.Duration(rapid.Int64Range(0, 600).Draw(t, "later")) * time.Minute)
		want := 0.0
		for _, f := range all {
			want += 7 * math.Exp2(-float64(now.Sub(f.OccurredAt))/float64(h))
		}
		if got := k.Points("rule", h, now); math.Abs(got-want) > float64(len(all))*math.Ldexp(1, -20)+want*1e-9 {
			t.Fatalf("worth %v, want %v", got, want)
		}
	})
}

// gaining gives every touch the same gain.
type gaining struct {
	points   float64
	halfLife time.Duration
}

func (gaining) Rank(string, string) int   { return 0 }
func (gaining) Declared(string, any) bool { return true }
func (gaining) Recycles(string) bool      { return false }
func (gaining) Purpose(string) bool       { return false }
func (g gaining) Engage(lead.Fact) []lead.Gain {
	return []lead.Gain{{Rule: "rule", Points: g.points, HalfLife: g.halfLife}}
}
