package clock_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// monday is 10:00 in London on a Monday of winter, when London reads UTC.
var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func compile(t testing.TB, spec calendar.Spec) *calendar.Calendar {
	t.Helper()
	c, err := calendar.Compile(spec, monday.AddDate(-1, 0, 0), monday.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func office(t testing.TB) *calendar.Calendar {
	hours := map[time.Weekday][]calendar.Span{}
	for day := time.Monday; day <= time.Friday; day++ {
		hours[day] = []calendar.Span{{Open: 9 * 3600, Close: 17 * 3600}}
	}
	return compile(t, calendar.Spec{Name: "office", Zone: "Europe/London", Weekly: hours})
}

func always(t testing.TB) *calendar.Calendar {
	return compile(t, calendar.Spec{Name: "always", Zone: "UTC", Always: true})
}

var response = agreement.Clock{
	Name: "response", StopsOn: []string{"attempt", "accepted"}, Count: 1, MetBy: []string{"reached"}, Within: 5 * time.Minute, Warn: []int{50, 80},
}

func start(t testing.TB, p agreement.Clock, hours *calendar.Calendar, now time.Time) clock.Clock {
	t.Helper()
	c, err := clock.Start(p, hours, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// did is one input of Step: an activity, or clock.Passed.
type did struct {
	kind  string
	after time.Duration
}

func TestStep(t *testing.T) {
	t.Parallel()
	hours := always(t)
	five := response
	five.Count = 3
	for name, c := range map[string]struct {
		promise agreement.Clock
		steps   []did
		effects []clock.Effect
		state   clock.State
		stopped time.Duration
	}{
		"met by the first":                 {response, []did{{"attempt", time.Minute}}, []clock.Effect{clock.Keeps}, clock.Met, time.Minute},
		"what does not count":              {response, []did{{"rejected", time.Minute}}, []clock.Effect{clock.Nothing}, clock.Open, 0},
		"an instant before due":            {response, []did{{"accepted", 5*time.Minute - time.Microsecond}}, []clock.Effect{clock.Keeps}, clock.Met, 5*time.Minute - time.Microsecond},
		"at due itself it is late":         {response, []did{{"accepted", 5 * time.Minute}}, []clock.Effect{clock.Breaks}, clock.Breached, 5 * time.Minute},
		"noticed late, recorded at due":    {response, []did{{clock.Passed, time.Hour}}, []clock.Effect{clock.Breaks}, clock.Breached, 5 * time.Minute},
		"not a moment early":               {response, []did{{clock.Passed, 5*time.Minute - time.Microsecond}}, []clock.Effect{clock.Warns}, clock.Open, 0},
		"late answer after breach":         {response, []did{{clock.Passed, time.Hour}, {"accepted", time.Hour}}, []clock.Effect{clock.Breaks, clock.Nothing}, clock.Breached, 5 * time.Minute},
		"an answer from before comes late": {response, []did{{clock.Passed, 4 * time.Minute}, {"accepted", time.Minute}}, []clock.Effect{clock.Warns, clock.Keeps}, clock.Met, time.Minute},
		"three needed":                     {five, []did{{"attempt", 1}, {"attempt", 2}, {"accepted", time.Second}}, []clock.Effect{clock.Nothing, clock.Nothing, clock.Keeps}, clock.Met, time.Second},
		"met by at once":                   {five, []did{{"attempt", 1}, {"reached", time.Second}}, []clock.Effect{clock.Nothing, clock.Keeps}, clock.Met, time.Second},
		"each warning once": {
			response, []did{{clock.Passed, 2 * time.Minute}, {clock.Passed, 150 * time.Second}, {clock.Passed, 3 * time.Minute}, {clock.Passed, 4 * time.Minute}, {clock.Passed, 4 * time.Minute}},
			[]clock.Effect{clock.Nothing, clock.Warns, clock.Nothing, clock.Warns, clock.Nothing}, clock.Open, 0,
		},
		"only the highest warning": {response, []did{{clock.Passed, 4 * time.Minute}, {clock.Passed, 4*time.Minute + 1000}}, []clock.Effect{clock.Warns, clock.Nothing}, clock.Open, 0},
		"no warning after breach":  {response, []did{{clock.Passed, time.Hour}, {clock.Passed, 2 * time.Hour}}, []clock.Effect{clock.Breaks, clock.Nothing}, clock.Breached, 5 * time.Minute},
	} {
		now := start(t, c.promise, hours, monday)
		var effects []clock.Effect
		for _, s := range c.steps {
			next, effect, err := clock.Step(c.promise, hours, now, s.kind, monday.Add(s.after))
			if err != nil {
				t.Fatal(err)
			}
			now, effects = next, append(effects, effect)
		}
		if now.State != c.state || !cmp.Equal(effects, c.effects) {
			t.Errorf("%s: %s %v, want %s %v", name, now.State, effects, c.state, c.effects)
		}
		if c.state != clock.Open && !now.StoppedAt.Equal(monday.Add(c.stopped)) {
			t.Errorf("%s: stopped at %s", name, now.StoppedAt)
		}
	}
}

func TestWarningsCountOpenTime(t *testing.T) {
	t.Parallel()
	hours := office(t)
	p := response
	p.Within = 4 * time.Hour
	friday := time.Date(2026, 3, 6, 15, 0, 0, 0, time.UTC) // two hours before the week ends
	c := start(t, p, hours, friday)
	due := time.Date(2026, 3, 9, 11, 0, 0, 0, time.UTC)
	if !c.DueAt.Equal(due) || !c.WakeAt.Equal(friday.Add(2*time.Hour)) {
		t.Fatalf("due %s, first look %s", c.DueAt, c.WakeAt)
	}
	c, effect, err := clock.Step(p, hours, c, clock.Passed, c.WakeAt)
	if err != nil || effect != clock.Warns || c.Warned != 50 {
		t.Fatalf("effect %d, warned %d, %v", effect, c.Warned, err)
	}
	if want := time.Date(2026, 3, 9, 10, 12, 0, 0, time.UTC); !c.WakeAt.Equal(want) {
		t.Fatalf("next look %s, want %s", c.WakeAt, want)
	}
	c, _, _ = clock.Step(p, hours, c, clock.Passed, c.WakeAt)
	if c.Warned != 80 || !c.WakeAt.Equal(due) {
		t.Fatalf("warned %d, next look %s", c.Warned, c.WakeAt)
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	p := response
	p.Within = 2 * time.Hour
	early := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	c := start(t, p, office(t), early) // due at 11:00
	moved, changed, err := clock.Move(p, always(t), c, early.Add(time.Hour))
	if err != nil || !changed || !moved.DueAt.Equal(early.Add(2*time.Hour)) {
		t.Fatalf("moved %v to %s (%v)", changed, moved.DueAt, err)
	}
	if again, changed, _ := clock.Move(p, always(t), moved, early.Add(time.Hour)); changed || !cmp.Equal(again, moved) {
		t.Fatal("a second look at the same hours moved it again")
	}
	if _, changed, _ := clock.Move(p, always(t), c, early.Add(150*time.Minute)); changed {
		t.Fatal("new hours made the promise fall due in the past")
	}
	if _, changed, _ := clock.Move(p, always(t), c.Cancel(early), early); changed {
		t.Fatal("a cancelled clock was moved")
	}
}

func TestCancelIsFinal(t *testing.T) {
	t.Parallel()
	hours := always(t)
	c := start(t, response, hours, monday).Cancel(monday.Add(time.Minute))
	after, effect, err := clock.Step(response, hours, c, clock.Passed, monday.Add(time.Hour))
	if err != nil || effect != clock.Nothing || after.State != clock.Cancelled || !after.StoppedAt.Equal(monday.Add(time.Minute)) {
		t.Fatalf("%+v, effect %d, %v", after, effect, err)
	}
}

// A clock that is looked at whenever it asks for it, and at any other instants, ends as one that was looked at once: kept exactly
// when enough was done before due, else broken at due.
func TestWhenItIsLookedAtChangesNothing(t *testing.T) {
	t.Parallel()
	hours := office(t)
	rapid.Check(t, func(t *rapid.T) {
		p := agreement.Clock{
			Name: "x", StopsOn: []string{"attempt"}, MetBy: []string{"reached"},
			Count:  rapid.IntRange(1, 4).Draw(t, "count"),
			Within: time.Duration(rapid.Int64Range(1, int64(200*time.Hour/time.Microsecond)).Draw(t, "within")) * time.Microsecond,
			Warn:   []int{25, 50, 75, 99},
		}
		c, err := clock.Start(p, hours, monday)
		if err != nil {
			t.Fatal(err)
		}
		due := c.DueAt
		now, counted, met, warned := monday, 0, false, 0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "jump") {
			case 0:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(due.Sub(monday)/time.Microsecond)).Draw(t, "by")) * time.Microsecond)
			case 1:
				now = later(now, c.WakeAt)
			case 2:
				now = later(now, due.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "beside"))*time.Microsecond))
			}
			kind := rapid.SampledFrom([]string{clock.Passed, "attempt", "reached", "other"}).Draw(t, "kind")
			if now.Before(due) && !met {
				if kind == "attempt" {
					counted++
				}
				met = counted >= p.Count || kind == "reached"
			}
			before := c
			var effect clock.Effect
			if c, effect, err = clock.Step(p, hours, c, kind, now); err != nil {
				t.Fatal(err)
			}
			switch {
			case effect == clock.Warns && (c.Warned <= warned || !now.Before(due)):
				t.Fatalf("warned at %d %% after %d %%, at %s of %s", c.Warned, warned, now, due)
			case effect == clock.Breaks && (met || now.Before(due) || before.State != clock.Open || !c.StoppedAt.Equal(due)):
				t.Fatalf("broke at %s, due %s, met %v", now, due, met)
			case c.State == clock.Met && !met, c.State == clock.Open && (met || !now.Before(due)):
				t.Fatalf("state %s at %s, due %s, met %v", c.State, now, due, met)
			case c.State == clock.Open && c.WakeAt.After(due):
				t.Fatalf("sleeps until %s, due %s", c.WakeAt, due)
			}
			warned = c.Warned
		}
	})
}

// Kept says of deeds, in whatever order they are given, what Step says when it is told of them in the order in which they were done.
func TestKeptIsStepInOrder(t *testing.T) {
	t.Parallel()
	hours := always(t)
	rapid.Check(t, func(t *rapid.T) {
		p := agreement.Clock{
			Name: "x", StopsOn: []string{"attempt"}, MetBy: []string{"reached"}, Count: rapid.IntRange(1, 3).Draw(t, "count"), Within: 10 * time.Minute,
		}
		c, err := clock.Start(p, hours, monday)
		if err != nil {
			t.Fatal(err)
		}
		var deeds []clock.Deed
		at := monday
		stepped := c
		for range rapid.IntRange(0, 8).Draw(t, "deeds") {
			at = at.Add(time.Duration(rapid.Int64Range(1, 200).Draw(t, "seconds")) * time.Second)
			d := clock.Deed{Kind: rapid.SampledFrom([]string{"attempt", "reached", "accepted", "other"}).Draw(t, "kind"), At: at}
			deeds = append(deeds, d)
			if stepped, _, err = clock.Step(p, hours, stepped, d.Kind, d.At); err != nil {
				t.Fatal(err)
			}
		}
		given := rapid.Permutation(append([]clock.Deed{{Kind: "reached", At: monday.Add(-time.Microsecond)}}, deeds...)).Draw(t, "given")
		last, ok := clock.Kept(p, c, given)
		if ok != (stepped.State == clock.Met) || ok && !last.At.Equal(stepped.StoppedAt) {
			t.Fatalf("kept %v, by %+v; stepped to %+v", ok, last, stepped)
		}
	})
}

// A lead is taken on once, however often somebody says so.
func TestKeptCountsATakingOnOnce(t *testing.T) {
	t.Parallel()
	twice := response
	twice.Count, twice.MetBy = 2, nil
	c := start(t, twice, always(t), monday)
	minute := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Minute) }
	deeds := []clock.Deed{{Kind: "accepted", At: minute(1)}, {Kind: "accepted", At: minute(2)}}
	if last, ok := clock.Kept(twice, c, deeds); ok {
		t.Errorf("kept by %+v", last)
	}
	if last, ok := clock.Kept(twice, c, append(deeds, clock.Deed{Kind: "attempt", At: minute(4)})); !ok || !last.At.Equal(minute(4)) {
		t.Errorf("%v, %+v", ok, last)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// New hours may hold the due time that was promised no longer, nor a warning before it: the promise goes on, without the warning.
func TestHoursThatEndTakeTheWarning(t *testing.T) {
	t.Parallel()
	long := agreement.Clock{Name: "long", StopsOn: []string{"attempt"}, Count: 1, Within: 1000 * 24 * time.Hour, Warn: []int{50}}
	c := start(t, long, always(t), monday)
	after, effect, err := clock.Step(long, office(t), c, clock.Passed, c.WakeAt)
	if err != nil || effect != clock.Nothing || after.State != clock.Open || !after.WakeAt.Equal(c.DueAt) {
		t.Errorf("at the warning: %+v, %v, %v", after, effect, err)
	}
	if after, effect, err = clock.Step(long, office(t), after, clock.Passed, c.DueAt); err != nil || effect != clock.Breaks {
		t.Errorf("at due: %+v, %v, %v", after, effect, err)
	}
}
