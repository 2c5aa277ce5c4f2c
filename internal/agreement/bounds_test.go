package agreement_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// TestManyFaults shows that one pass finds what is wrong everywhere, in the order of the text.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("industry: text", "industry: string", "at: mql", "at: nowhere", "score >= 50", "scroe >= 50",
		"calendar: rep", "calendar: moon", "bearer: env:CRM", "bearer: s3cr3t-token").Replace(whole)
	a, faults := agreement.Parse("a.yaml", []byte(text))
	if a != nil || len(faults) != 5 {
		t.Fatalf("agreement %v, faults %v; want 5 faults and no agreement", a, faults)
	}
	for i, f := range faults {
		if i > 0 && f.Line < faults[i-1].Line {
			t.Errorf("fault of line %d after one of line %d", f.Line, faults[i-1].Line)
		}
		if strings.Contains(f.Error(), "s3cr3t") {
			t.Errorf("the fault repeats the secret: %v", f)
		}
		if f.Secret != strings.Contains(f.Message, "secret") {
			t.Errorf("%v: Secret is %v", f, f.Secret)
		}
	}
}

// TestBounds gives the parser what would otherwise cost minutes or the stack.
func TestBounds(t *testing.T) {
	t.Parallel()
	// guarded has stages up to the bound on conditions, each with that one.
	guarded := func(condition string) string {
		stage := "  - name: x\n    when: '" + condition + "'\n"
		return strings.Replace(whole, "stages:\n", "stages:\n"+strings.Repeat(stage, 100), 1)
	}
	var sources strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&sources, "  some-long-name-of-a-source-%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"brackets":      strings.Repeat("[", 100_000),
		"braces":        strings.Repeat("{", 100_000),
		"pairs":         "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"dashes":        strings.Repeat("- ", 100_000),
		"same keys":     strings.Repeat("k: 1\n", 50_000),
		"most keys":     strings.Repeat("k: 1\n", 9_999),
		"items":         strings.Repeat("- 1\n", 100_000),
		"too long":      strings.Repeat("#", 1<<20+1),
		"comments":      strings.Repeat("# x\n", 1<<18),
		"question mark": strings.Repeat("? ", 100_000),
		"tags":          strings.Repeat("!a ", 100_000),
		"references":    "sources:\n" + sources.String() + "fields:\n  a: {type: text, precedence: [" + strings.Repeat("nobody-has-such-a-name-as-this,", 15_000) + "]}\n",
		"nots":          guarded(strings.Repeat("!", 1900) + "lead.hot"),
		"minuses":       guarded(strings.Repeat("-", 1900) + "score > 1"),
		"parentheses":   guarded(strings.Repeat("(", 900) + "lead.hot" + strings.Repeat(")", 900)),
		"lists":         guarded(strings.Repeat("[", 900) + strings.Repeat("]", 900)),
		"choices":       guarded(strings.Repeat("lead.hot?lead.hot:", 100) + "lead.hot"),
		"ors":           guarded(strings.Repeat("lead.hot||", 190) + "lead.hot"),
		"mixture":       guarded(strings.Repeat("(lead.hot&&score>1||", 55) + "lead.hot" + strings.Repeat(")", 55)),
		"dots":          guarded("lead" + strings.Repeat(".a", 950)),
		"comparisons":   guarded(strings.Repeat("1<2||", 395) + "lead.hot"),
		"literals":      guarded("score in [" + strings.Repeat("1,", 950) + "1]"),
		"strangers":     guarded(strings.Repeat("x<2||", 395) + "lead.hot"),
		"noise":         guarded(strings.Repeat("@#$%^&*", 280)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults []agreement.Fault
			took := measure(func() { _, faults = agreement.Parse("a.yaml", []byte(text)) })
			if len(faults) == 0 {
				t.Fatal("no fault found")
			}
			if took > patience {
				t.Errorf("took %v", took)
			}
			t.Logf("took %v: %v", took, faults[0])
		})
	}
}

// thousand has that many rules of all the keys that a rule can have, half on the lead and half on touches.
func thousand(n int) string {
	var rules strings.Builder
	rules.WriteString("scoring:\n")
	for i := range n / 2 {
		fmt.Fprintf(&rules, "  - {name: on-%d, points: 5, on: 'touch.kind == \"kind-%d\" && touch.channel in [\"paid\", \"organic\"] && touch.employees >= %d', half_life: 30d, cap: 40}\n", i, i/15, 10+i%15)
		fmt.Fprintf(&rules, "  - {name: when-%d, points: 5, when: 'lead.industry == \"industry-%d\" && lead.employees >= %d && lead.employees < 2000'}\n", i, i/15, 10+i%15)
	}
	return strings.Replace(whole, "scoring:\n", rules.String(), 1)
}

// TestAThousandRules fit into an agreement.
func TestAThousandRules(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("a.yaml", []byte(thousand(1000)))
	if a == nil {
		t.Fatal(faults[0])
	}
	if len(a.Scoring.Rules) != 1002 {
		t.Errorf("%d rules", len(a.Scoring.Rules))
	}
	for _, name := range []string{"on-0", "when-499", "visit"} {
		if place, ok := a.Scoring.Place(name); !ok || a.Scoring.Rules[place].Name != name {
			t.Errorf("rule %s stands at %d, %v", name, place, ok)
		}
	}
	if _, ok := a.Scoring.Place("none"); ok {
		t.Error("a rule that there is not has a place")
	}
}

// TestTwoThousandRules are read, compiled and proved in what takes a fraction of a second on a machine that has nothing else to do.
func TestTwoThousandRules(t *testing.T) {
	t.Parallel()
	var lists strings.Builder
	for i := range 90 {
		fmt.Fprintf(&lists, "    - {when: 'score in [%d", i)
		for n := range 240 {
			fmt.Fprintf(&lists, ",%d", 1000*n+i)
		}
		lists.WriteString("]', pool: big}\n")
	}
	nested := strings.Repeat("(", 25) + "lead.hot" + strings.Repeat(" == (score > 1))", 25)
	for name, text := range map[string]string{
		"rules": thousand(2000), "routes": routes(500), "more routes": routes(1900),
		"long lists":     strings.Replace(whole, "  routes:\n", "  routes:\n"+lists.String(), 1),
		"nested choices": strings.Replace(whole, "  routes:\n", "  routes:\n"+strings.Repeat("    - {when: '"+nested+"', pool: big}\n", 300), 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a *agreement.Agreement
			var faults []agreement.Fault
			took := measure(func() {
				if a, faults = agreement.Parse("a.yaml", []byte(text)); a != nil {
					faults = a.Doubts(nil)
				}
			})
			if a == nil {
				t.Fatal(faults[0])
			}
			if took > patience {
				t.Errorf("took %v", took)
			}
			t.Logf("took %v, %d doubts", took, len(faults))
		})
	}
}

// routes has that many, each with something left to it by those before.
func routes(n int) string {
	var all strings.Builder
	all.WriteString("  routes:\n")
	for i := range n {
		fmt.Fprintf(&all, "    - {when: 'lead.industry == \"industry-%d\" && lead.employees >= %d', pool: big}\n", i%100, 1000-i)
	}
	return strings.Replace(whole, "  routes:\n", all.String(), 1)
}

func BenchmarkCheck(b *testing.B) {
	for name, text := range map[string]string{"rules": thousand(2000), "routes": routes(500)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, faults := agreement.Parse("a.yaml", []byte(text))
				if a == nil {
					b.Fatal(faults[0])
				}
				a.Doubts(nil)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{30, 1000} {
		text := []byte(thousand(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a, faults := agreement.Parse("a.yaml", text); a == nil {
					b.Fatal(faults[0])
				}
			}
		})
	}
}

// patience is far above what reading takes even on a busy machine, and below the minutes that the bounds prevent.
const patience = time.Minute

func measure(f func()) time.Duration {
	start := time.Now() //nolint:forbidigo // how long it takes is the question
	f()
	return time.Since(start) //nolint:forbidigo // the same
}
