package preset

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		want   []Step
		root   bool
		single bool
	}{
		{"email", []Step{{Name: "email"}}, false, true},
		{"contact.email", []Step{{Name: "contact"}, {Name: "email"}}, false, true},
		{"emails.0.value", []Step{{Name: "emails"}, {Name: "0"}, {Name: "value"}}, false, true},
		{"/meta.action", []Step{{Name: "meta"}, {Name: "action"}}, true, true},
		{"[Job Title]", []Step{{Name: "Job Title"}}, false, true},
		{"[data.json].email.0", []Step{{Name: "data.json"}, {Name: "email"}, {Name: "0"}}, false, true},
		{"[1.3]", []Step{{Name: "1.3"}}, false, true},
		{"answers.[type=email].email", []Step{{Name: "answers"}, {Kind: Where, Name: "type", Value: "email"}, {Name: "email"}}, false, true},
		{"a.[field.ref=name]", []Step{{Name: "a"}, {Kind: Where, Name: "field.ref", Value: "name"}}, false, true},
		{"[column_name=What age?]", []Step{{Kind: Where, Name: "column_name", Value: "What age?"}}, false, true},
		{"[a=b=c]", []Step{{Kind: Where, Name: "a", Value: "b=c"}}, false, true},
		{"entry.*.changes.*", []Step{{Name: "entry"}, {Kind: Each}, {Name: "changes"}, {Kind: Each}}, false, false},
		{"*.[]", []Step{{Kind: Each}, {Kind: Items}}, false, false},
		{"[]", []Step{{Kind: Items}}, false, false},
		{"@key", []Step{{Kind: Key}}, false, true},
		{"a.@key", []Step{{Name: "a"}, {Kind: Key}}, false, false},
		{"sObject.@type", []Step{{Name: "sObject"}, {Name: "@type"}}, false, true},
	} {
		got, err := ParsePath(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !reflect.DeepEqual(got.Steps, c.want) || got.Root != c.root || got.Constant != "" {
			t.Errorf("%s: got %+v", c.text, got)
		}
		if got.Single() != c.single {
			t.Errorf("%s: leads to one value at most: %v", c.text, got.Single())
		}
		if got.String() != c.text {
			t.Errorf("%s is written as %s", c.text, got)
		}
	}
}

func TestConstantPath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"=form": "form", "==": "=", "=a.b [c]": "a.b [c]"} {
		p, err := ParsePath(text)
		if err != nil || p.Constant != want || len(p.Steps) != 0 || !p.Single() {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

func TestNoPath(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "=", "/", ".", "a.", ".a", "a..b", "a b", "a.[", "a.[type=]", "a.[=email]", "[a]b", "a.[b=c]d", "a.\tb"} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%q is a path: %+v", text, p.Steps)
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"email":                          "email",
		"[email, mail.0]":                "email, else mail.0",
		"[name, [first, last]]":          "name, else first + last",
		"[[a, b, c]]":                    "a + b + c",
		`["[data.json].email.0", =none]`: "[data.json].email.0, else =none",
	} {
		var p Place
		if err := yaml.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if p.String() != want {
			t.Errorf("%s: %s, not %s", text, p, want)
		}
	}
	for _, text := range []string{"{a: b}", "[a, {b: c}]", "a b", "entry.*", "[a, [b.*]]", "7", "[[7]]"} {
		var p Place
		if err := yaml.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("%s is a place: %s", text, p)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"events": 1, `[events, "[]"]`: 2, `"*.[]"`: 1} {
		var p Paths
		if err := yaml.Unmarshal([]byte(text), &p); err != nil || len(p) != want {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"{a: b}", "[a..b]", "[[a]]"} {
		var p Paths
		if err := yaml.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("%s are paths: %v", text, p)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, name := range Names() {
		p, err := ByName(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, pattern := range p.Map.Any {
			f.Add(pattern)
		}
		for _, place := range []Place{p.Map.ID, p.Map.Email, p.Map.Name, p.Map.Outcome} {
			for _, alternative := range place {
				for _, path := range alternative {
					f.Add(path.String())
				}
			}
		}
	}
	f.Add("a..b")
	f.Add("[=]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Fatalf("%q is written as %q", text, p)
		}
		if (len(p.Steps) == 0) != (p.Constant != "") {
			t.Fatalf("%q is both a path and a text, or neither", text)
		}
		for _, s := range p.Steps {
			if s.Kind == Member && s.Name == "" {
				t.Fatalf("%q has a step without a name", text)
			}
		}
		if p.Constant != "" || p.Root {
			return
		}
		rooted, err := ParsePath("/" + text)
		if err != nil || !rooted.Root || len(rooted.Steps) != len(p.Steps) {
			t.Fatalf("%q from the body: %+v, %v", text, rooted, err)
		}
		deeper, err := ParsePath("a." + text)
		if err == nil && len(deeper.Steps) != len(p.Steps)+1 || err != nil && !strings.HasPrefix(text, "/") {
			t.Fatalf("%q one deeper: %+v, %v", text, deeper, err)
		}
	})
}
