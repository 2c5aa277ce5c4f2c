package score_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// grown is the agreement of the tests with n more rules, half on the lead and half on touches. At most 30 of them could match one
// lead and its touches, however many there are.
func grown(tb testing.TB, n int) *agreement.Agreement {
	tb.Helper()
	text, err := os.ReadFile("../testdata/agreement.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("scoring:\n")
	for i := range n / 2 {
		fmt.Fprintf(&rules, "  - {name: w%d, points: 1, when: 'lead.country == \"C%d\" && lead.size >= %d'}\n", i, i/15, 10*(i%15))
		fmt.Fprintf(&rules, "  - {name: o%d, points: 1, on: 'touch.kind == \"k%d\" && touch.channel == \"paid\"', half_life: 30d, cap: 40}\n", i, i/15)
	}
	a, faults := agreement.Parse("grown.yaml", []byte(strings.Replace(string(text), "scoring:\n", rules.String(), 1)))
	if a == nil {
		tb.Fatal(faults[0])
	}
	return a
}

// active is a lead that most of the rules that could match do match.
func active() []lead.Fact {
	var facts []lead.Fact
	for i := range 12 {
		facts = append(facts, touch(i, []string{"k0", "form", "visit"}[i%3], i, map[string]any{"size": 120.0, "country": "C0", "customer": false}))
	}
	return facts
}

func BenchmarkOf(b *testing.B) {
	for _, n := range []int{0, 30, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := grown(b, n)
			k := lead.Fold(score.NewTerms(a), lead.Knowledge{}, active()...)
			p := score.Position{Stage: "new", Cycle: 1}
			now := start.AddDate(0, 0, 40)
			b.ReportAllocs()
			for b.Loop() {
				if score.Of(a, k, p, now).Lead.Score == 0 {
					b.Fatal("no score")
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	for _, n := range []int{0, 30, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			terms := score.NewTerms(grown(b, n))
			k := lead.Fold(terms, lead.Knowledge{}, active()...)
			next := touch(99, "k0", 30, map[string]any{"size": 130.0})
			b.ReportAllocs()
			for b.Loop() {
				if lead.Fold(terms, k, next).Latest != next.OccurredAt {
					b.Fatal("not folded")
				}
			}
		})
	}
}
