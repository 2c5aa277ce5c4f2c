package hook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/preset"
)

// proofs are one of each kind and form, with a secret that fits.
func proofs(t testing.TB) (all []preset.Proof, secrets []string) {
	t.Helper()
	for _, v := range vectors() {
		if !v.foreign {
			all, secrets = append(all, v.proof), append(secrets, v.secret)
		}
	}
	key, err := preset.At("google_key")
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, preset.Proof{Kind: preset.Bearer}, preset.Proof{Kind: preset.Basic}, preset.Proof{Kind: preset.Header, Header: "X-Key"},
		preset.Proof{Kind: preset.Query}, preset.Proof{Kind: preset.Body, Path: key})
	return all, append(secrets, "tok3n", "user:pa55", "s3cret", "s3cret", "s3cret")
}

// FuzzSigned: what Sign makes is taken, and no longer once the body or the signature is another; nothing panics on the way.
func FuzzSigned(f *testing.F) {
	all, _ := proofs(f)
	for i := range all {
		f.Add(uint(i), "POST", postedURI, []byte(postedBody), "application/json", 3, byte(1))
		f.Add(uint(i), "POST", "http://h/", []byte(`[{"a": 1},{"b":2}]`), "application/json", 7, byte(0x20))
		f.Add(uint(i), "", "", []byte("google_key=a&b=c"), "application/x-www-form-urlencoded", 0, byte(0xff))
	}
	f.Fuzz(func(t *testing.T, which uint, method, uri string, body []byte, media string, where int, flip byte) {
		all, secrets := proofs(t)
		p, secret := all[which%uint(len(all))], secrets[which%uint(len(all))]
		v := verifierOf(t, p, secret)
		now := time.Unix(signedAt, 123e6)
		r := &Request{Method: method, URI: uri, Header: http.Header{"Content-Type": {media}}, Body: bytes.Clone(body)}
		if err := v.Verify(r, now); err == nil && p.Kind != preset.Body { // only in the body could a fuzzer write it
			t.Fatalf("%s is taken without a proof", p.Kind)
		}
		if err := Sign(p, secret, r, now); err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error tells the secret: %v", err)
			}
			return
		}
		if err := v.Verify(r, now); err != nil {
			if p.Kind == preset.Body || !bytes.Equal(r.Body, body) || (p.Kind == preset.Digest && strings.Contains(err.Error(), "UTF-8")) {
				return // what stands around the secret may be wrong
			}
			t.Fatalf("%s: %q is signed and not taken: %v", p.Kind, body, err)
		}
		if flip == 0 || (p.Kind != preset.HMAC && p.Kind != preset.Digest && p.Kind != preset.StandardWebhook) {
			return
		}
		if len(body) > 0 && p.Signed != "{first}" {
			i := int(uint(where) % uint(len(body)))
			r.Body[i] ^= flip
			if v.Verify(r, now) == nil {
				t.Fatalf("%s: byte %d of %q is not covered", p.Kind, i, body)
			}
			r.Body[i] ^= flip
		}
		name := "Webhook-Signature"
		if p.Header != "" {
			name = http.CanonicalHeaderKey(p.Header)
		}
		signature := []byte(r.Header.Get(name))
		i := int(uint(where) % uint(len(signature)))
		signature[i] ^= flip
		r.Header[name] = []string{string(signature)}
		if v.Verify(r, now) == nil && !sameSpelling(p, string(signature)) {
			t.Fatalf("%s: byte %d of the signature is not covered: %q", p.Kind, i, signature)
		}
	})
}

// sameSpelling says that a signature is written another way and still the same: its hex in large letters, or blanks around a part.
func sameSpelling(p preset.Proof, signature string) bool {
	return p.Encoding != "base64" && p.Kind != preset.StandardWebhook && strings.ToUpper(signature) == signature
}

// FuzzUnsigned: whatever headers, addresses and bodies come, they are refused, in words that repeat no secret.
func FuzzUnsigned(f *testing.F) {
	f.Add(uint(0), "x", "x", "x", "a=1&key=x", []byte("{}"))
	f.Add(uint(8), "t=1790000000,v1=00", "1790000000", "msg", "key=x&key=y", []byte(`{"google_key":"x"}`))
	f.Add(uint(16), "v1,AAAA v1a,AAAA", "1790000000", "", "key=%", []byte("[1"))
	f.Add(uint(18), "Bearer ", "", "", "", []byte{0xff})
	f.Fuzz(func(t *testing.T, which uint, value, when, id, query string, body []byte) {
		all, secrets := proofs(t)
		p, secret := all[which%uint(len(all))], secrets[which%uint(len(all))]
		q, _ := url.ParseQuery(query) // what could be read of it, as the door has it
		r := &Request{Method: http.MethodPost, URI: "https://h/?" + query, Query: q, Header: http.Header{}, Body: body}
		for _, name := range []string{p.Header, "Authorization", "Webhook-Signature"} {
			r.Header.Set(name, value)
		}
		for _, name := range []string{"X-Timestamp", "X-HubSpot-Request-Timestamp", "Webhook-Timestamp"} {
			r.Header.Set(name, when)
		}
		r.Header.Set("Webhook-Id", id)
		err := verifierOf(t, p, secret).Verify(r, time.Unix(signedAt, 0))
		known := strings.Contains(value, secret) || strings.Contains(value, base64.StdEncoding.EncodeToString([]byte(secret))) ||
			strings.Contains(query, secret) || bytes.Contains(body, []byte(secret))
		if err == nil && !known {
			t.Fatalf("%s is taken: %q, %q, %q", p.Kind, value, query, body)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("the refusal tells the secret: %v", err)
		}
	})
}

// FuzzPut: a secret is put into any object, and all else in it stays what it was.
func FuzzPut(f *testing.F) {
	for _, body := range []string{`{}`, `{"key":1}`, ` { "a" : {"key":[1,2]}, "key" : null } `, `{"a":{}}`, `{"é":"\u00e9"}`, "[", ""} {
		f.Add([]byte(body), "key")
		f.Add([]byte(body), "a.key")
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		names := strings.Split(path, ".")
		if len(names) > 3 || slices.Contains(names, "") || !utf8.ValidString(path) {
			return
		}
		got, err := put(body, names, []byte(`"4711"`))
		if err != nil {
			return
		}
		var before, after map[string]any
		if _, err := parse(body); err != nil || json.Unmarshal(body, &before) != nil {
			return // it is refused where it arrives
		}
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%q became %q: %v", body, got, err)
		}
		at, was := any(after), any(before)
		for i, name := range names {
			inner, ok := at.(map[string]any)
			if !ok {
				t.Fatalf("%q has nothing at %s", got, path)
			}
			old, _ := was.(map[string]any)
			want := len(old)
			if _, there := old[name]; !there {
				want++
			}
			if len(inner) != want {
				t.Fatalf("%q became %q: %d members, not %d", body, got, len(inner), want)
			}
			at, was = inner[name], old[name]
			if i == len(names)-1 && at != "4711" {
				t.Fatalf("%q has %v at %s", got, at, path)
			}
		}
	})
}
