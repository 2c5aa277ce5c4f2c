package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/rehearsal"
)

const secret = `se"cret$HOME'` + "`ls` 1%"

// door verifies what arrives, and keeps the body.
func door(t *testing.T, p preset.Proof, secret string, body *[]byte) string {
	t.Helper()
	v, err := hook.NewVerifier(p, secret)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/hooks/odd" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		*body = text
		given := &hook.Request{Method: r.Method, URI: "https://public.example.com" + r.URL.RequestURI(), Query: r.URL.Query(), Header: r.Header, Body: text}
		if err := v.Verify(given, time.Now()); err != nil {
			t.Errorf("%v: %q", err, text)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestCommands runs each command in a shell, with a body that holds all that a shell could see something in.
func TestCommands(t *testing.T) {
	t.Parallel()
	place, err := preset.At("auth.key")
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"quotes":    `{"a":"'it''s' \"$HOME\" ` + "`id` $(id) \\\\ \\n !x %s %d" + ` é€😀"}`,
		"lines":     "{\n\"a\": 1,\n\n\"b\": \"BODY\"\n}\n",
		"its mark":  "{\"a\":\nBODY\n}",
		"a tab":     "{\"a\":\t1}",
		"two parts": "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n100% \\ 'x'\r\n--X--\r\n",
		"bytes":     "-\x00\x01\xff\xfe\x7f",
		"nothing":   "",
	}
	stamp := &preset.Stamp{Header: "X-Time", Millis: true}
	for _, p := range []preset.Proof{
		{Kind: preset.HMAC, Header: "X-Signature", Prefix: "sha256="},
		{Kind: preset.HMAC, Header: "X-Signature", Signed: "{method}{uri}{body}{time}", Encoding: "base64", Time: stamp},
		{Kind: preset.Digest, Header: "X-Signature", Signed: "{secret}{uri}{body}"},
		{Kind: preset.HMAC, Header: "X-Signature", Signed: "{time}.{body}", Part: "v1", Time: &preset.Stamp{Part: "t"}},
		{Kind: preset.Bearer}, {Kind: preset.Basic}, {Kind: preset.Query, Param: "key"},
		{Kind: preset.Header, Header: "X-Key", Prefix: "Token $1 "}, {Kind: preset.Body, Path: place},
		{Kind: preset.StandardWebhook},
	} {
		for name, body := range bodies {
			for _, filed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, %s, in a file %v", p.Kind, p.Signed, name, filed), func(t *testing.T) {
					t.Parallel()
					value := map[preset.ProofKind]string{
						preset.Body: "4711-x_y.z~", preset.StandardWebhook: "whsec_bm8gb25lIGVsc2UgaGFzIHRoaXMga2V5", preset.Basic: "user:" + secret,
					}[p.Kind]
					if value == "" {
						value = secret
					}
					if p.Kind == preset.Digest && name == "bytes" {
						t.Log("a digest takes UTF-8 alone")
						return
					}
					var got []byte
					c := rehearsal.Curl{
						Source: agreement.Source{Name: "odd", Tool: preset.Preset{Formats: []preset.Format{preset.JSON}}, Verify: agreement.Verify{Proof: p, Secrets: []string{"env:ODD"}}},
						To:     door(t, p, value, &got), Public: "https://public.example.com/", Body: []byte(body), At: time.Now(),
						Secret: func(string) (string, error) { return value, nil },
					}
					if name == "two parts" {
						c.Media = "multipart/form-data; boundary=X"
					}
					if filed {
						c.File = filepath.Join(t.TempDir(), "it's a body.json")
						if err := os.WriteFile(c.File, []byte(body), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					var text bytes.Buffer
					err := c.Write(&text)
					if p.Kind == preset.Body && (name == "a tab" || name == "two parts" || name == "bytes" || name == "nothing" || name == "its mark") {
						if err == nil {
							t.Errorf("a secret is put where it cannot be:\n%s", text.String())
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if strings.Contains(text.String(), value) || strings.Contains(text.String(), "secret$HOME") {
						t.Errorf("the secret stands in the command:\n%s", text.String())
					}
					run := exec.CommandContext(t.Context(), "sh", "-e")
					run.Stdin, run.Env = &text, append(os.Environ(), "ODD="+value)
					written := text.String()
					if out, err := run.CombinedOutput(); err != nil {
						t.Fatalf("%v: %s\n%s", err, out, written)
					}
					want := body
					if !filed && !strings.HasSuffix(body, "\n") && name != "two parts" {
						want += "\n"
					}
					if p.Kind != preset.Body {
						if string(got) != want {
							t.Errorf("%q arrives as %q\n%s", want, got, written)
						}
						return
					}
					var sent, arrived map[string]any
					if err := errors.Join(json.Unmarshal([]byte(body), &sent), json.Unmarshal(got, &arrived)); err != nil {
						t.Fatalf("%v: %s", err, got)
					}
					delete(arrived, "auth")
					if fmt.Sprint(sent) != fmt.Sprint(arrived) {
						t.Errorf("%v arrives as %v", sent, arrived)
					}
				})
			}
		}
	}
}

// TestFormWithItsSecret: a form's secret is put in by the shell too.
func TestFormWithItsSecret(t *testing.T) {
	t.Parallel()
	place, err := preset.At("auth.key")
	if err != nil {
		t.Fatal(err)
	}
	p := preset.Proof{Kind: preset.Body, Path: place}
	var got []byte
	c := rehearsal.Curl{
		Source: agreement.Source{Name: "odd", Tool: preset.Preset{Formats: []preset.Format{preset.Form}}, Verify: agreement.Verify{Proof: p, Secrets: []string{"env:ODD"}}},
		To:     door(t, p, "4711", &got), Body: []byte("email=a%40b.org&note=%24HOME"), Secret: func(string) (string, error) { return "4711", nil },
	}
	var text bytes.Buffer
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "sh", "-e")
	run.Stdin, run.Env = &text, append(os.Environ(), "ODD=4711")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := url.Values{"email": {"a@b.org"}, "note": {"$HOME"}, "auth[key]": {"4711"}}
	if arrived, err := url.ParseQuery(strings.TrimRight(string(got), "\n")); err != nil || arrived.Encode() != want.Encode() {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNoCommand: what cannot be written is said, without the secret.
func TestNoCommand(t *testing.T) {
	t.Parallel()
	place, err := preset.At("key")
	if err != nil {
		t.Fatal(err)
	}
	none := func(string) (string, error) { return "", errors.New("the variable ODD is not set") }
	known := func(string) (string, error) { return "hunter 2", nil }
	for name, c := range map[string]rehearsal.Curl{
		"no door":               {Source: source(preset.Proof{Kind: preset.Bearer}), To: "127.0.0.1:8080", Secret: known},
		"a door with a query":   {Source: source(preset.Proof{Kind: preset.Bearer}), To: "http://h/?a=b", Secret: known},
		"a public door alone":   {Source: source(preset.Proof{Kind: preset.Bearer}), To: "http://h", Public: "h", Secret: known},
		"no secret to sign":     {Source: source(preset.Proof{Kind: preset.HMAC, Header: "S"}), To: "http://h", Secret: none},
		"a secret that cannot":  {Source: source(preset.Proof{Kind: preset.StandardWebhook}), To: "http://h", Secret: known},
		"a secret to be quoted": {Source: source(preset.Proof{Kind: preset.Body, Path: place}), To: "http://h", Body: []byte("{}"), Secret: known},
		"a source without any":  {Source: agreement.Source{Name: "odd"}, To: "http://h", Secret: known},
	} {
		var text bytes.Buffer
		if err := c.Write(&text); err == nil || strings.Contains(err.Error(), "hunter") || text.Len() > 0 {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
	}
}

func source(p preset.Proof) agreement.Source {
	return agreement.Source{Name: "odd", Tool: preset.Preset{Formats: []preset.Format{preset.JSON}}, Verify: agreement.Verify{Proof: p, Secrets: []string{"env:ODD"}}}
}
