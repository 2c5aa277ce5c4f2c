package stage_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

func TestAdopt(t *testing.T) {
	t.Parallel()
	plain, strict := parse(t), needing(t)
	for name, c := range map[string]struct {
		facts   []string
		want    string
		refusal stage.Refusal
		// after is what is told after the adoption, then what it leads to.
		after, then string
	}{
		"nobody":                      {nil, "", stage.Early, "", ""},
		"too early":                   {[]string{"h 0 visit"}, "", stage.Early, "", ""},
		"at the handoff point":        {[]string{"h 0 large", "h 1 form"}, "1.3 mql!", "", "9 form", ""},
		"then live":                   {[]string{"h 0 large", "h 1 form"}, "1.3 mql!", "", "9 accepted @1", "1.4 sal"},
		"then recycled":               {[]string{"h 0 large", "h 1 form"}, "1.3 mql!", "", "9 rejected:not-now @1", "1.4 nurture"},
		"beyond it":                   {[]string{"h 0 large", "h 1 form", "h 2 accepted"}, "1.4 sal!", "", "9 form", ""},
		"won":                         {[]string{"h 0 large", "h 1 form", "h 2 won"}, "", stage.Over, "", ""},
		"lost":                        {[]string{"h 0 large", "h 1 form", "h 2 lost"}, "", stage.Over, "", ""},
		"back after a loss":           {[]string{"h 0 visit", "h 1 lost", "h 2 large", "h 3 form"}, "2.3 mql!", "", "9 form", ""},
		"handed off by a live touch":  {[]string{"h 0 large", "h 1 form", "2 visit"}, "", stage.Before, "", ""},
		"handed off live":             {[]string{"0 large", "1 form"}, "", stage.Before, "", ""},
		"history that comes after it": {[]string{"h 5 large", "h 6 form"}, "1.3 mql!", "", "h 2 won", ""},

		"forbidden":                         {[]string{"h 0 large", "h 1 form", "h 2 no:contact"}, "", stage.DoNotContact, "", ""},
		"forbidden and allowed":             {[]string{"h 0 large", "h 1 form", "h 2 no:contact", "h 3 yes:contact"}, "1.3 mql!", "", "9 form", ""},
		"forbidden later":                   {[]string{"h 0 large", "h 1 form"}, "1.3 mql!", "", "9 no:contact", "1.4 mqlx"},
		"too early and forbidden":           {[]string{"h 0 visit", "h 2 no:contact"}, "", stage.Early, "", ""},
		"withheld, and history allows it":   {[]string{"0 no:contact", "1 large", "2 form", "h 3 yes:contact"}, "1.3 mql!", "", "9 form", ""},
		"taken back":                        {[]string{"0 large", "1 form", "2 no:contact"}, "", stage.DoNotContact, "", ""},
		"taken back, and history allows it": {[]string{"0 large", "1 form", "2 no:contact", "h 3 yes:contact"}, "2.3 mql!", "", "9 form", ""},
		"needs what was not said":           {[]string{"h 0 large", "h 1 form"}, "", stage.NoConsent, "", ""},
		"needs what was granted":            {[]string{"h 0 large", "h 1 form", "h 1 yes:marketing"}, "1.3 mql!", "", "9 form", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := plain
			if strings.HasPrefix(name, "needs") {
				a = strict
			}
			teller := newTeller(a)
			for _, words := range c.facts {
				teller.tell(tell(words))
			}
			before := teller.state
			got := stage.Adopt(a, before, teller.known, day(8))
			if path(got.Changes) != c.want || got.Refusal != c.refusal {
				t.Fatalf("%s, refused as %q", path(got.Changes), got.Refusal)
			}
			if c.refusal != "" && got.State != before {
				t.Errorf("refused, and yet the state became %+v", got.State)
			}
			teller.state = got.State
			if again := stage.Adopt(a, teller.state, teller.known, day(8)); c.refusal == "" && (again.Refusal != stage.Before || len(again.Changes) > 0) {
				t.Errorf("a second time: %s, refused as %q", path(again.Changes), again.Refusal)
			}
			if c.after != "" {
				if then := path(teller.tell(tell(c.after))); then != c.then {
					t.Errorf("after it %q leads to %q, not %q", c.after, then, c.then)
				}
			}
		})
	}
}

// A lead is decided on as of now: its stage stays, its score does not.
func TestAdoptLater(t *testing.T) {
	t.Parallel()
	teller := newTeller(parse(t))
	teller.tell(tell("h 0 large"))
	teller.tell(tell("h 0 form"))
	soon, late := stage.Adopt(teller.a, teller.state, teller.known, day(0)), stage.Adopt(teller.a, teller.state, teller.known, day(900))
	if s := soon.Card.Lead; s.Score != 55 || soon.Changes[0].Card.Lead.Score != 55 {
		t.Errorf("at once its score is %v", s.Score)
	}
	if s := late.Card.Lead; s.Score != 25 || late.Changes[0].Card.Lead.Score != 25 || late.Refusal != "" || !late.Changes[0].At.Equal(day(900)) {
		t.Errorf("after years its score is %v, and it is refused as %q", s.Score, late.Refusal)
	}
	// A moment before what is known of it is not gone back to.
	if early := stage.Adopt(teller.a, teller.state, teller.known, day(-1)); early.Card.Lead.Score != 55 || early.Changes[0].At.Before(day(0)) {
		t.Errorf("adopted before its facts: %+v", early.Changes)
	}
}

// Another agreement than that of its history decides: the step that is due is made, and handed off.
func TestAdoptUnderAnotherAgreement(t *testing.T) {
	t.Parallel()
	old := newTeller(parse(t))
	old.tell(tell("h 0 large"))
	a := parse(t, "score >= 50", "score >= 20")
	known := newTeller(a)
	for _, f := range old.facts {
		known.tell(f)
	}
	got := stage.Adopt(a, old.state, known.known, day(8))
	if path(got.Changes) != "1.2 mql!" || got.State.Stage != "mql" || got.Card.Lead.Stage != "mql" {
		t.Errorf("%s, at %s", path(got.Changes), got.Card.Lead.Stage)
	}
}

// Whatever was told before: either nothing changes, or there is one handoff, numbered on, of a cycle that had none, and no second one.
func TestAdoptOnce(t *testing.T) {
	t.Parallel()
	a := parse(t)
	rapid.Check(t, func(t *rapid.T) {
		teller := newTeller(a)
		for _, f := range facts(false).Draw(t, "facts") {
			teller.tell(f)
		}
		before := teller.state
		got := stage.Adopt(a, before, teller.known, day(rapid.IntRange(0, 200).Draw(t, "now")))
		if got.Refusal != "" {
			if len(got.Changes) > 0 || got.State != before {
				t.Fatalf("refused as %s, and yet %s", got.Refusal, path(got.Changes))
			}
			return
		}
		last, handoffs := stage.Change{Cycle: before.Cycle, N: before.N, To: before.Stage, At: before.At}, 0
		for _, c := range got.Changes {
			if c.Cycle == last.Cycle && c.N != last.N+1 || c.From != last.To || c.At.Before(last.At) {
				t.Fatalf("%+v follows %+v", c, last)
			}
			if c.Handoff {
				handoffs++
			}
			last = c
		}
		for _, c := range teller.all {
			if c.Handoff && c.Cycle == got.State.Cycle {
				t.Fatalf("cycle %d was handed off before", c.Cycle)
			}
		}
		if s := got.State; handoffs != 1 || !s.Handed || s.Stage != last.To || s.N != last.N || s.Cycle != last.Cycle {
			t.Fatalf("%d handoffs in %s, then %+v", handoffs, path(got.Changes), s)
		}
		teller.state = got.State
		if again := stage.Adopt(a, teller.state, teller.known, day(300)); again.Refusal == "" {
			t.Fatalf("a second time: %s", path(again.Changes))
		}
		more := facts(false).Draw(t, "more")
		for i, f := range more {
			f.ID = "more " + f.ID
			for _, c := range teller.tell(f) {
				if c.Handoff && c.Cycle == got.State.Cycle {
					t.Fatalf("fact %d of those after it hands cycle %d off again", i, c.Cycle)
				}
			}
		}
	})
}

// What Adopt shows of a lead is what a look at it shows.
func TestAdoptCard(t *testing.T) {
	t.Parallel()
	teller := newTeller(parse(t))
	teller.tell(tell("h 0 large"))
	got := stage.Adopt(teller.a, teller.state, teller.known, day(3))
	want := score.Of(teller.a, teller.known, score.Position{Stage: "new", Cycle: 1}, day(3))
	if got.Refusal != stage.Early || got.Card.Lead.Score != want.Lead.Score || got.Card.Lead.Grade != want.Lead.Grade || got.Card.Lead.Stage != "new" {
		t.Errorf("refused as %q with %+v, not %+v", got.Refusal, got.Card.Lead, want.Lead)
	}
}
