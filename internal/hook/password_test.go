package hook

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

func verifierOf(t testing.TB, p preset.Proof, secret string) Verifier {
	t.Helper()
	v, err := NewVerifier(p, secret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// flips are all texts that differ from text in one bit.
func flips(text string) []string {
	var out []string
	for i := range text {
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			out = append(out, string(b))
		}
	}
	return out
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		kind   preset.ProofKind
		secret string
		given  map[string]bool
	}{
		{preset.Bearer, "token-1", map[string]bool{
			"Bearer token-1": true, "bearer token-1": true, "BEARER token-1": true,
			"Bearer token-2": false, "Bearer token-": false, "Bearer token-11": false, "Bearer ": false, "Bearer": false, "": false,
			"Basic token-1": false, "token-1": false, "Bearer  token-1": false, "Bearer TOKEN-1": false, "Bearer token-1 ": false,
		}},
		// The password holds colons and a letter outside ASCII, as Python's base64 writes it.
		{preset.Basic, "hook:pa:ss wörd", map[string]bool{
			"Basic aG9vazpwYTpzcyB3w7ZyZA==": true, "basic aG9vazpwYTpzcyB3w7ZyZA==": true,
			"Basic aG9vazpwYTpzcyB3w7ZyZA": false, "Bearer aG9vazpwYTpzcyB3w7ZyZA==": false, "Basic hook:pa:ss wörd": false,
			"Basic " + encoded("hook:pa"): false, "Basic " + encoded("hook"): false, "Basic " + encoded(":pa:ss wörd"): false,
			"Basic " + encoded("hook:pa:ss wörd:"): false, "Basic ": false, "Basic": false, "": false, "Basic ~": false,
		}},
	} {
		v := verifierOf(t, preset.Proof{Kind: c.kind}, c.secret)
		for given, want := range c.given {
			err := v.Verify(&Request{Header: http.Header{"Authorization": {given}}}, time.Time{})
			if (err == nil) != want {
				t.Errorf("%q: %v, want taken %v", given, err, want)
			}
			if err != nil && (strings.Contains(err.Error(), "token-") || strings.Contains(err.Error(), "pa:")) {
				t.Errorf("%q: the refusal repeats a secret: %v", given, err)
			}
		}
		signed := &Request{}
		if err := Sign(preset.Proof{Kind: c.kind}, c.secret, signed, time.Time{}); err != nil {
			t.Fatal(err)
		}
		good := signed.Header.Get("Authorization")
		if err := v.Verify(signed, time.Time{}); err != nil || !c.given[good] {
			t.Errorf("signed as %q: %v", good, err)
		}
		scheme, text, _ := strings.Cut(good, " ")
		for _, other := range flips(text) {
			if v.Verify(&Request{Header: http.Header{"Authorization": {scheme + " " + other}}}, time.Time{}) == nil {
				t.Errorf("%q is taken", other)
			}
		}
		for what, h := range map[string]http.Header{"missing": {}, "doubled": {"Authorization": {good, good}}} {
			if err := v.Verify(&Request{Header: h}, time.Time{}); err == nil || !strings.Contains(err.Error(), "Authorization") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func TestSecretInHeader(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "Token "} {
		p := preset.Proof{Kind: preset.Header, Header: "X-Api-Key", Prefix: prefix}
		v := verifierOf(t, p, "hunter2")
		signed := &Request{}
		if err := Sign(p, "hunter2", signed, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(signed, time.Time{}); err != nil || signed.Header.Get("X-Api-Key") != prefix+"hunter2" {
			t.Errorf("%v: %v", signed.Header, err)
		}
		for _, given := range append(flips(prefix+"hunter2"), "", "hunter", prefix+"hunter22", prefix, "Token  hunter2") {
			if err := v.Verify(&Request{Header: http.Header{"X-Api-Key": {given}}}, time.Time{}); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v", given, err)
			}
		}
		for _, h := range []http.Header{{}, {"X-Api-Key": {prefix + "hunter2", prefix + "hunter2"}}, {"X-Other": {prefix + "hunter2"}}} {
			if err := v.Verify(&Request{Header: h}, time.Time{}); err == nil || !strings.Contains(err.Error(), "X-Api-Key") {
				t.Errorf("%v: %v", h, err)
			}
		}
	}
}

func TestSecretInAddress(t *testing.T) {
	t.Parallel()
	for _, p := range []preset.Proof{{Kind: preset.Query}, {Kind: preset.Query, Param: "key"}, {Kind: preset.Query, Param: "to&ken"}} {
		v, name := verifierOf(t, p, "hunter+2 &"), p.QueryParam()
		signed := &Request{URI: "https://hooks.example.com/v1/hooks/page?list=7"}
		if err := Sign(p, "hunter+2 &", signed, time.Time{}); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed.URI)
		if err != nil || u.Query().Get(name) != "hunter+2 &" || u.Query().Get("list") != "7" || u.Path != "/v1/hooks/page" {
			t.Errorf("the address became %s, %v", signed.URI, err)
		}
		if err := v.Verify(signed, time.Time{}); err != nil {
			t.Error(err)
		}
		for _, given := range append(flips("hunter+2 &"), "", "hunter", "hunter+2 &&") {
			if err := v.Verify(&Request{Query: url.Values{name: {given}}}, time.Time{}); err == nil || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%q: %v", given, err)
			}
		}
		for _, q := range []url.Values{nil, {"other": {"hunter+2 &"}}, {name: {"hunter+2 &", "hunter+2 &"}}, {name: {"x", "hunter+2 &"}}} {
			if err := v.Verify(&Request{Query: q}, time.Time{}); err == nil || !strings.Contains(err.Error(), "?"+name+"=") {
				t.Errorf("%v: %v", q, err)
			}
		}
	}
	if err := Sign(preset.Proof{Kind: preset.Query}, "hunter2", &Request{URI: "http://[?key=hunter2"}, time.Time{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an address that is none: %v", err)
	}
}

const aJSON, aForm = "application/json", "application/x-www-form-urlencoded"

func TestSecretInBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, media, body, signed string }{
		{"google_key", aJSON, `{"google_key":"?","id":12345678901234567890}`, `{"google_key":"4711","id":12345678901234567890}`},
		{"google_key", aJSON, ` { "a" : [1, 2] }`, ` {"google_key":"4711", "a" : [1, 2] }`},
		{"google_key", aJSON + "; charset=utf-8", `{}`, `{"google_key":"4711"}`},
		{"auth.key", aJSON, `{"x":{"auth":1},"auth":{"who":"me","key": null}}`, `{"x":{"auth":1},"auth":{"who":"me","key": "4711"}}`},
		{"auth.key", aJSON, `{"x":1}`, `{"auth":{"key":"4711"},"x":1}`},
		{"auth.key", aJSON, `{"auth":{}}`, `{"auth":{"key":"4711"}}`},
		{"key", aForm, "email=a%40b.org&key=x", "email=a%40b.org&key=4711"},
		{"contact.key", aForm, "contact%5Bemail%5D=a%40b.org", "contact%5Bemail%5D=a%40b.org&contact%5Bkey%5D=4711"},
	} {
		place, err := preset.At(c.path)
		if err != nil {
			t.Fatal(err)
		}
		p := preset.Proof{Kind: preset.Body, Path: place}
		v := verifierOf(t, p, "4711")
		r := &Request{Header: http.Header{"Content-Type": {c.media}}, Body: []byte(c.body)}
		if v.Verify(r, time.Time{}) == nil {
			t.Errorf("%s: taken unsigned", c.body)
		}
		if err := Sign(p, "4711", r, time.Time{}); err != nil || string(r.Body) != c.signed {
			t.Errorf("%s is signed as %s, %v", c.body, r.Body, err)
		}
		if err := v.Verify(r, time.Time{}); err != nil {
			t.Errorf("%s: %v", r.Body, err)
		}
		for i := range "4711" {
			other := strings.Replace(c.signed, "4711", flips("4711")[i*8], 1)
			r.Body = []byte(other)
			if err := v.Verify(r, time.Time{}); err == nil || strings.Contains(err.Error(), "4711") {
				t.Errorf("%s: %v", other, err)
			}
		}
	}
	place, err := preset.At("google_key")
	if err != nil {
		t.Fatal(err)
	}
	v := verifierOf(t, preset.Proof{Kind: preset.Body, Path: place}, "4711")
	for media, bodies := range map[string][]string{
		aJSON: {
			"", "{", "[]", `"4711"`, `{"google_key":["4711"]}`, `{"google_key":{"a":"4711"}}`, `{"google_key":null}`, `{"Google_Key":"4711"}`,
			`{"google_key":"x","google_key":"4711"}`, `{"google_key":"4711"}}`, `{"google_key":""}`, "{\"google_key\":\"4711\",\"a\":\"\xff\"}",
		},
		aForm: {"", "google_key=x&google_key=4711", "google_key[a]=4711", "google_key=", "google_key=4711&a=%4"},
	} {
		for _, body := range bodies {
			r := &Request{Header: http.Header{"Content-Type": {media}}, Body: []byte(body)}
			if err := v.Verify(r, time.Time{}); err == nil || strings.Contains(err.Error(), "4711") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
	// A number that is the secret is the same text.
	if err := v.Verify(&Request{Body: []byte(`{"google_key":4711}`)}, time.Time{}); err != nil {
		t.Errorf("as a number: %v", err)
	}
}

// TestUnsignable: where a secret cannot be put, the body stays as it was.
func TestUnsignable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, media, body string }{
		{"google_key", aJSON, "[]"}, {"google_key", aJSON, ""}, {"google_key", aJSON, `{"a":`}, {"google_key", aJSON, `{"a" 1}`},
		{"a.key", aJSON, `{"a":[]}`}, {"a.[b=c].key", aJSON, `{}`}, {"=4711", aJSON, `{}`},
		{"google_key", aForm, "%4"}, {"google_key", "multipart/form-data; boundary=X", "--X--"},
	} {
		place, err := preset.At(c.path)
		if err != nil {
			t.Fatal(err)
		}
		r := &Request{Header: http.Header{"Content-Type": {c.media}}, Body: []byte(c.body)}
		if err := Sign(preset.Proof{Kind: preset.Body, Path: place}, "hunter2", r, time.Time{}); err == nil || strings.Contains(err.Error(), "hunter2") || string(r.Body) != c.body {
			t.Errorf("%s at %s: %s, %v", c.body, c.path, r.Body, err)
		}
	}
}
