package agreement

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

// compiled compiles conditions on a lead or a touch.
func compiled(t interface{ Fatalf(string, ...any) }, l *language, subject string, texts ...string) []*Condition {
	var out []*Condition
	for _, text := range texts {
		c, remarks := l.compile(l.dialect(subject), text, nil)
		if c == nil {
			t.Fatalf("%s: %v", text, remarks)
		}
		out = append(out, c)
	}
	return out
}

// canHold says what the prover says of a condition.
func canHold(conditions ...*Condition) bool {
	steps := stepsOfAll
	return possible(&steps, steps, nil, conditions, holding)
}

// leaves says what the prover says of a condition below others.
func leaves(conditions []*Condition) bool {
	last := len(conditions) - 1
	steps := stepsOfAll
	return possible(&steps, steps, nil, conditions, func(claims []claim) []*formula {
		return append(failing(claims[:last]), claims[last].holds)
	})
}

// What the prover calls impossible, no lead and no touch ever does.
func TestNeverIsNever(t *testing.T) {
	t.Parallel()
	l := words(t)
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SampledFrom([]string{"lead", "touch"}).Draw(t, "subject")
		var texts []string
		for range rapid.IntRange(1, 4).Draw(t, "conditions") {
			texts = append(texts, condition(t, subject, 2, mostlyLeaf))
		}
		conditions := compiled(t, l, subject, texts...)
		all := compiled(t, l, subject, strings.Join(texts, " && "))[0]
		can, left := canHold(all), leaves(conditions)
		last := len(conditions) - 1
		for range 100 {
			of := subjects(t)
			if holds, err := all.ask(of); err == nil && holds && !can {
				t.Fatalf("%s is said to hold never, and holds of %+v %+v", all, of.lead, of.touch)
			}
			first := -1
			for i, c := range conditions {
				if holds, err := c.ask(of); err == nil && holds {
					first = i
					break
				}
			}
			if first == last && !left {
				t.Fatalf("%q are said to leave nothing to the last, and do %+v %+v", texts, of.lead, of.touch)
			}
		}
	})
}

// plainLeaf draws a comparison that the prover looks into.
func plainLeaf(t *rapid.T, _ string) string {
	pick := func(from ...string) string { return rapid.SampledFrom(from).Draw(t, "word") }
	number := func() string { return pick("lead.employees", "lead.employees", `did("won")`, "score") }
	text := func() string { return pick("lead.country", "lead.country", "lead.country.lower()") }
	op := func() string { return pick("==", "!=", "<", "<=", ">", ">=") }
	switch rapid.IntRange(0, 6).Draw(t, "leaf") {
	case 0, 1:
		return number() + " " + op() + " " + pick("0", "1", "2", "2.5", "-1", "10 / 4")
	case 2:
		return pick("1", "2") + " " + op() + " " + number()
	case 3:
		return text() + " " + pick("==", "!=") + fmt.Sprintf(" %q", pick("", "DE", "de", "Fr"))
	case 4:
		return text() + fmt.Sprintf(" in [%q, %q]", pick("", "DE", "de"), pick("de", "Fr", "AT"))
	case 5:
		return number() + " in [" + pick("0", "1") + ", " + pick("2", "2.5") + "]"
	}
	return pick("lead.hot", "!lead.hot", "lead.hot == true", "lead.hot != (score > 1)", `known("employees")`, `"country" in known`, "(lead.hot ? score > 1 : true)")
}

// everyone are leads of all sorts that plain conditions in these words can tell apart.
func everyone(words string) []*Lead {
	out := []*Lead{{Fields: map[string]any{}, Did: map[string]int64{}}}
	vary := func(word string, values []any, give func(*Lead, any)) {
		if !strings.Contains(words, word) {
			return
		}
		before := out
		out = nil
		for _, l := range before {
			for _, v := range values {
				of := &Lead{Fields: maps.Clone(l.Fields), Score: l.Score, Did: maps.Clone(l.Did)}
				if v != nil {
					give(of, v)
				}
				out = append(out, of)
			}
		}
	}
	field := func(name string) func(*Lead, any) { return func(l *Lead, v any) { l.Fields[name] = v } }
	vary("employees", []any{nil, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 9.0}, field("employees"))
	vary("country", []any{nil, "", "DE", "de", "Fr", "AT", "De", "fr", "at", "xx"}, field("country"))
	vary("hot", []any{nil, true}, field("hot"))
	vary("won", []any{nil, 1.0, 2.0, 3.0}, func(l *Lead, v any) { l.Did[Won] = int64(v.(float64)) })
	vary("score", []any{-2.0, -1.0, -0.5, nil, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 9.0}, func(l *Lead, v any) { l.Score = v.(float64) })
	return out
}

// Of conditions that it looks into, the prover knows all: it calls impossible what no lead does, and nothing else.
func TestProverIsExact(t *testing.T) {
	t.Parallel()
	l := words(t)
	nevers, shadows := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for range rapid.IntRange(1, 3).Draw(t, "above") {
			texts = append(texts, condition(t, "lead", 2, plainLeaf))
		}
		texts = append(texts, plainLeaf(t, "lead")+" && "+plainLeaf(t, "lead")+" && "+condition(t, "lead", 2, plainLeaf))
		conditions := compiled(t, l, "lead", texts...)
		last := len(conditions) - 1
		someone, left := false, false
		for _, of := range everyone(strings.Join(texts, " ")) {
			if holds, err := conditions[last].Holds(of); err != nil || !holds {
				continue
			}
			someone = true
			first := 0
			for first < last {
				if holds, err := conditions[first].Holds(of); err == nil && holds {
					break
				}
				first++
			}
			if left = first == last; left {
				break
			}
		}
		if got := canHold(conditions[last]); got != someone {
			t.Fatalf("%s: the prover says that it can hold: %v, of the leads it does: %v", conditions[last], got, someone)
		}
		if got := leaves(conditions); got != left {
			t.Fatalf("%q: the prover says that something is left to the last: %v, of the leads it is: %v", texts, got, left)
		}
		if !someone {
			nevers++
		} else if !left {
			shadows++
		}
	})
	if nevers == 0 || shadows == 0 {
		t.Errorf("%d conditions never held, %d were shadowed; the test needs some", nevers, shadows)
	}
}

// What a person would miss, and the prover must not.
func TestNever(t *testing.T) {
	t.Parallel()
	l := words(t)
	for _, text := range []string{
		`lead.employees > 10 && lead.employees < 10`,
		`lead.employees >= 10 && lead.employees <= 10 && lead.employees != 10`,
		`lead.employees > 10 && lead.employees in [5, 10]`,
		`10 < lead.employees && !(lead.employees > 9)`,
		`lead.employees > 10 && !known("employees")`,
		`lead.hot && !known("hot")`,
		`lead.country == "DE" && !("country" in known)`,
		`lead.country == "DE" && lead.country == "de"`,
		`lead.country == "DE" && lead.country.lower() != "de"`,
		`lead.country.lower() == "DE"`,
		`lead.country.lower().contains("GmbH")`,
		`lead.country in ["DE", "AT"] && !(lead.country in ["AT", "DE", "CH"])`,
		`lead.country == "DE" && lead.country.startsWith("A")`,
		`lead.country == "DE" && !lead.country.matches("^[A-Z]{2}$")`,
		`lead.country.contains("head of") && !lead.country.contains("head")`,
		`lead.country.startsWith("VP") && !lead.country.contains("V")`,
		`lead.country.startsWith("VP") && lead.country.startsWith("CE")`,
		`lead.country.endsWith("land") && lead.country.endsWith("stan")`,
		`lead.country.matches("land") && !lead.country.contains("an")`,
		`did("won") < 0`,
		`did("won") > 1 && did("won") < 2`,
		`did("attempt") == 2.5`,
		`did("attempt") >= 33`,
		`score > fit && !(score > fit)`,
		`score * 2 > 10 && !(score * 2 > 10)`,
		`(lead.hot ? score > 5 : false) && !lead.hot`,
		`lead.hot == lead.customer && lead.hot && !lead.customer`,
		`lead.hot != true && lead.hot`,
		`1 > 2`, `"a" == "b" && lead.hot`, `5 / 2 == 2`, `score in []`,
		`(lead.hot || lead.customer) && !lead.hot && !lead.customer`,
		`(score > 10 || fit > 10) && score < 5 && fit < 5`,
	} {
		if canHold(compiled(t, l, "lead", text)...) {
			t.Errorf("%s is taken for possible", text)
		}
	}
	for _, text := range []string{`touch.kind == "form" && touch.kind == "call"`, `touch.employees > 5 && touch.employees < 0`} {
		if canHold(compiled(t, l, "touch", text)...) {
			t.Errorf("%s is taken for possible", text)
		}
	}
}

// Where it is not certain, the prover says nothing.
func TestNotNever(t *testing.T) {
	t.Parallel()
	l := words(t)
	for _, text := range []string{
		`lead.employees < 10 && !known("employees")`,
		`lead.country == "" && known("country")`,
		`lead.country.lower() == "de" && lead.country != "de"`,
		`lead.country.matches("^a") && lead.country.matches("^b")`, // it is certain, but patterns are not looked into
		`lead.country.contains("VP") && lead.country.contains("CE")`,
		`lead.country.startsWith("V") && lead.country.startsWith("VP")`,
		`lead.employees > 2.4 && lead.employees < 2.5`,
		`stage == "lead" && source == "web"`,
		`stage != "lead" && stage != "mql"`, // of an earlier version
		`did("attempt") == 32`,
		`score > fit && fit > score`, // as patterns
		`lead.country < "M" && lead.country > "A"`,
		`true`, `score < 1 || score >= 1`,
	} {
		if !canHold(compiled(t, l, "lead", text)...) {
			t.Errorf("%s is taken for impossible", text)
		}
	}
}

// A condition that has no answer for a lead leaves it to those below: division by nothing compares with nothing, and what looks through
// texts that other texts are made of may cost too much.
func TestWhatHasNoAnswerTakesNothing(t *testing.T) {
	t.Parallel()
	l := words(t)
	for _, c := range []struct {
		above, below string
		left         bool
	}{
		{`score / fit > 1 || !(score / fit > 1)`, `lead.hot`, true},
		{`score / fit > 1`, `score / fit > 1 && lead.hot`, false},
		{`score > fit || !(score > fit)`, `lead.hot`, false},
		{`lead.country.contains(lead.industry) || true`, `lead.hot`, true},
		{`lead.country.contains("x") || !lead.country.contains("x")`, `lead.hot`, false},
	} {
		if got := leaves(compiled(t, l, "lead", c.above, c.below)); got != c.left {
			t.Errorf("%s leaves something to %s: %v, want %v", c.above, c.below, got, c.left)
		}
	}
}

// When the steps run out, nothing is said, and the steps are those that were given.
func TestProverStops(t *testing.T) {
	t.Parallel()
	l := words(t)
	var parts []string
	for i := range 12 { // pigeons, one more than holes
		var holes []string
		for j := range 11 {
			holes = append(holes, fmt.Sprintf(`lead.country.matches("%d in %d")`, i, j))
		}
		parts = append(parts, "("+strings.Join(holes, "||")+")")
	}
	var conditions []*Condition
	for _, p := range parts {
		conditions = append(conditions, compiled(t, l, "lead", p)...)
	}
	for j := range 11 {
		for i := range 12 {
			for k := range i {
				conditions = append(conditions, compiled(t, l, "lead", fmt.Sprintf(`!(lead.country.matches("%d in %d") && lead.country.matches("%d in %d"))`, i, j, k, j))...)
			}
		}
	}
	steps := 100_000
	if !possible(&steps, steps, nil, conditions, holding) {
		t.Error("there is an answer: give the test more pigeons")
	}
	if steps > 0 || steps < -20_000 {
		t.Errorf("%d steps are left", steps)
	}
}

// What the prover takes for granted of the world around it.
func TestGranted(t *testing.T) {
	t.Parallel()
	if counted != lead.Remembered {
		t.Errorf("did counts to %d, and %d deeds are remembered", counted, lead.Remembered)
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if low := unicode.ToLower(r); unicode.ToLower(low) != low {
			t.Errorf("%U in lower case has another lower case", r)
		} else if low < 'A' && low != r {
			t.Errorf("%U in lower case is %q", r, low)
		}
	}
}

func TestPhrase(t *testing.T) {
	t.Parallel()
	l := words(t)
	for text, want := range map[string]string{
		`score>=50`:                             `score >= 50`,
		`( (lead.hot)||score>1 )&&!(fit<2)`:     `(lead.hot || score > 1) && !(fit < 2)`,
		`did("won")>=1&&(did("lost")==0&&true)`: `did("won") >= 1 && did("lost") == 0 && true`,
		`"x" in known || "hot" in known`:        ``,
		`known("hot") || "hot" in known`:        `known("hot") || "hot" in known`,
		`lead.hot == true == false`:             `(lead.hot == true) == false`,
		`score - (fit - 1) > -2.5 * (1 + 1)`:    `score - (fit - 1) > -2.5 * (1 + 1)`,
		`lead.country.lower() in ["a", 'b']`:    `lead.country.lower() in ["a", "b"]`,
		`lead.country.matches(r"\d")`:           `lead.country.matches("\\d")`,
		`(lead.hot ? score : fit) > 1`:          `(lead.hot ? score : fit) > 1`,
	} {
		c, _ := l.compile(l.lead, text, nil)
		if c == nil {
			if want != "" {
				t.Errorf("%s does not compile", text)
			}
			continue
		}
		if got := phrase(c.expr); got != want {
			t.Errorf("%s is written as %s, want %s", text, got, want)
		}
	}
	for _, same := range [][2]string{
		{`score >= 50 && lead.hot`, `lead.hot&&(50 <= score)`},
		{`lead.hot || lead.customer || lead.hot`, `lead.customer || lead.hot`},
	} {
		pair := compiled(t, l, "lead", same[0], same[1])
		if a, b := sense(pair[0].expr), sense(pair[1].expr); a != b {
			t.Errorf("%q and %q are told apart: %s, %s", same[0], same[1], a, b)
		}
	}
	pair := compiled(t, l, "lead", `score - fit > 1`, `fit - score > 1`)
	if sense(pair[0].expr) == sense(pair[1].expr) {
		t.Error("differences are taken for equal")
	}
}
