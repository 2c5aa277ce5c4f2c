package agreement

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"
)

// words are those of the conditions that are drawn here.
func words(t interface{ Fatal(...any) }) *language {
	l, err := newLanguage(vocabulary{
		fields: []Field{
			{Name: "employees", Type: Number}, {Name: "age", Type: Number}, {Name: "country", Type: Text}, {Name: "industry", Type: Text},
			{Name: "hot", Type: Flag}, {Name: "customer", Type: Flag},
		},
		channels: []string{"", "paid", "organic"}, sources: []string{"", "web", "crm"}, grades: []string{"A", "B"}, stages: []string{"lead", "mql"},
		purposes: []string{"marketing"},
	}, func(*Lead) string { return Unmatched })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var (
	texts   = []string{"", "DE", "de", "Software", "software", "paid", "web", "form", "k1", "lead", "mql"}
	numbers = []string{"0", "1", "-1", "2.5", "50", "1000"}
	flags   = []string{"true", "false"}
)

// operandsOf are those of a subject, by type.
func operandsOf(subject string) (text, number, flag []string) {
	text = []string{subject + ".country", subject + ".industry", subject + ".country.lower()"}
	number, flag = []string{subject + ".employees", subject + ".age"}, []string{subject + ".hot", subject + ".customer"}
	if subject == "touch" {
		return append(text, "touch.kind", "touch.kind"), number, flag
	}
	flag = append(flag, `known("employees")`, `known("country")`, `consent("marketing")`)
	return text, append(number, "score", "fit", `did("won")`, `did("attempt")`), flag
}

// leaf draws a comparison that closures answer.
func leaf(t *rapid.T, subject string) string {
	text, number, flag := operandsOf(subject)
	pick := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "word") }
	quoted := func() string { return fmt.Sprintf("%q", pick(texts)) }
	sides := func(a, op, b string) string {
		if rapid.Bool().Draw(t, "turned") {
			return b + " " + op + " " + a
		}
		return a + " " + op + " " + b
	}
	switch rapid.IntRange(0, 7).Draw(t, "leaf") {
	case 0:
		return sides(pick(text), pick([]string{"==", "==", "!="}), quoted())
	case 1:
		return sides(pick(number), pick([]string{"==", "!=", "<", "<=", ">", ">="}), pick(numbers))
	case 2:
		return sides(pick(flag), pick([]string{"==", "!="}), pick(flags))
	case 3:
		return fmt.Sprintf("%s in [%s, %s]", pick(text), quoted(), quoted())
	case 4:
		return fmt.Sprintf("%s in [%s, %s]", pick(number), pick(numbers), pick(numbers))
	case 5:
		return fmt.Sprintf("%s.%s(%q)", pick(text), pick([]string{"contains", "startsWith", "endsWith"}), pick([]string{"", "D", "o", "are", "K1"}))
	case 6:
		return fmt.Sprintf("%s.matches(%q)", pick(text), pick([]string{"", "^[a-z]+$", "^[a-z]*$", "web|form", "(?i)de", "é"}))
	}
	if subject == "lead" && rapid.Bool().Draw(t, "known") {
		return `"hot" in known`
	}
	return pick(flag)
}

// other draws a comparison that only CEL answers.
func other(t *rapid.T, subject string) string {
	text, number, flag := operandsOf(subject)
	pick := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "word") }
	return fmt.Sprintf(pick([]string{
		`%[1]s.contains(%[1]s)`, `%[1]s + "x" != "x"`, `%[1]s == %[1]s`, `%[1]s < "M"`, `%[2]s * 2 > 7`,
		`%[2]s / %[2]s < 1`, `(%[3]s ? %[2]s > 1 : %[1]s == "DE")`, `%[3]s in [true]`,
	}), pick(text), pick(number), pick(flag))
}

// mostlyLeaf draws one of the two.
func mostlyLeaf(t *rapid.T, subject string) string {
	if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
		return other(t, subject)
	}
	return leaf(t, subject)
}

// condition draws leaves joined by &&, || and !.
func condition(t *rapid.T, subject string, depth int, leaf func(*rapid.T, string) string) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "ends") == 0 {
		return leaf(t, subject)
	}
	a := condition(t, subject, depth-1, leaf)
	if rapid.IntRange(0, 4).Draw(t, "not") == 0 {
		return "!(" + a + ")"
	}
	return "(" + a + rapid.SampledFrom([]string{" && ", " || "}).Draw(t, "joint") + condition(t, subject, depth-1, leaf) + ")"
}

// subjects draws a lead and a touch of the same fields.
func subjects(t *rapid.T) view {
	text, number := rapid.SampledFrom(texts), rapid.SampledFrom([]float64{0, 1, -1, 2.5, 50, 51, 1000})
	fields := map[string]any{}
	for _, name := range []string{"employees", "age", "country", "industry", "hot", "customer"} {
		switch rapid.IntRange(0, 3).Draw(t, name) {
		case 0: // unknown
		case 1:
			fields[name] = text.Draw(t, name)
		case 2:
			fields[name] = number.Draw(t, name)
		case 3:
			fields[name] = rapid.Bool().Draw(t, name)
		}
	}
	return view{
		lead: &Lead{
			Fields: fields, Score: number.Draw(t, "score"), Fit: number.Draw(t, "fit"), Stage: text.Draw(t, "stage"),
			Channel: text.Draw(t, "channel"), Source: text.Draw(t, "source"), Did: map[string]int64{"won": rapid.Int64Range(0, 2).Draw(t, "won")},
			Granted: map[string]bool{"marketing": rapid.Bool().Draw(t, "marketing")},
		},
		touch: &Touch{Kind: text.Draw(t, "kind"), Source: text.Draw(t, "source"), Channel: text.Draw(t, "channel"), Fields: fields},
	}
}

func (l *language) dialect(subject string) dialect {
	if subject == "touch" {
		return l.touch
	}
	return l.lead
}

// A closure answers what CEL answers.
func TestClosuresAnswerAsCEL(t *testing.T) {
	t.Parallel()
	l := words(t)
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SampledFrom([]string{"lead", "touch"}).Draw(t, "subject")
		text, d := condition(t, subject, 4, leaf), l.dialect(subject)
		checked, remarks := l.check(d, text, nil)
		if len(remarks) > 0 {
			t.Fatalf("%s: %v", text, remarks)
		}
		var byCEL cel.Program
		var err error
		if byCEL, err = d.program(checked); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c, _ := l.compile(d, text, nil)
		if c.closure == nil {
			t.Fatalf("%s has no closure", text)
		}
		for range 10 {
			of := subjects(t)
			want, _, err := byCEL.Eval(activation{of, d.variables})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if got := c.closure(of); got != want.Value() {
				t.Fatalf("%s is %v, CEL says %v, of %+v %+v", text, got, want.Value(), of.lead, of.touch)
			}
		}
	})
}

func TestWhatIsNotPlainHasNoClosure(t *testing.T) {
	t.Parallel()
	l := words(t)
	for _, text := range []string{
		`lead.country.contains(lead.industry)`, `(lead.country + "x").lower().matches("^d")`, `score + fit > 5`, `lead.country == lead.industry`,
		`lead.hot ? true : score > 5`, `lead.country < "M"`, `lead.hot && lead.country.startsWith(stage)`, `!(score / 0 > 1)`,
		`"x" + lead.country == "xDE"`, `lead.country in [lead.industry]`,
	} {
		c, remarks := l.compile(l.lead, text, nil)
		if c == nil || c.closure != nil || c.program == nil {
			t.Errorf("%s: %+v, %v", text, c, remarks)
		}
	}
}

// What closures test and what CEL refuses for its cost are far apart.
func TestLongTextsAreForCEL(t *testing.T) {
	t.Parallel()
	l := words(t)
	most := strings.Repeat("a", maxCondition-60)
	for _, text := range []string{
		`lead.country.lower().contains("` + most + `")`, `lead.country.lower().matches("` + most + `")`, `lead.country.matches("` + strings.Repeat("a?", 900) + `")`,
		strings.Repeat(`lead.country.matches("a")||`, 70) + "lead.hot", strings.Repeat(`lead.country.contains("b")||`, 70) + "lead.hot",
	} {
		c, remarks := l.compile(l.lead, text, nil)
		if c == nil || c.closure == nil || c.program == nil {
			t.Fatalf("%.40s: %v", text, remarks)
		}
		for _, length := range []int{maxTested, maxTested + 1} {
			of := view{lead: &Lead{Fields: map[string]any{"country": strings.Repeat("A", length)}}}
			if c.long(of) != (length > maxTested) {
				t.Errorf("%.40s: a text of %d bytes goes to the other", text, length)
			}
			out, _, err := c.program.Eval(activation{of, c.variables})
			if err != nil || out.Value() != c.closure(of) {
				t.Errorf("%.40s, a text of %d bytes: CEL says %v, %v, the closure %v", text, length, out, err, c.closure(of))
			}
		}
	}
	c, _ := l.compile(l.lead, `lead.country.contains("`+most+`")`, nil)
	if _, err := c.Holds(&Lead{Fields: map[string]any{"country": strings.Repeat("a", 1<<20)}}); err == nil {
		t.Error("a text of a megabyte is looked through")
	}
}

// Rules that the index leaves out do not hold.
func TestIndexLeavesOutOnlyWhatDoesNotHold(t *testing.T) {
	t.Parallel()
	l := words(t)
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SampledFrom([]string{"lead", "touch"}).Draw(t, "subject")
		conditions := make([]*Condition, rapid.IntRange(1, 30).Draw(t, "rules"))
		for i := range conditions {
			if rapid.IntRange(0, 9).Draw(t, "none") == 0 {
				continue // a rule of the other sort
			}
			text := condition(t, subject, 3, mostlyLeaf)
			c, remarks := l.compile(l.dialect(subject), text, nil)
			if c == nil {
				t.Fatalf("%s: %v", text, remarks)
			}
			conditions[i] = c
		}
		x := newIndex(conditions)
		for range 10 {
			of := subjects(t)
			places := x.find([]int{99}, of)[1:]
			if !slices.IsSorted(places) || len(slices.Compact(slices.Clone(places))) != len(places) {
				t.Fatalf("the places %v are not ascending", places)
			}
			for i, c := range conditions {
				found := slices.Contains(places, i)
				if c == nil {
					if found {
						t.Fatalf("rule %d is of the other sort", i)
					}
					continue
				}
				holds, err := c.ask(of)
				if err != nil {
					t.Fatalf("%s: %v", c, err)
				}
				if holds && !found {
					t.Fatalf("%s holds and is left out, of %+v %+v", c, of.lead, of.touch)
				}
			}
		}
	})
}

// What the index knows of conditions, by how it finds them.
func TestNeeds(t *testing.T) {
	t.Parallel()
	l := words(t)
	for _, c := range []struct{ subject, condition, needs string }{
		{"touch", `touch.kind == "form"`, `touch.kind: form`},
		{"touch", `"form" == touch.kind && touch.channel == "paid"`, `touch.kind: form`},
		{"touch", `touch.kind in ["form", "k1"] && touch.hot`, `touch.hot: true`},
		{"touch", `touch.kind.lower() == "form"`, `touch.kind.lower(): form`},
		{"touch", `touch.kind == "form" || touch.kind == "k1"`, `touch.kind: form, touch.kind: k1`},
		{"touch", `touch.kind == "form" || touch.source == "web"`, `touch.kind: form, touch.source: web`},
		{"touch", `touch.kind == "form" || touch.kind.contains("")`, ``},
		{"touch", `touch.kind.contains("k")`, `touch.kind is something: true`},
		{"touch", `touch.kind.matches("k|$")`, ``},
		{"touch", `touch.kind.lower().matches("^k")`, `touch.kind.lower() is something: true`},
		{"touch", `touch.kind != "form"`, ``},
		{"touch", `touch.kind != ""`, `touch.kind is something: true`},
		{"touch", `!(touch.kind == "form")`, ``},
		{"lead", `lead.country == ""`, `lead.country: `},
		{"lead", `lead.employees == 50`, `lead.employees: 50`},
		{"lead", `lead.employees >= 50 && lead.employees < 2000`, `lead.employees is something: true`},
		{"lead", `lead.employees < 2000`, ``},
		{"lead", `5 <= lead.employees`, `lead.employees is something: true`},
		{"lead", `lead.employees >= 0`, ``},
		{"lead", `did("won") >= 1`, `@did.won is something: true`},
		{"lead", `did("won") == 0`, `@did.won: 0`},
		{"lead", `known("hot")`, `@known.hot: true`},
		{"lead", `!known("hot")`, `@known.hot: false`},
		{"lead", `"hot" in known`, `@known.hot: true`},
		{"lead", `consent("marketing")`, `@consent.marketing: true`},
		{"lead", `lead.hot`, `lead.hot: true`},
		{"lead", `!lead.hot`, `lead.hot: false`},
		{"lead", `lead.hot == false && score > fit`, `lead.hot: false`},
		{"lead", `true`, ``},
	} {
		compiled, remarks := l.compile(l.dialect(c.subject), c.condition, nil)
		if compiled == nil {
			t.Fatalf("%s: %v", c.condition, remarks)
		}
		w := weights{}
		w.count(compiled)
		var got []string
		for _, k := range w.needs(compiled.expr, compiled.variables) {
			got = append(got, fmt.Sprint(k.name, ": ", k.value))
		}
		if strings.Join(got, ", ") != c.needs {
			t.Errorf("%s needs %s, want %s", c.condition, strings.Join(got, ", "), c.needs)
		}
	}
}

// The variable with the most values is the one to look under.
func TestIndexTakesWhatPartsBest(t *testing.T) {
	t.Parallel()
	l := words(t)
	var conditions []*Condition
	for i := range 100 {
		c, _ := l.compile(l.touch, fmt.Sprintf(`touch.channel in ["paid", "organic"] && touch.hot && touch.kind == "k%d" && touch.age == 3`, i), nil)
		conditions = append(conditions, c)
	}
	x := newIndex(conditions)
	of := view{touch: &Touch{Kind: "k7", Channel: "paid", Fields: map[string]any{"hot": true, "age": 3.0}}}
	if got := x.find(nil, of); !slices.Equal(got, []int{7}) {
		t.Errorf("found %v", got)
	}
}
