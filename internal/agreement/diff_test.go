package agreement_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// example is the agreement after what HubSpot did in house, with the replacements made in its text.
func example(t *testing.T, replace ...string) *agreement.Agreement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "examples", "hubspot", "agreement.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	for i := 0; i < len(replace); i += 2 {
		if strings.Count(s, replace[i]) != 1 {
			t.Fatalf("%q stands %d times in the example, want once", replace[i], strings.Count(s, replace[i]))
		}
		s = strings.Replace(s, replace[i], replace[i+1], 1)
	}
	a, faults := agreement.Parse("agreement.yaml", []byte(s))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return a
}

func TestDiffSpeaksOfTheContract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace []string
		want    []string
	}{
		"nothing": {nil, nil},
		"a comment and the layout": {
			[]string{"# Who answers for each side.", "# Somebody else's words.", "when: score >= 50 || lead.hand_raiser", "when: |\n      score  >=  50\n        || lead.hand_raiser"}, nil,
		},
		"a faster promise": {
			[]string{"within: 24h\n    calendar: workdays\n    stops_on", "within: 4h\n    calendar: workdays\n    stops_on"},
			[]string{"first-call for grade B, within: 24 hours → 4 hours; affects boston, dublin"},
		},
		"a promise for all": {
			[]string{"    grades: [B]\n", ""},
			[]string{"first-call, grades: B → all; affects boston, dublin"},
		},
		"leads under way": {
			[]string{"title: Leads for", "under_way: move\ntitle: Leads for"},
			[]string{"leads under way, their clocks: stay under their version → move to this one"},
		},
		"leads under way as they are anyway": {[]string{"title: Leads for", "under_way: stay\ntitle: Leads for"}, nil},
		"a threshold": {
			[]string{"when: score >= 50 || lead.hand_raiser", "when: score >= 40 || lead.hand_raiser"},
			[]string{"mql, when: score >= 50 || lead.hand_raiser → score >= 40 || lead.hand_raiser"},
		},
		"spaces in a quoted text are a change": {
			[]string{`"IE", "GB"`, `"IE ", "GB"`},
			[]string{`to pool emea, that is: lead.country in ["IE", "GB", "DE", "FR", "NL"] → lead.country in ["IE ", "GB", "DE", "FR", "NL"]; affects dublin`},
		},
		"a new holiday": {
			[]string{"      - 2027-02-01 # St. Brigid's Day\n", "      - 2027-02-01\n      - 2027-03-17\n"},
			[]string{"dublin, holidays: 2026-12-25, 2026-12-28, 2027-01-01, 2027-02-01 → 2026-12-25, 2026-12-28, 2027-01-01, 2027-02-01, 2027-03-17"},
		},
		"a reason that is gone, and one that is new": {
			[]string{"  no-time: reassign\n", "  on-vacation: recycle\n"},
			[]string{"no-time: gone: to another rep; affects boston, dublin", "on-vacation: new: to marketing; affects boston, dublin"},
		},
		"who answers for a stage": {
			[]string{"    when: did(\"accepted\") >= 1\n", "    when: did(\"accepted\") >= 1\n    owner: marketing\n"},
			[]string{"sal, answered for by: sales → marketing"},
		},
		"another order of stages": {
			[]string{"  - name: sal\n    when: did(\"accepted\") >= 1\n", "", "    when: did(\"qualified\") >= 1\n", "    when: did(\"qualified\") >= 1\n  - name: sal\n    when: did(\"accepted\") >= 1\n"},
			[]string{
				"The funnel, order: lead, mql, sal, sql, won, lost, recycled → lead, mql, sql, sal, won, lost, recycled",
				"first-quarter, comes on to: mql 20 %, sal 75 %, sql 40 %, won 22 % → mql 20 %, sql 40 %, sal 75 %, won 22 %; not enforced yet",
			},
		},
		"where a source has a thing": {
			[]string{"      email: visitor.email\n", "      email: [visitor.mail, [visitor.user, visitor.host]]\n"},
			[]string{"website, map: kind at event, occurred_at at at, email at visitor.email, country at visitor.country" +
				" → kind at event, occurred_at at at, email at visitor.mail, else visitor.user + visitor.host, country at visitor.country"},
		},
		"when a signature was made": {
			[]string{"prefix: \"sha256=\"}", "prefix: \"sha256=\", signed: \"{time}.{body}\", time: {header: X-Time, millis: true}}"},
			[]string{`website, proves itself by: hmac sha256 hex X-Website-Signature "sha256=" → hmac sha256 hex X-Website-Signature "sha256=" "{time}.{body}" time in X-Time in milliseconds`},
		},
		"an obligation": {
			[]string{"    target: 100\n", "    target: 120\n"},
			[]string{"mqls, target: at least 100 → at least 120; not enforced yet"},
		},
		"a step of a ladder": {
			[]string{"- {after: 4h, do: escalate, to: the rep's manager}", "- {after: 2h, do: escalate, to: the rep's manager}"},
			[]string{"sales-late, that is: at once: remind; after 4 hours: escalate to the rep's manager; after 24 hours: reassign; after 1 week: reduce-weight by 50 % for 2 weeks" +
				" → at once: remind; after 2 hours: escalate to the rep's manager; after 24 hours: reassign; after 1 week: reduce-weight by 50 % for 2 weeks; not enforced yet"},
		},
	} {
		var got []string
		for _, change := range agreement.Diff(example(t), example(t, c.replace...)) {
			got = append(got, change.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

// TestDiffOverlooksNothing changes every value of an agreement in turn, one at a time.
func TestDiffOverlooksNothing(t *testing.T) {
	t.Parallel()
	before, after := example(t), example(t)
	changed := 0
	var walk func(path string, find func(*agreement.Agreement) reflect.Value)
	// Which of an obligation's values say something follows from its measure; those that do not are zero, and stay unsaid.
	unsaid := func(path string, v reflect.Value) bool {
		last := path[strings.LastIndex(path, ".")+1:]
		of := strings.Contains(path, ".Measure.") || strings.HasPrefix(path, ".Obligations") && (last == "Target" || last == "TargetTime")
		return of && v.IsZero()
	}
	try := func(path string, find func(*agreement.Agreement) reflect.Value, spoil func(reflect.Value)) {
		v := find(after)
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		spoil(v)
		defer v.Set(was)
		changed++
		if len(agreement.Diff(before, after)) == 0 {
			t.Errorf("%s is another, and nobody is told", path)
		}
	}
	walk = func(path string, find func(*agreement.Agreement) reflect.Value) {
		v := find(before)
		if unsaid(path, v) {
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				// What the text says is in the other fields. The agreement's own calendars are never round the clock, and a clock that
				// nobody keeps, the handoff's, has none of the rest.
				if !f.IsExported() || path == "" && (f.Name == "Hash" || f.Name == "Text") || f.Name == "Always" {
					continue
				}
				if strings.HasPrefix(path, ".Handoff.Unassigned") && !slices.Contains([]string{"Within", "Calendar", "Warn"}, f.Name) {
					continue
				}
				// What follows from a source's preset is said by its name; the map that the agreement writes over it has a case above.
				if v.Type() == reflect.TypeFor[agreement.Source]() && slices.Contains([]string{"Tool", "Map"}, f.Name) {
					continue
				}
				walk(path+"."+f.Name, func(a *agreement.Agreement) reflect.Value { return find(a).Field(i) })
			}
		case reflect.Slice:
			if v.Len() > 0 {
				try(path+"[last] gone", find, func(v reflect.Value) { v.SetLen(v.Len() - 1) })
			}
			for i := range v.Len() {
				walk(path+"["+string(rune('0'+i%10))+"]", func(a *agreement.Agreement) reflect.Value { return find(a).Index(i) })
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				try(path+"["+k.String()+"] gone", find, func(v reflect.Value) {
					fewer := reflect.MakeMap(v.Type())
					for _, other := range v.MapKeys() {
						if !other.Equal(k) {
							fewer.SetMapIndex(other, v.MapIndex(other))
						}
					}
					v.Set(fewer)
				})
			}
		case reflect.Pointer:
			if !v.IsNil() {
				try(path, find, func(v reflect.Value) { v.SetZero() })
			}
		case reflect.String:
			try(path, find, func(v reflect.Value) { v.SetString(v.String() + "x") })
		case reflect.Bool:
			try(path, find, func(v reflect.Value) { v.SetBool(!v.Bool()) })
		case reflect.Float64:
			try(path, find, func(v reflect.Value) { v.SetFloat(v.Float() + 0.25) })
		default:
			step := int64(1)
			if v.Type() == reflect.TypeFor[time.Duration]() {
				step = int64(time.Second)
			}
			try(path, find, func(v reflect.Value) { v.SetInt(v.Int() + step) })
		}
	}
	walk("", func(a *agreement.Agreement) reflect.Value { return reflect.ValueOf(a).Elem() })
	if changed < 200 {
		t.Errorf("only %d values were changed: is the example still the large one?", changed)
	}
}
