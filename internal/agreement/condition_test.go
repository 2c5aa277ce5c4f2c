package agreement_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
)

// guarded is an agreement with the condition as the guard of mql, written in the given YAML.
func guarded(yaml string) string {
	return strings.Replace(whole, "  - {name: mql, when: score >= 50}\n", "  - name: mql\n    when: "+yaml+"\n", 1)
}

func guard(t testing.TB, yaml string) *agreement.Condition {
	t.Helper()
	a, faults := agreement.Parse("a.yaml", []byte(guarded(yaml)))
	for _, f := range faults {
		t.Fatal(f)
	}
	return a.Stages[1].When
}

func TestHolds(t *testing.T) {
	t.Parallel()
	lead := agreement.Lead{
		Fields: map[string]any{"employees": 50.0, "industry": "Software", "gone": "x"},
		Score:  62.5, Fit: 20, Engagement: 42.5, Stage: "lead", Grade: "B", Channel: "organic", Source: "web",
		Did: map[string]int64{"attempt": 3},
	}
	for condition, want := range map[string]bool{
		`score >= 50`:   true,
		`score >= 62.6`: false,
		`score == 62.5 && fit + 42.5 == score && engagement * 2 == 85`: true,
		`lead.employees == 50`:                true,
		`lead.employees in [10, 50]`:          true,
		`5 / 2 == 2.5`:                        true,
		`1 / 0 > score`:                       true,
		`lead.industry == "Software"`:         true,
		`lead.industry.lower() == "software"`: true,
		`lead.industry.startsWith("Soft") && lead.industry.endsWith("ware") && lead.industry.contains("ftw")`: true,
		`lead.industry.matches("^[A-Z]")`:  true,
		`lead.hot`:                         false,
		`!lead.hot`:                        true,
		`known("hot")`:                     false,
		`known("employees")`:               true,
		`"employees" in known`:             true,
		`"hot" in known`:                   false,
		`did("attempt") == 3`:              true,
		`did("attempt") + did("won") >= 3`: true,
		`did("won") == 0`:                  true,
		`stage == "lead" && grade != "A" && channel in ["organic"] && source == "web"`: true,
		`score > 1 ? lead.hot : true`:                                   false,
		strings.Repeat("lead.hot || ", 150) + "score > 1":               true,
		strings.Repeat("lead.hot && ", 150) + "score > 1":               false,
		strings.Repeat("(", 10) + "score > 1" + strings.Repeat(")", 10): true,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			c := guard(t, "'"+strings.ReplaceAll(condition, "'", "''")+"'")
			got, err := c.Holds(&lead)
			if err != nil || got != want {
				t.Errorf("holds: %v, %v; want %v", got, err, want)
			}
			if c.String() != condition {
				t.Errorf("reads %q", c)
			}
			// A lead of whom nothing is known must not be an error either.
			if _, err := c.Holds(&agreement.Lead{}); err != nil {
				t.Errorf("on an empty lead: %v", err)
			}
			// Nor one whose values come from an agreement that declared the fields otherwise: they are not known.
			odd := agreement.Lead{Fields: map[string]any{"employees": "many", "industry": true, "hot": 1.0}}
			if _, err := c.Holds(&odd); err != nil {
				t.Errorf("on values of other types: %v", err)
			}
		})
	}
	var none *agreement.Condition
	if ok, err := none.Holds(&lead); !ok || err != nil || none.String() != "" {
		t.Errorf("no condition: %v, %v, %q; it holds always", ok, err, none)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	text := strings.Replace(whole, `touch.kind == "page_viewed"`,
		`touch.kind == "page_viewed" && touch.source == "web" && touch.channel != "paid" && touch.employees > 5`, 1)
	a, faults := agreement.Parse("a.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	touch := agreement.Touch{Kind: "page_viewed", Source: "web", Channel: "organic", Fields: map[string]any{"employees": 6.0}}
	if ok, err := a.Scoring.Rules[1].On.Matches(&touch); !ok || err != nil {
		t.Errorf("matches: %v, %v", ok, err)
	}
	touch.Fields = nil
	if ok, err := a.Scoring.Rules[1].On.Matches(&touch); ok || err != nil {
		t.Errorf("matches without the field: %v, %v", ok, err)
	}
}

// TestConditionFaults has the mark where the fault is to stand.
func TestConditionFaults(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		`‸scroe >= 50`:                                   `nothing here is named "scroe" (did you mean "score"?)`,
		`score >= 1 && ‸lead.emplyees > 5`:               `no field is named "emplyees" (did you mean "employees"?)`,
		`score >= 1 && ‸lead`:                            `lead stands alone`,
		`‸employees > 5`:                                 `"employees" is a field (write lead.employees)`,
		`‸touch.kind == "x"`:                             `touch cannot be looked at here`,
		`score ‸>= "50"`:                                 `'>=' stands between a number and a text`,
		`lead.hot ‸+ 1 > 2`:                              `'+' stands between a flag and a number`,
		`lead.hot && ‸score`:                             `here belongs a flag, and this is a number`,
		`‸score + 1`:                                     `the condition is a number; it must be true or false`,
		`‸lead.industry`:                                 `the condition is a text`,
		`did(‸"wonn") >= 1`:                              `no activity is named "wonn" (did you mean "won"?)`,
		`did(‸stage) >= 1`:                               `did takes the name of one activity`,
		`known(‸"emplyees")`:                             `no field is named "emplyees"`,
		`'‸"emplyees" in known'`:                         `no field is named "emplyees"`,
		`stage == ‸"mqll"`:                               `no stage is named "mqll" (did you mean "mql"?)`,
		`'‸"C" == grade'`:                                `no grade is named "C"`,
		`source in ["web", ‸"crn"]`:                      `no source is named "crn"`,
		`channel != ‸"organik"`:                          `no channel is named "organik"`,
		`lead.industry.matches(‸"(")`:                    `the pattern is faulty`,
		`lead.industry.matches(‸stage)`:                  `matches takes a pattern in quotes`,
		`score >= 50 &&‸`:                                `the condition cannot be read`,
		`score ‸= 50`:                                    `the condition cannot be read`,
		`score ‸% 2 == 0`:                                `no operator '%'`,
		`lead.industry.‸size() > 2`:                      `size`,
		`‸size(lead.industry) > 2`:                       `nothing here is named "size"`,
		`'lead.industry == ''a'' && ‸scroe > 1'`:         `nothing here is named "scroe"`,
		`"lead.industry == \"a\u00e9\" &&\t ‸scroe > 1"`: `nothing here is named "scroe"`,
		"\"lead.hot &&\n      lead.hot \\\n      && ‸scroe > 1\"":                                `nothing here is named "scroe"`,
		"lead.hot &&\n      ‸scroe > 1":                                                          `nothing here is named "scroe"`,
		"|\n      lead.hot &&\n        ‸scroe > 1":                                               `nothing here is named "scroe"`,
		"|-\n\n      lead.hot // why\n      && score > 5 || lead.hot &&\n\n      ‸scroe > 1":     `nothing here is named "scroe"`,
		">\n      lead.hot &&\n      score > 1 &&\n\n      lead.industry == \"é\" && ‸scroe > 1": `nothing here is named "scroe"`,
		"  >-   # a remark\n        lead.hot\n          && ‸scroe > 1\n        && lead.hot":      `nothing here is named "scroe"`,
	} {
		t.Run(yaml, func(t *testing.T) {
			t.Parallel()
			marked := guarded(yaml)
			_, faults := agreement.Parse("a.yaml", []byte(strings.Replace(marked, mark, "", 1)))
			if len(faults) != 1 {
				t.Fatalf("%d faults: %v", len(faults), faults)
			}
			place := fmt.Sprintf("%d:%d", faults[0].Line, faults[0].Column)
			if expected := marks(marked)[0]; place != expected || !strings.Contains(faults[0].Error(), want) {
				t.Errorf("got %v\nwant %s … %s", faults[0], expected, want)
			}
			if faults[0].Path != "stages[1].when" {
				t.Errorf("path %q", faults[0].Path)
			}
		})
	}
}

func TestRulesCannotLookAtWhatTheyMake(t *testing.T) {
	t.Parallel()
	faulty(t, "when: lead.employees >= 50", "when: ‸score > 1 || ‸stage == ‸\"x\"", "the score is made of the rules", "a rule cannot look at the stage", "no stage")
	faulty(t, "when: lead.hot", "when: ‸grade == \"A\"", "it is being given")
	faulty(t, `on: touch.kind == "page_viewed"`, `on: ‸lead.hot`, "lead cannot be looked at here")
	faulty(t, `on: touch.kind == "page_viewed"`, `on: ‸score > 1`, "score cannot be looked at here")
}

// TestPlaces shows that a fault is found where it stands, however YAML is made to write the condition.
func TestPlaces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for range rapid.IntRange(0, 6).Draw(t, "before") {
			parts = append(parts, rapid.SampledFrom([]string{
				"lead.hot ||", `lead.industry == "it's" ||`, `lead.industry == "é ü" ||`, "score > 5 ||", "(fit < 2) ||", `stage == "mql" ||`,
			}).Draw(t, "part"))
		}
		parts = append(parts, mark+"scroe > 1")
		breaks := rapid.SliceOfN(rapid.SampledFrom([]string{" ", "\n      "}), len(parts), len(parts)).Draw(t, "breaks")
		var joined strings.Builder
		for i, p := range parts {
			if i > 0 {
				joined.WriteString(breaks[i])
			}
			joined.WriteString(p)
		}
		yaml := joined.String()
		switch rapid.SampledFrom([]string{"plain", "single", "double", "literal", "folded"}).Draw(t, "style") {
		case "single":
			yaml = "'" + strings.ReplaceAll(yaml, "'", "''") + "'"
		case "double":
			yaml = `"` + strings.NewReplacer(`"`, `\"`, "é", `\u00e9`).Replace(yaml) + `"`
		case "literal":
			yaml = "|\n      " + yaml
		case "folded":
			yaml = ">-\n      " + yaml
		}
		marked := guarded(yaml)
		_, faults := agreement.Parse("a.yaml", []byte(strings.Replace(marked, mark, "", 1)))
		if len(faults) != 1 {
			t.Fatalf("%d faults: %v", len(faults), faults)
		}
		if diff := cmp.Diff(marks(marked)[0], fmt.Sprintf("%d:%d", faults[0].Line, faults[0].Column)); diff != "" {
			t.Fatalf("%s\n%v\n-want +got:\n%s", marked, faults[0], diff)
		}
	})
}

func TestConditionsAreShared(t *testing.T) {
	t.Parallel()
	c := guard(t, `'known("employees") && lead.employees + did("attempt") > 10 && lead.industry.matches("^s")'`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				l := agreement.Lead{Fields: map[string]any{"employees": float64(n), "industry": "software"}, Did: map[string]int64{"attempt": int64(i)}}
				got, err := c.Holds(&l)
				if want := n+i > 10; err != nil || got != want {
					t.Errorf("%d employees, %d attempts: %v, %v", n, i, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestCost shows that a condition on an enormous value ends in an error and not in a standstill.
func TestCost(t *testing.T) {
	t.Parallel()
	c := guard(t, "lead.industry.lower().contains(lead.industry + \"x\")")
	if _, err := c.Holds(&agreement.Lead{Fields: map[string]any{"industry": strings.Repeat("a", 1<<20)}}); err == nil {
		t.Error("no error")
	}
	if ok, err := c.Holds(&agreement.Lead{Fields: map[string]any{"industry": strings.Repeat("a", 1<<10)}}); ok || err != nil {
		t.Errorf("on an ordinary value: %v, %v", ok, err)
	}
}

func BenchmarkHolds(b *testing.B) {
	c := guard(b, `score >= 50 || lead.hot && lead.industry == "software"`)
	l := agreement.Lead{Score: 10, Fields: map[string]any{"hot": true, "industry": "software"}}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := c.Holds(&l); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
