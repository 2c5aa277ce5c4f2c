package clock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

func TestGovern(t *testing.T) {
	t.Parallel()
	promise := agreement.Clock{
		Name: "call", StopsOn: []string{"attempt", "accepted"}, MetBy: []string{"reached"}, Count: 2, Within: time.Hour, Warn: []int{50}, Calendar: "always",
	}
	// term is the promise as a version makes it that came into force so long after the clock's start.
	term := func(from, within time.Duration, change ...func(*clock.Term)) clock.Term {
		t := clock.Term{From: monday.Add(from), Since: monday.Add(from), Promise: promise, Hours: always(t)}
		t.Promise.Within = within
		for _, c := range change {
			c(&t)
		}
		return t
	}
	half := 30 * time.Minute
	since := func(after time.Duration) func(*clock.Term) {
		return func(t *clock.Term) { t.Since = monday.Add(after) }
	}
	// turn is a clock that goes on under a term: due and looked at next so long after its start.
	type turn struct {
		term      int
		due, wake time.Duration
		warned    int
	}
	for name, c := range map[string]struct {
		terms  []clock.Term
		before func(*clock.Clock)
		want   []turn
	}{
		"no other version":          {nil, nil, nil},
		"more time":                 {[]clock.Term{term(half, 2*time.Hour)}, nil, []turn{{0, 2 * time.Hour, time.Hour, 0}}},
		"less time":                 {[]clock.Term{term(half, 45*time.Minute)}, nil, []turn{{0, 45 * time.Minute, 22*time.Minute + 30*time.Second, 0}}},
		"the same":                  {[]clock.Term{term(half, time.Hour)}, nil, []turn{{0, time.Hour, half, 0}}},
		"it would have been due":    {[]clock.Term{term(half, 20*time.Minute)}, nil, nil},
		"it would be due just then": {[]clock.Term{term(half, half)}, nil, nil},
		"it is due right after":     {[]clock.Term{term(half, half+2*time.Microsecond)}, nil, []turn{{0, half + 2*time.Microsecond, 15*time.Minute + time.Microsecond, 0}}},
		"due before its hours were": {[]clock.Term{term(half, 45*time.Minute, since(45*time.Minute))}, nil, nil},
		"due after its hours were":  {[]clock.Term{term(half, 45*time.Minute, since(44*time.Minute))}, nil, []turn{{0, 45 * time.Minute, 22*time.Minute + 30*time.Second, 0}}},
		"started with it":           {[]clock.Term{term(0, 2*time.Hour)}, nil, nil},
		"started after it":          {[]clock.Term{term(-half, 2*time.Hour)}, nil, nil},
		"due when it comes":         {[]clock.Term{term(time.Hour, 2*time.Hour)}, nil, nil},
		"kept":                      {[]clock.Term{term(half, 2*time.Hour)}, func(c *clock.Clock) { c.State = clock.Met }, nil},
		"broken":                    {[]clock.Term{term(half, 2*time.Hour)}, func(c *clock.Clock) { c.State = clock.Breached }, nil},
		"cancelled":                 {[]clock.Term{term(half, 2*time.Hour)}, func(c *clock.Clock) { c.State = clock.Cancelled }, nil},
		"other activities":          {[]clock.Term{term(half, 2*time.Hour, func(t *clock.Term) { t.Promise.StopsOn = []string{"attempt"} })}, nil, nil},
		"another way to keep it":    {[]clock.Term{term(half, 2*time.Hour, func(t *clock.Term) { t.Promise.MetBy = nil })}, nil, nil},
		"more often":                {[]clock.Term{term(half, 2*time.Hour, func(t *clock.Term) { t.Promise.Count = 3 })}, nil, nil},
		"the same in another order": {[]clock.Term{term(half, 2*time.Hour, func(t *clock.Term) { t.Promise.StopsOn = []string{"accepted", "attempt"} })}, nil, []turn{{0, 2 * time.Hour, time.Hour, 0}}},
		"hours that never hold it":  {[]clock.Term{term(half, 20*365*24*time.Hour)}, nil, nil},
		"hours that pause it": {
			[]clock.Term{term(half, 10*time.Hour, func(x *clock.Term) { x.Hours = office(t) })}, nil,
			[]turn{{0, 26 * time.Hour, 5 * time.Hour, 0}}, // 10:00 to 17:00, and from 9:00 to 12:00
		},
		"a warning that was told is told again, later": {[]clock.Term{term(45*time.Minute, 2*time.Hour)}, func(c *clock.Clock) { c.Warned = 50 }, []turn{{0, 2 * time.Hour, time.Hour, 0}}},
		"a warning that was told stays told":           {[]clock.Term{term(45*time.Minute, 80*time.Minute)}, func(c *clock.Clock) { c.Warned = 50 }, []turn{{0, 80 * time.Minute, 80 * time.Minute, 50}}},
		"both in order": {
			[]clock.Term{term(20*time.Minute, 2*time.Hour), term(90*time.Minute, 3*time.Hour)}, nil,
			[]turn{{0, 2 * time.Hour, time.Hour, 0}, {1, 3 * time.Hour, 90 * time.Minute, 0}},
		},
		"the later one alone":  {[]clock.Term{term(20*time.Minute, 10*time.Minute), term(50*time.Minute, 3*time.Hour)}, nil, []turn{{1, 3 * time.Hour, 90 * time.Minute, 0}}},
		"due before the later": {[]clock.Term{term(20*time.Minute, 40*time.Minute), term(50*time.Minute, 3*time.Hour)}, nil, []turn{{0, 40 * time.Minute, 20 * time.Minute, 0}}},
		"alive through the first": {
			[]clock.Term{term(50*time.Minute, 2*time.Hour), term(70*time.Minute, 100*time.Minute)}, nil,
			[]turn{{0, 2 * time.Hour, time.Hour, 0}, {1, 100 * time.Minute, 50 * time.Minute, 0}},
		},
	} {
		before := start(t, promise, always(t), monday)
		before.Counted = 1
		if c.before != nil {
			c.before(&before)
		}
		var want []clock.Turn
		for _, w := range c.want {
			after := before
			after.DueAt, after.WakeAt, after.Warned = monday.Add(w.due), monday.Add(w.wake), w.warned
			want = append(want, clock.Turn{Term: w.term, Clock: after})
		}
		got, err := clock.Govern(promise, before, c.terms)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// However often a clock is looked at while versions come, it ends as one that was looked at once.
func TestWhenItIsGovernedChangesNothing(t *testing.T) {
	t.Parallel()
	hours := []*calendar.Calendar{always(t), office(t)}
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(label string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Minute
		}
		promise := agreement.Clock{Name: "x", StopsOn: []string{"attempt"}, Count: 1, Within: minutes("within", 1, 3000)}
		first, err := clock.Start(promise, hours[0], monday)
		if err != nil {
			t.Fatal(err)
		}
		var terms []clock.Term
		from := monday
		for i := range rapid.IntRange(1, 4).Draw(t, "versions") {
			from = from.Add(minutes(fmt.Sprint("from", i), 1, 1000))
			next := promise
			next.Within = minutes(fmt.Sprint("within", i), 1, 3000)
			next.Count = rapid.IntRange(1, 2).Draw(t, fmt.Sprint("count", i)) // sometimes another promise
			terms = append(terms, clock.Term{From: from, Since: from, Promise: next, Hours: hours[rapid.IntRange(0, 1).Draw(t, fmt.Sprint("hours", i))]})
		}
		end := from.Add(minutes("end", 0, 9000))

		// look governs the clock by what has come since the last term that took it over, and lets time pass.
		look := func(c clock.Clock, last int, now time.Time) (clock.Clock, int) {
			under, own, come := promise, hours[0], last+1
			if last >= 0 {
				under, own = terms[last].Promise, terms[last].Hours
			}
			for come < len(terms) && !terms[come].From.After(now) {
				come++
			}
			turns, err := clock.Govern(under, c, terms[last+1:come])
			if err != nil {
				t.Fatal(err)
			}
			if n := len(turns); n > 0 {
				last += 1 + turns[n-1].Term
				c, under, own = turns[n-1].Clock, terms[last].Promise, terms[last].Hours
			}
			c, _, err = clock.Step(under, own, c, clock.Passed, now)
			if err != nil {
				t.Fatal(err)
			}
			return c, last
		}
		once, under := look(first, -1, end)
		often, last := first, -1
		for now := monday; now.Before(end); now = now.Add(minutes("look", 1, 700)) {
			often, last = look(often, last, now)
		}
		often, last = look(often, last, end)
		if last != under || !cmp.Equal(once, often) {
			t.Fatalf("looked at once: %+v under %d; often: %+v under %d", once, under, often, last)
		}
	})
}
