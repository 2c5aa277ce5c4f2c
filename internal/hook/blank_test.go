package hook

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"testing"
)

func TestBlank(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, secret, want string }{
		"as it is":              {`{"key":"hunter2","a":"hunter2"}`, "hunter2", `{"key":"*******","a":"*******"}`},
		"nowhere":               {`{"key":"hunter3"}`, "hunter2", ""},
		"no secret":             {`{"key":""}`, "", ""},
		"in a form":             {"key=a%26b+c%2fd&x=1", "a&b c/d", "key=***********&x=1"},
		"as JSON may":           {`{"key":"\u0068unter\/\"2\ud83d\ude00"}`, `hunter/"2😀`, `{"key":"****************************"}`},
		"as XML may":            {`<key>a&lt;&#98;&#x63;&amp;d</key>`, `a<bc&d`, `<key>**********************</key>`},
		"quoted-printable":      {"a=3Db=\r\nc", "a=bc", "*********"},
		"JSON within a form":    {"json=%7B%22key%22%3A%22hun%5C%2Fter%22%7D", "hun/ter", "json=%7B%22key%22%3A%22************%22%7D"},
		"JSON within JSON":      {`{"inner":"{\"key\":\"a\\/b\"}"}`, "a/b", `{"inner":"{\"key\":\"*****\"}"}`},
		"beside half an escape": {`{"key":"hunter2\u00`, "hunter2", `{"key":"*******\u00`},
		"beside a lone percent": {"%hunter2%4", "hunter2", "%*******%4"},
	} {
		got, found := Blank([]byte(c.body), c.secret)
		if c.want == "" {
			if found || string(got) != c.body {
				t.Errorf("%s: found %t in %s", name, found, got)
			}
			continue
		}
		if !found || string(got) != c.want {
			t.Errorf("%s: found %t, blanked to\n\t%s, want\n\t%s", name, found, got, c.want)
		}
	}
}

// FuzzBlank: however a writer writes a secret, nobody can read it from what is left, and what is left is as long.
func FuzzBlank(f *testing.F) {
	for _, secret := range []string{"hunter2", `a"b\c/d`, "a&b<c>'", "ü 😀", "=20+", "\\u0041"} {
		f.Add(secret, "before ", " after")
	}
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if secret == "" || strings.ToValidUTF8(secret, "") != secret || strings.ContainsAny(before+after, `\%=&+`) {
			return // what stands around it may not be half of what writes it
		}
		asJSON, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		var asXML, asPrintable bytes.Buffer
		if err := xml.EscapeText(&asXML, []byte(secret)); err != nil {
			t.Fatal(err)
		}
		w := quotedprintable.NewWriter(&asPrintable)
		if _, err := w.Write([]byte(secret)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		writings := []string{secret, string(asJSON[1 : len(asJSON)-1]), url.QueryEscape(secret)}
		if !strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == '\uFFFD' || r == 0xFFFE || r == 0xFFFF }) { // XML cannot write them
			writings = append(writings, asXML.String(), asPrintable.String())
		}
		for _, writing := range writings {
			body := before + writing + after
			blank, found := Blank([]byte(body), secret)
			if !found || len(blank) != len(body) {
				t.Fatalf("%q in %q: found %t, %d bytes", secret, body, found, len(blank))
			}
			if !strings.Contains(secret, "*") && bytes.Contains(blank, []byte(writing)) && !strings.Contains(before+"\x00"+after, writing) {
				t.Fatalf("%q stands in %q", writing, blank)
			}
		}
	})
}
