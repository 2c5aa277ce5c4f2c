package score_test

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

func parse(t *testing.T) *agreement.Agreement {
	t.Helper()
	text, err := os.ReadFile("../testdata/agreement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, faults := agreement.Parse("agreement.yaml", text)
	if a == nil {
		t.Fatalf("the agreement of the tests has faults: %v", faults)
	}
	return a
}

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func touch(id int, kind string, days int, fields map[string]any) lead.Fact {
	return lead.Fact{Source: "web", ID: fmt.Sprint(id), Kind: lead.Touch, Name: kind, Channel: "paid",
		OccurredAt: start.AddDate(0, 0, days), Fields: fields}
}

func TestCards(t *testing.T) {
	t.Parallel()
	a := parse(t)
	large := map[string]any{"size": 250.0}
	for _, c := range []struct {
		name               string
		facts              []lead.Fact
		days               int // of the decision
		score, fit, engage float64
		grade, reasons     string
	}{
		{"nothing known", nil, 0, 0, 0, 0, "B", ""},
		{"fit alone", []lead.Fact{touch(1, "other", 0, large)}, 0, 20, 20, 0, "B", "large 20"},
		{"fit lost", []lead.Fact{touch(1, "other", 0, map[string]any{"customer": true})}, 0, -15.5, -15.5, 0, "B", "customer -15.5"},
		{"a touch is worth all its points when it happens", []lead.Fact{touch(1, "form", 0, nil)}, 0, 30, 0, 30, "B", "form 30"},
		{"and half after a half-life", []lead.Fact{touch(1, "form", 0, nil)}, 14, 15, 0, 15, "B", "form 15"},
		{"two decimals", []lead.Fact{touch(1, "form", 0, nil)}, 1, 28.55, 0, 28.55, "B", "form 28.55"},
		{"a cap bounds the sum as it is", []lead.Fact{
			touch(1, "form", 0, nil), touch(2, "form", 0, nil), touch(3, "form", 0, nil), touch(4, "visit", 0, nil), touch(5, "visit", 0, nil),
			touch(6, "visit", 0, nil),
		}, 0, 87, 0, 87, "A", "form 75, visit 12"},
		{"not what it was", []lead.Fact{touch(1, "form", 0, nil), touch(2, "form", 0, nil), touch(3, "form", 0, nil)}, 14, 45, 0, 45, "B", "form 45"},
		{"a rule of its own takes away", []lead.Fact{touch(1, "form", 0, large), touch(2, "unsubscribed", 0, nil)}, 0, 10, 20, -10, "B",
			"large 20, form 30, left -40"},
		{"a grade sees the score", []lead.Fact{touch(1, "form", 0, large), touch(2, "visit", 0, nil), touch(3, "visit", 0, nil)}, 0, 60, 20, 40, "A",
			"large 20, form 30, visit 10"},
	} {
		k := lead.Fold(score.NewTerms(a), lead.Knowledge{}, c.facts...)
		card := score.Of(a, k, score.Position{Stage: "new", Cycle: 1}, start.AddDate(0, 0, c.days))
		reasons := ""
		for i, r := range card.Reasons {
			if i > 0 {
				reasons += ", "
			}
			reasons += fmt.Sprint(r.Rule, " ", r.Points)
		}
		l := card.Lead
		if l.Score != c.score || l.Fit != c.fit || l.Engagement != c.engage || l.Grade != c.grade || reasons != c.reasons {
			t.Errorf("%s: score %v, fit %v, engagement %v, grade %s, reasons %s", c.name, l.Score, l.Fit, l.Engagement, l.Grade, reasons)
		}
	}
}

// What a person adds up from the reasons is the score that the guards saw.
func TestReasonsAddUp(t *testing.T) {
	t.Parallel()
	a := parse(t)
	rapid.Check(t, func(t *rapid.T) {
		var facts []lead.Fact
		for i, kind := range rapid.SliceOf(rapid.SampledFrom([]string{"form", "visit", "unsubscribed"})).Draw(t, "kinds") {
			facts = append(facts, touch(i, kind, rapid.IntRange(0, 60).Draw(t, "day"), map[string]any{"size": rapid.Float64().Draw(t, "size")}))
		}
		k := lead.Fold(score.NewTerms(a), lead.Knowledge{}, facts...)
		card := score.Of(a, k, score.Position{Stage: "new", Cycle: 1}, start.AddDate(0, 0, rapid.IntRange(0, 200).Draw(t, "now")))
		hundredths := 0.0
		for _, r := range card.Reasons {
			hundredths += math.Round(r.Points * 100)
		}
		if math.Round(card.Lead.Score*100) != hundredths {
			t.Fatalf("reasons %v, score %v", card.Reasons, card.Lead.Score)
		}
		if sum := card.Lead.Fit + card.Lead.Engagement; math.Abs(sum-card.Lead.Score) > 1e-9 {
			t.Fatalf("fit %v and engagement %v, score %v", card.Lead.Fit, card.Lead.Engagement, card.Lead.Score)
		}
	})
}

func TestTerms(t *testing.T) {
	t.Parallel()
	terms := score.NewTerms(parse(t))
	for _, c := range []struct {
		field, source string
		want          int
	}{{"size", "crm", 0}, {"size", "web", 1}, {"country", "crm", 0}, {"name", "web", 0}} {
		if got := terms.Rank(c.field, c.source); got != c.want {
			t.Errorf("Rank(%s, %s) = %d, want %d", c.field, c.source, got, c.want)
		}
	}
	for _, c := range []struct {
		field string
		value any
		want  bool
	}{{"size", 1.0, true}, {"size", "1", false}, {"country", "DE", true}, {"customer", true, true}, {"customer", 1.0, false}, {"odd", "x", false}} {
		if got := terms.Declared(c.field, c.value); got != c.want {
			t.Errorf("Declared(%s, %v) = %v", c.field, c.value, got)
		}
	}
	if !terms.Recycles("not-now") || terms.Recycles("wrong-rep") || terms.Recycles("") {
		t.Error("Recycles does not say what the agreement does")
	}
}

func TestChannelsAreBounded(t *testing.T) {
	t.Parallel()
	a := parse(t)
	for in, want := range map[string]string{"paid": "paid", "Paid": score.Unlisted, "": score.Unlisted, "tiktok": score.Unlisted} {
		if got := score.Channel(a, in); got != want {
			t.Errorf("Channel(%q) = %q, want %q", in, got, want)
		}
	}
}
