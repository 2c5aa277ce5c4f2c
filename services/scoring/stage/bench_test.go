package stage_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// grown is the agreement of the tests with n more rules. At most 30 of them could match one lead, however many there are.
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

// BenchmarkAdvance takes a lead from its first touch to its handoff, and one that was handed off through one more touch.
func BenchmarkAdvance(b *testing.B) {
	for _, n := range []int{0, 30, 1000} {
		a := grown(b, n)
		terms := score.NewTerms(a)
		first := tell("0 k0")
		first.Fields = map[string]any{"size": 250.0, "country": "C0"}
		second, third := tell("1 form"), tell("2 k0")
		s, k, _ := stage.Advance(a, terms, stage.State{}, lead.Knowledge{}, first)
		s, k, _ = stage.Advance(a, terms, s, k, second)
		if !s.Handed {
			b.Fatalf("the lead stands at %+v", s)
		}
		b.Run(fmt.Sprint("born ", n), func(b *testing.B) {
			f := tell("0 form")
			f.Fields = first.Fields
			b.ReportAllocs()
			for b.Loop() {
				if _, _, changes := stage.Advance(a, terms, stage.State{}, lead.Knowledge{}, f); len(changes) != 2 {
					b.Fatal("not handed off")
				}
			}
		})
		b.Run(fmt.Sprint("touched ", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, changes := stage.Advance(a, terms, s, k, third); len(changes) != 0 {
					b.Fatal("it moved")
				}
			}
		})
	}
}
