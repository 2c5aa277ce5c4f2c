package hook

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestFirst(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[{"a":1},{"b":2}]`:           `{"a":1}`,
		" [ {\"a\" : [ 1 , 2 ]} , 3]": `{"a":[1,2]}`,
		`[{"a":"b c","n":1.0e3},"x"]`: `{"a":"b c","n":1.0e3}`,
		`["\u00e9 \/ é"]`:             `"\u00e9 \/ é"`,
		`[1]`:                         `1`,
		` {"a": 1}`:                   ` {"a": 1}`,
		`[{"a":1},`:                   `{"a":1}`,
		"":                            "",
		"no json":                     "no json",
		"[[ ]]":                       "[]",
		"[\"a\xffb\", 1]":             "\"a\xffb\"",
		`[{"a":1,"a": 2}]`:            `{"a":1,"a":2}`,
	} {
		if got, err := firstOf([]byte(body)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v; want %q", body, got, err, want)
		}
	}
	for _, body := range []string{"[", "[]", "[ ", "[}", `[{"a":]`, "[,1]"} {
		if got, err := firstOf([]byte(body)); err == nil {
			t.Errorf("%q has the first element %q", body, got)
		}
	}
}

// FuzzFirst holds {first} to what encoding/json finds.
func FuzzFirst(f *testing.F) {
	for _, body := range []string{`[{"a":1},{"b":2}]`, ` [ {"a" : [ 1 , "x y" ]} , 3]`, `["\u00e9"]`, `{"a":1}`, `[]`, `[1e400]`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got, err := firstOf(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		var list []json.RawMessage
		if json.Unmarshal(body, &list) != nil || len(list) == 0 || bytes.TrimLeft(body, " \t\r\n")[0] != '[' {
			return
		}
		var want bytes.Buffer
		if json.Compact(&want, list[0]) != nil {
			return
		}
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q: %q, %v; want %q", body, got, err, want.Bytes())
		}
	})
}

// TestHubSpotEscapes: the twelve that HubSpot names are decoded once, and nothing else.
func TestHubSpotEscapes(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://h/a%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B": "https://h/a:/?@!$'()*,;",
		"https://h/a%3a%2f%3f%2a%2c%3b":                   "https://h/a:/?*,;",
		"https://h/?q=%20%26%3D%23%25%2B":                 "https://h/?q=%20%26%3D%23%25%2B",
		"https://h/%253A%25%33A":                          "https://h/%253A%25%33A",
		"https://h/?a=%":                                  "https://h/?a=%",
		"":                                                "",
	} {
		if got := hubspotEscapes.Replace(uri); got != want {
			t.Errorf("%s becomes %s, not %s", uri, got, want)
		}
	}
}
