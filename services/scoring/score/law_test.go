package score_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// ruled is the agreement of the tests with other rules.
func ruled(tb interface{ Fatalf(string, ...any) }, rules string) *agreement.Agreement {
	text, err := os.ReadFile("../testdata/agreement.yaml")
	if err != nil {
		tb.Fatalf("%v", err)
	}
	before, rest, _ := strings.Cut(string(text), "scoring:\n")
	_, after, _ := strings.Cut(rest, "\n\n")
	a, faults := agreement.Parse("ruled.yaml", []byte(before+"scoring:\n"+rules+"\n"+after))
	if a == nil {
		tb.Fatalf("%v\n%s", faults, rules)
	}
	return a
}

// rules draws some on the lead and some on touches, many of which look at the same few things. Each can hold: what it joins by && looks at
// different things, of which each line has the questions on one.
func rules(t *rapid.T) string {
	when := [][]string{
		{`lead.country == "DE"`, `lead.country == ""`, `lead.country in ["FR", "DE"]`, `lead.country != "FR"`, `lead.country.contains("D")`},
		{`lead.size >= 100`, `lead.size < 100`, `lead.size == 250`, `known("size")`},
		{`lead.customer`, `!lead.customer`},
		{`did("attempt") >= 1`},
		{`did("won") == 0`},
		{`source == "web"`},
		{`channel == "paid"`, `channel in ["organic", "paid"]`},
	}
	on := [][]string{
		{`touch.kind == "form"`, `touch.kind in ["form", "visit"]`, `touch.kind.lower() == "form"`, `touch.kind.startsWith("v")`},
		{`touch.source == "crm"`},
		{`touch.channel == "paid"`},
		{`touch.size > 10`},
		{`touch.country == "DE"`},
		{`touch.customer`, `!touch.customer`},
	}
	var out strings.Builder
	for i := range rapid.IntRange(1, 40).Draw(t, "rules") {
		key, from, more := "when", when, ""
		if rapid.Bool().Draw(t, "on") {
			key, from, more = "on", on, rapid.SampledFrom([]string{"", ", half_life: 7d", ", cap: 20", ", half_life: 30d, cap: 9.5"}).Draw(t, "more")
		}
		looked := make([]bool, len(from))
		leaf := func(joint string) string {
			at := rapid.IntRange(0, len(from)-1).Draw(t, "what")
			for joint == " && " && looked[at] {
				at = (at + 1) % len(from)
			}
			looked[at] = true
			return rapid.SampledFrom(from[at]).Draw(t, "leaf")
		}
		condition := leaf("")
		for range rapid.IntRange(0, 3).Draw(t, "joints") {
			joint := rapid.SampledFrom([]string{" && ", " && ", " || "}).Draw(t, "joint")
			condition = "(" + condition + ")" + joint + leaf(joint)
		}
		points := rapid.SampledFrom([]string{"5", "-3.25", "10.5"}).Draw(t, "points")
		fmt.Fprintf(&out, "  - {name: r%d, points: %s, %s: '%s'%s}\n", i, points, key, condition, more)
	}
	return out.String()
}

// told draws facts of one lead.
func told(t *rapid.T) []lead.Fact {
	var facts []lead.Fact
	for i := range rapid.IntRange(0, 12).Draw(t, "facts") {
		f := touch(i, rapid.SampledFrom([]string{"form", "Form", "visit", "other"}).Draw(t, "kind"), rapid.IntRange(0, 60).Draw(t, "day"), map[string]any{})
		f.Source = rapid.SampledFrom([]string{"web", "crm"}).Draw(t, "source")
		f.Channel = rapid.SampledFrom([]string{"paid", "organic", "tiktok", ""}).Draw(t, "channel")
		for field, value := range map[string]*rapid.Generator[any]{
			"size":     rapid.SampledFrom([]any{0.0, 50.0, 250.0, math.NaN(), "large"}),
			"country":  rapid.SampledFrom([]any{"", "DE", "FR", 3.0}),
			"customer": rapid.SampledFrom([]any{true, false, "yes"}),
			"odd":      rapid.SampledFrom([]any{"x"}),
		} {
			if v := value.Draw(t, field); rapid.Bool().Draw(t, "given") {
				f.Fields[field] = v
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "deed") == 0 {
			f.Kind, f.Name = lead.Outcome, rapid.SampledFrom([]string{lead.Attempt, lead.Won}).Draw(t, "done")
		}
		facts = append(facts, f)
	}
	return facts
}

// What the index finds is all that counts: score and terms are as if every rule had been asked, in the order of the agreement.
func TestAllRulesGiveTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := ruled(t, rules(t))
		terms := score.NewTerms(a)
		facts := told(t)
		for _, f := range facts {
			var want []lead.Gain
			view := &agreement.Touch{Kind: f.Name, Source: f.Source, Channel: score.Channel(a, f.Channel), Fields: map[string]any{}}
			for field, value := range f.Fields {
				if terms.Declared(field, value) {
					view.Fields[field] = value
				}
			}
			for _, r := range a.Scoring.Rules {
				if holds, err := r.On.Matches(view); r.On != nil && err == nil && holds {
					want = append(want, lead.Gain{Rule: r.Name, Points: r.Points, HalfLife: r.HalfLife})
				}
			}
			if got := terms.Engage(f); !slices.Equal(got, want) {
				t.Fatalf("%+v earns %v, want %v", f, got, want)
			}
		}
		k := lead.Fold(terms, lead.Knowledge{}, facts...)
		now := start.AddDate(0, 0, rapid.IntRange(0, 100).Draw(t, "now"))
		scored := score.Open(a, k, now)
		for range 4 { // one case, several positions
			p := score.Position{
				Stage: rapid.SampledFrom([]string{"", "new", "mql"}).Draw(t, "stage"), Cycle: rapid.Uint32Range(0, 2).Draw(t, "cycle"),
			}
			if p.Cycle > 1 {
				p.Since = start.AddDate(0, 0, rapid.IntRange(0, 60).Draw(t, "since"))
			}
			card := scored.At(p)
			var want []score.Reason
			total := 0.0
			for _, r := range a.Scoring.Rules {
				points := 0.0
				switch {
				case r.On != nil:
					points = k.Points(r.Name, r.HalfLife, now)
					if r.Cap > 0 {
						points = max(-r.Cap, min(r.Cap, points))
					}
				case score.Holds(r.When, &card.Lead):
					points = r.Points
				}
				if points = math.Round(points * 100); points != 0 {
					want = append(want, score.Reason{Rule: r.Name, Points: points / 100})
					total += points
				}
			}
			if !slices.Equal(card.Reasons, want) || card.Lead.Score != total/100 || card.Lead.Stage != p.Stage {
				t.Fatalf("%+v: score %v for %v, want %v for %v", p, card.Lead.Score, card.Reasons, total/100, want)
			}
			if did := k.Did(p.Cycle, p.Since); fmt.Sprint(did) != fmt.Sprint(card.Lead.Did) {
				t.Fatalf("%+v: did %v, want %v", p, card.Lead.Did, did)
			}
			if again := score.Of(a, k, p, now); again.Lead.Score != card.Lead.Score || again.Lead.Grade != card.Lead.Grade {
				t.Fatalf("%+v: a case of its own gives %+v, the shared one %+v", p, again.Lead, card.Lead)
			}
		}
	})
}

// What the agreement's check says of points and of conditions is so for every lead.
func TestDoubtsAreTrue(t *testing.T) {
	t.Parallel()
	out := 0
	rapid.Check(t, func(t *rapid.T) {
		a := ruled(t, rules(t))
		k := lead.Fold(score.NewTerms(a), lead.Knowledge{}, told(t)...)
		card := score.Of(a, k, score.Position{Stage: "new", Cycle: 1}, start.AddDate(0, 0, rapid.IntRange(0, 100).Draw(t, "now")))
		for _, d := range a.Doubts(nil) {
			var rule int
			switch _, err := fmt.Sscanf(d.Path, "scoring[%d].when", &rule); {
			case d.Path == "stages[1].when":
				if out++; score.Holds(a.Stages[1].When, &card.Lead) {
					t.Fatalf("%v: a lead has %v", d, card.Lead.Score)
				}
			case d.Path == "grades[0].when":
				if card.Lead.Grade == a.Grades[0].Name {
					t.Fatalf("%v: a lead has %v", d, card.Lead.Score)
				}
			case err == nil && strings.HasSuffix(d.Message, "always holds") && !score.Holds(a.Scoring.Rules[rule].When, &card.Lead):
				t.Fatalf("%v: not of %+v", d, card.Lead)
			}
		}
	})
	if out == 0 {
		t.Error("every agreement that was drawn has points enough: the test needs some that have not")
	}
}

// However many rules there are, few are asked: those that ask for what the lead has.
func TestFewRulesAreAsked(t *testing.T) {
	t.Parallel()
	a := grown(t, 1000)
	if n := len(a.Scoring.Rules); n != 1005 {
		t.Fatalf("%d rules", n)
	}
	for _, country := range []string{"C0", "C33", "none", ""} {
		found := a.Scoring.Fitting(nil, &agreement.Lead{Fields: map[string]any{"country": country, "size": 120.0}})
		for kind := range 34 {
			all := a.Scoring.Engaging(found, &agreement.Touch{Kind: fmt.Sprint("k", kind), Channel: "paid"})
			if len(all) > 32 {
				t.Fatalf("%d rules are asked of a lead of %s that did k%d", len(all), country, kind)
			}
		}
	}
}
