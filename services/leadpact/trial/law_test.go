package trial_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/trial"
)

// drawn is some lead under the example.
func drawn(t *rapid.T, a *agreement.Agreement) trial.Lead {
	maybe := func(name string, values ...any) (any, bool) {
		v := rapid.SampledFrom(append(values, nil)).Draw(t, name)
		return v, v != nil
	}
	fields := func(prefix string) map[string]any {
		out := map[string]any{}
		for _, f := range []struct {
			name   string
			values []any
		}{
			{"employees", []any{1.0, 9.0, 10.0, 120.0, 5000.0}}, {"industry", []any{"software", "farming"}}, {"country", []any{"US", "IE", "DE"}},
			{"job_title", []any{"Founder", "Head of Marketing", "Student"}}, {"hand_raiser", []any{true, false}}, {"budget", []any{"yes"}},
		} {
			if v, ok := maybe(prefix+f.name, f.values...); ok {
				out[f.name] = v
			}
		}
		return out
	}
	l := trial.Lead{
		Source: rapid.SampledFrom([]string{"website", "forms", "crm"}).Draw(t, "source"), Fields: fields(""), Did: map[string]int{},
		Channel: rapid.SampledFrom([]string{"", "paid", "unlisted"}).Draw(t, "channel"),
		Stage:   rapid.SampledFrom([]string{"", "", "", "lead", "mql", "sal", "recycled", "lost"}).Draw(t, "stage"),
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "touches") {
		n := fmt.Sprint(i)
		touch := trial.Touch{Kind: rapid.SampledFrom([]string{"form_submitted", "webinar_attended", "page_viewed", "other"}).Draw(t, "kind"+n)}
		if days := rapid.IntRange(0, 90).Draw(t, "days"+n); days > 0 {
			touch.At = at.AddDate(0, 0, -days)
		}
		if rapid.Bool().Draw(t, "told"+n) {
			touch.Fields = fields(n)
		}
		l.Touches = append(l.Touches, touch)
	}
	for _, kind := range agreement.Kinds() {
		if n := rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, kind); n > 0 {
			l.Did[kind] = n
		}
	}
	if l.Did[agreement.Rejected] > 0 {
		l.Reason = rapid.SampledFrom(a.Rejections).Draw(t, "reason").Reason
	}
	return l
}

// decided is what an answer says of one decision.
func decided(a trial.Answer, of string) string {
	return map[string]string{"stage": a.Stage, "grade": a.Grade, "persona": a.Persona, "route": a.Handoff.Pool}[of]
}

// TestWhatIsSuggestedTurnsIt: a lead that is changed as suggested fits the agreement, and is decided on as said.
func TestWhatIsSuggestedTurnsIt(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	suggested := 0
	rapid.Check(t, func(t *rapid.T) {
		l := drawn(t, a)
		before := fmt.Sprintf("%+v", l)
		answer, err := trial.Ask(trial.Question{Agreement: a, Lead: l, At: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range answer.Otherwise {
			if o.Was != decided(answer, o.Decision) {
				t.Fatalf("the %s is %q, and was said to be %q", o.Decision, decided(answer, o.Decision), o.Was)
			}
			for _, way := range o.Ways {
				suggested++
				other, err := trial.Ask(trial.Question{Agreement: a, Lead: way.Change.Apply(l, at), At: at})
				if err != nil {
					t.Fatalf("%s makes a lead that cannot be: %v", way.Words, err)
				}
				if got := decided(other, o.Decision); got != way.Becomes || got == o.Was {
					t.Fatalf("%s makes the %s %q → %q, not %q", way.Words, o.Decision, o.Was, got, way.Becomes)
				}
			}
		}
		if after := fmt.Sprintf("%+v", l); after != before {
			t.Fatalf("the lead was changed from %s to %s", before, after)
		}
	})
	if suggested == 0 {
		t.Error("nothing was ever suggested")
	}
}

// TestOrderOfTouches: it is their time that counts, not their place in the file.
func TestOrderOfTouches(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	rapid.Check(t, func(t *rapid.T) {
		l := drawn(t, a)
		for i := range l.Touches {
			l.Touches[i].At = at.Add(-time.Duration(i) * time.Hour) // no two at once
		}
		one, err := trial.Ask(trial.Question{Agreement: a, Lead: l, At: at})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(l.Touches)
		other, err := trial.Ask(trial.Question{Agreement: a, Lead: l, At: at})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v %+v", one.Transitions, one.Reasons) != fmt.Sprintf("%+v %+v", other.Transitions, other.Reasons) || one.Score != other.Score {
			t.Fatalf("%+v\n%+v", one, other)
		}
	})
}
