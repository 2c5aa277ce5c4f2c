package hook

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/preset"
)

func TestParseTakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want node
	}{
		"object":                    {`{"a":1,"b":[true,null,"x"]}`, object{{"a", number("1")}, {"b", array{true, nil, "x"}}}},
		"keys are case-sensitive":   {`{"email":"a","EMAIL":"b"}`, object{{"email", "a"}, {"EMAIL", "b"}}},
		"64-bit id":                 {`{"id":9007199254740993}`, object{{"id", number("9007199254740993")}}},
		"number beyond any float":   {`[1e999999]`, array{number("1e999999")}},
		"1,000 digits":              {"[" + strings.Repeat("7", 1000) + "]", array{number(strings.Repeat("7", 1000))}},
		"minus zero":                {`[-0]`, array{number("-0")}},
		"a pair of surrogates":      {`["\ud83d\ude0d"]`, array{"😍"}},
		"same key in two objects":   {`{"a":{"k":1},"b":{"k":2}}`, object{{"a", object{{"k", number("1")}}}, {"b", object{{"k", number("2")}}}}},
		"empty containers and keys": {`{"":{},"x":[]}`, object{{"", object{}}, {"x", array{}}}},
		"space around":              {" \t\r\n{} \t\r\n", object{}},
		"scalar":                    {`"x"`, "x"},
		"escapes":                   {`{"\u0061\n":"\"\\\/\u00e9","b":" \\"}`, object{{"a\n", "\"\\/é"}, {"b", " \\"}}},
		"space between":             {"{ \"a\" :\t12 ,\n\"b\": -0.5e+7 }", object{{"a", number("12")}, {"b", number("-0.5e+7")}}},
		"BOM inside a text":         {"[\"\ufeff\"]", array{"\ufeff"}},
	} {
		if got, err := parse([]byte(c.body)); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v; want %#v", name, got, err, c.want)
		}
	}
	if _, err := parse([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64))); err != nil {
		t.Errorf("depth 64: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const deep = 65
	for name, body := range map[string]string{
		"nothing":                          "",
		"space":                            " ",
		"duplicate key":                    `{"a":1,"a":2}`,
		"duplicate key, deep":              `{"x":[{"y":{"secret":1,"secret":1}}]}`,
		"duplicate key, escaped":           `{"a":1,"\u0061":2}`,
		"NUL escaped":                      `{"a":"x\u0000y"}`,
		"NUL escaped in a key":             `{"a\u0000":1}`,
		"NUL raw in a text":                "{\"a\":\"x\x00y\"}",
		"NUL raw behind":                   "{}\x00",
		"control character in a text":      "[\"\x01\"]",
		"bad UTF-8":                        "[\"\xff\"]",
		"overlong UTF-8":                   "[\"\xc0\xaf\"]",
		"surrogate as UTF-8":               "[\"\xed\xa0\x80\"]",
		"UTF-16":                           "\xff\xfe{\x00}\x00",
		"lone high surrogate":              `["\ud83d"]`,
		"lone low surrogate":               `["\ude0d"]`,
		"surrogates the wrong way":         `["\ude0d\ud83d"]`,
		"lone surrogate in a key":          `{"\ud83d":1}`,
		"BOM":                              "\ufeff{}",
		"second value":                     `{} {}`,
		"second value, broken":             `{} x`,
		"comma behind":                     `{},`,
		"bracket behind":                   `{}}`,
		"array too deep":                   strings.Repeat("[", deep) + strings.Repeat("]", deep),
		"object too deep":                  strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep),
		"100,000 open brackets":            strings.Repeat("[", 100_000),
		"cut off":                          `{"a":`,
		"cut off in a text":                `{"a":"x`,
		"trailing comma":                   `[1,]`,
		"single quotes":                    `{'a':1}`,
		"bare key":                         `{a:1}`,
		"comment":                          `{}//`,
		"NaN":                              `[NaN]`,
		"plus":                             `[+1]`,
		"leading zero":                     `[08]`,
		"hexadecimal":                      `[0x1]`,
		"number with a bare point":         `[1.]`,
		"key that is no text":              `{1:1}`,
		"other white space than JSON's":    "\u00a0{}",
		"form feed behind":                 "{}\f",
		"array closed as an object":        `[1}`,
		"half a literal":                   `[tru]`,
		"escape that does not exist":       `["\x"]`,
		"unterminated unicode escape":      `["\u12"]`,
		"two numbers that look like a one": `1 2`,
	} {
		got, err := parse([]byte(body))
		if err == nil {
			t.Errorf("%s: taken as %#v", name, got)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the body: %v", name, err)
		}
	}
}

// FuzzParse: no body makes parse panic, and what it takes the standard library takes too and reads the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+7,true,false,null,"x\u00e9\ud83d\ude0d"]}`, `{"a":1,"a":2}`, "\ufeff{}", `["\ud800"]`, `{} {}`, "[\"\x00\"]",
		strings.Repeat("[", 65) + strings.Repeat("]", 65), `123456789012345678901234567890`, " [ ] ", "[1e999]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil || !json.Valid(body) {
			t.Fatalf("parse takes what encoding/json refuses (%v): %q", err, body)
		}
		if plain := plainly(got); !reflect.DeepEqual(plain, want) {
			t.Fatalf("parse reads %#v, encoding/json %#v", plain, want)
		}
	})
}

// plainly is a tree in the words of encoding/json.
func plainly(n node) any {
	switch v := n.(type) {
	case number:
		return json.Number(v)
	case object:
		out := map[string]any{}
		for _, m := range v {
			out[m.name] = plainly(m.value)
		}
		return out
	case array:
		out := []any{}
		for _, n := range v {
			out = append(out, plainly(n))
		}
		return out
	}
	return n
}

func TestPaths(t *testing.T) {
	t.Parallel()
	root, err := parse([]byte(`{"a":{"b":[{"c":"x"},{"c":null}],"d":7},"e":null,"5":"key"}`))
	if err != nil {
		t.Fatal(err)
	}
	sc := scope{root: root, event: root}
	for path, want := range map[string]node{
		"a.b.0.c": "x", "a.d": number("7"), "5": "key", "/a.d": number("7"), "=word": "word", "a.b.[c=x].c": "x",
		"a.b.1.c": nil, "e": nil, "a.b.2.c": nil, "a.b.-1.c": nil, "a.b.x": nil, "a.d.e": nil, "A.d": nil, "a.b.[c=y].c": nil, "@key": nil,
	} {
		place, err := preset.At(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := sc.first(place); got != want || ok != (want != nil) {
			t.Errorf("%q: %#v, %v; want %#v", path, got, ok, want)
		}
	}
}
