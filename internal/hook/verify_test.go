package hook

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

// The vectors are computed apart from this program, with openssl and Python's hmac, or published as said.
const (
	sharedKey   = "a key that both of us know"
	postedBody  = "{\"email\":\"zoë@example.com\",\"n\":17}\n"
	postedURI   = "https://hooks.example.com/v1/hooks/crm?from=a%2Fb%3a&q=it%27s%20here%253A"
	signedAt    = 1790000000
	signedMilli = "1790000000123"
)

// vector is a request and the proof that a known secret makes of it.
type vector struct {
	name   string
	proof  preset.Proof
	secret string
	method string // POST unless given
	uri    string // postedURI unless given
	body   string
	// header is the proof; signature is the one in it that is calculated.
	header    map[string]string
	signature string
	at        time.Time
	// covered is the part of the body that the signature covers; "" is all.
	covered string
	// foreign says that it is written in another way than Sign does.
	foreign bool
}

func vectors() []vector {
	seconds := &preset.Stamp{Header: "X-Timestamp"}
	at := time.Unix(signedAt, 0)
	hex := func(header, prefix, signed string) preset.Proof {
		return preset.Proof{Kind: preset.HMAC, Header: header, Prefix: prefix, Signed: signed}
	}
	const batch = "[ {\"type\": \"identify\",\n\"traits\":{\"email\":\"zo\\u00eb@example.com\", \"n\":1.0}} ,{\"type\":\"track\"}]"
	return []vector{
		{
			name: "sha256, hex", proof: hex("X-Signature", "", ""), secret: sharedKey, body: postedBody,
			signature: "b46fb5f365aff7e3e3a5556627656ab284eabbf5ade18c4447e996e26a02d22b", header: map[string]string{"X-Signature": "@"},
		},
		{
			name: "sha256, hex in large letters", proof: hex("X-Signature", "", ""), secret: sharedKey, body: postedBody, foreign: true,
			signature: "B46FB5F365AFF7E3E3A5556627656AB284EABBF5ADE18C4447E996E26A02D22B", header: map[string]string{"X-Signature": "@"},
		},
		{
			name: "sha1, hex with a prefix", secret: sharedKey, body: postedBody,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "X-Hub-Signature", Prefix: "sha1=", Algorithm: "sha1", Encoding: "hex"},
			signature: "796290f53b1b153422b8167936fc572129d64d1f", header: map[string]string{"X-Hub-Signature": "sha1=@"},
		},
		{
			name: "sha256, base64", secret: sharedKey, body: postedBody,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "Webhook-Signature", Algorithm: "sha256", Encoding: "base64"},
			signature: "tG+182Wv9+PjpVVmJ2VqsoTqu/Wt4YxER+mW4moC0is=", header: map[string]string{"Webhook-Signature": "@"},
		},
		{
			name: "sha1, base64 with a prefix", secret: sharedKey, body: postedBody,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "X-Sign", Prefix: "sha1=", Algorithm: "sha1", Encoding: "base64"},
			signature: "eWKQ9TsbFTQiuBZ5NvxXISnWTR8=", header: map[string]string{"X-Sign": "sha1=@"},
		},
		{
			name: "GitHub's published one", proof: hex("X-Hub-Signature-256", "sha256=", ""), secret: "It's a Secret to Everybody", body: "Hello, World!",
			signature: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", header: map[string]string{"X-Hub-Signature-256": "sha256=@"},
		},
		{
			name: "a text before the body", proof: hex("X-LI-Signature", "", "hmacsha256={body}"), secret: sharedKey, body: postedBody,
			signature: "2ff330c8f3b70aa176738f5c5cae50674d7599a01ceb7f20c906ee7d278cf805", header: map[string]string{"X-Li-Signature": "@"},
		},
		{
			name: "the time in a header", secret: sharedKey, body: postedBody, at: at,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "X-CIO-Signature", Signed: "v0:{time}:{body}", Time: seconds},
			signature: "be4bc3e58b74e1fb3c8406707707826ef739eacd1583fe8814a01a510f07cdc3",
			header:    map[string]string{"X-Cio-Signature": "@", "X-Timestamp": "1790000000"},
		},
		{
			name: "the time in the signature's header", secret: sharedKey, body: postedBody, at: at,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "Calendly-Webhook-Signature", Signed: "{time}.{body}", Part: "v1", Time: &preset.Stamp{Part: "t"}},
			signature: "19defee1da70cd6beafea8e1eac45e1fe25e29640958e160328a4c80b66ac531",
			header:    map[string]string{"Calendly-Webhook-Signature": "t=1790000000,v1=@"},
		},
		{
			name: "in other order, with a part that is not asked for", secret: sharedKey, body: postedBody, at: at, foreign: true,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "Calendly-Webhook-Signature", Signed: "{time}.{body}", Part: "v1", Time: &preset.Stamp{Part: "t"}},
			signature: "19defee1da70cd6beafea8e1eac45e1fe25e29640958e160328a4c80b66ac531",
			header:    map[string]string{"Calendly-Webhook-Signature": "v1=@,t=1790000000"},
		},
		{
			name: "HubSpot's v3 as documented, escapes decoded", secret: sharedKey, body: postedBody, at: time.UnixMilli(1790000000123), foreign: true,
			proof:     hubspotV3(),
			signature: "XnpcFosqqB4S1aVyGHg+FFThWZF8mW5JFXqchcS+aek=",
			header:    map[string]string{"X-Hubspot-Signature-V3": "@", "X-Hubspot-Request-Timestamp": signedMilli},
		},
		{
			name: "HubSpot's v3 as its libraries do it", secret: sharedKey, body: postedBody, at: time.UnixMilli(1790000000123),
			proof:     hubspotV3(),
			signature: "2svLIcD0+k5XzYHK+9eo7CymikTGjeLdIgFj18pKvNE=",
			header:    map[string]string{"X-Hubspot-Signature-V3": "@", "X-Hubspot-Request-Timestamp": signedMilli},
		},
		{
			name: "HubSpot's v2, published for GET", secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", method: http.MethodGet,
			uri:       "https://www.example.com/webhook_uri",
			proof:     preset.Proof{Kind: preset.Digest, Header: "X-HubSpot-Signature", Signed: "{secret}{method}{uri}{body}"},
			signature: "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e", header: map[string]string{"X-Hubspot-Signature": "@"},
		},
		{
			name: "HubSpot's v2, published for POST", secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
			uri: "https://www.example.com/webhook_uri", body: `{"example_field":"example_value"}`,
			proof:     preset.Proof{Kind: preset.Digest, Header: "X-HubSpot-Signature", Signed: "{secret}{method}{uri}{body}"},
			signature: "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900", header: map[string]string{"X-Hubspot-Signature": "@"},
		},
		{
			name: "HubSpot's v1", secret: sharedKey, body: postedBody,
			proof:     preset.Proof{Kind: preset.Digest, Header: "X-HubSpot-Signature", Signed: "{secret}{body}"},
			signature: "cea0abe0806677781e93b2eee625f6af848d096f34541f4991ba30c0db70574a", header: map[string]string{"X-Hubspot-Signature": "@"},
		},
		{
			name: "Segment's batch", secret: sharedKey, body: batch, covered: "{\"type\": \"identify\",\n\"traits\":{\"email\":\"zo\\u00eb@example.com\", \"n\":1.0}}",
			proof:     preset.Proof{Kind: preset.HMAC, Header: "X-Signature", Algorithm: "sha1", Signed: "{first}"},
			signature: "910c83d426796c1fc84df984b45f9ab79f285d3a", header: map[string]string{"X-Signature": "@"},
		},
		{
			name: "Segment's single event", secret: sharedKey, body: postedBody,
			proof:     preset.Proof{Kind: preset.HMAC, Header: "X-Signature", Algorithm: "sha1", Signed: "{first}"},
			signature: "796290f53b1b153422b8167936fc572129d64d1f", header: map[string]string{"X-Signature": "@"},
		},
		{
			name: "Standard Webhooks v1, published", secret: publishedSecret, body: publishedBody, at: time.Unix(publishedTime, 0),
			proof: preset.Proof{Kind: preset.StandardWebhook}, signature: publishedSignature, header: publishedHeader(),
		},
		{
			name: "Standard Webhooks v1a, published", secret: publishedPrivate, body: publishedBody, at: time.Unix(publishedTime, 0),
			proof: preset.Proof{Kind: preset.StandardWebhook}, signature: publishedV1a, header: publishedHeader(),
		},
		{
			name: "Standard Webhooks v1a with the public key", secret: publishedPublic, body: publishedBody, at: time.Unix(publishedTime, 0), foreign: true,
			proof: preset.Proof{Kind: preset.StandardWebhook}, signature: publishedV1a, header: publishedHeader(),
		},
	}
}

func hubspotV3() preset.Proof {
	return preset.Proof{
		Kind: preset.HMAC, Header: "X-HubSpot-Signature-v3", Encoding: "base64", Signed: "{method}{uri}{body}{time}",
		Time: &preset.Stamp{Header: "X-HubSpot-Request-Timestamp", Millis: true},
	}
}

func (v vector) verifier(t *testing.T) Verifier {
	t.Helper()
	made, err := NewVerifier(v.proof, v.secret)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// request is what was sent, with the proof.
func (v vector) request() *Request {
	r := &Request{Method: v.method, URI: v.uri, Header: http.Header{}, Body: []byte(v.body)}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if r.URI == "" {
		r.URI = postedURI
	}
	for name, value := range v.header {
		r.Header[name] = []string{strings.Replace(value, "@", v.signature, 1)}
	}
	return r
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			holds := v.verifier(t)
			if err := holds.Verify(v.request(), v.at); err != nil {
				t.Fatal(err)
			}
			if _, err := NewVerifier(v.proof, ""); err == nil {
				t.Error("an empty secret is taken")
			}
			if v.foreign {
				return
			}
			signed := v.request()
			signed.Header = http.Header{}
			if id := v.header["Webhook-Id"]; id != "" {
				signed.Header["Webhook-Id"] = []string{id}
			}
			if err := Sign(v.proof, v.secret, signed, v.at); err != nil {
				t.Fatal(err)
			}
			for name, want := range v.request().Header {
				if got := signed.Header[name]; !slices.Equal(got, want) {
					t.Errorf("%s is signed as %q, not %q", name, got, want)
				}
			}
		})
	}
}

// TestEachBit of body, address, and every header of the proof is covered.
func TestEachBit(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			holds := v.verifier(t)
			refused := func(what string, i, bit int, change func(*Request)) {
				r := v.request()
				change(r)
				if holds.Verify(r, v.at) == nil {
					t.Errorf("%s: bit %d of byte %d is not covered", what, bit, i)
				}
			}
			flipped := func(text string, i, bit int) string {
				b := []byte(text)
				b[i] ^= 1 << bit
				return string(b)
			}
			from, until := 0, len(v.body)
			if v.covered != "" {
				from = strings.Index(v.body, v.covered)
				until = from + len(v.covered)
			}
			for i := from; i < until; i++ {
				for bit := range 8 {
					if next := flipped(v.body, i, bit); v.covered == "" || compacted(next) != compacted(v.body) {
						refused("body", i, bit, func(r *Request) { r.Body = []byte(next) })
					}
				}
			}
			for name, values := range v.request().Header {
				for i := range values[0] {
					for bit := range 8 {
						refused(name, i, bit, func(r *Request) { r.Header[name] = []string{flipped(values[0], i, bit)} })
					}
				}
			}
			if strings.Contains(v.proof.Signed, "{uri}") {
				uri := v.request().URI
				for i := range uri {
					for bit := range 8 {
						if next := flipped(uri, i, bit); hubspotEscapes.Replace(next) != hubspotEscapes.Replace(uri) {
							refused("address", i, bit, func(r *Request) { r.URI = next })
						}
					}
				}
			}
			if strings.Contains(v.proof.Signed, "{method}") {
				refused("method", 0, 0, func(r *Request) { r.Method = http.MethodPut })
			}
		})
	}
}

// compacted is the text without blanks; a blank in a string is none here.
func compacted(text string) string {
	return strings.NewReplacer(" ", "", "\n", "", "\t", "", "\r", "").Replace(text)
}

func TestSignedTime(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		if v.at.IsZero() {
			continue
		}
		unit := time.Second
		if v.proof.Time != nil && v.proof.Time.Millis {
			unit = time.Millisecond
		}
		holds := v.verifier(t)
		for _, off := range []time.Duration{unit, time.Second, time.Hour, 72 * time.Hour} {
			for _, edge := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
				if err := holds.Verify(v.request(), v.at.Add(edge)); err != nil {
					t.Errorf("%s: %s away: %v", v.name, edge, err)
				}
				if edge < 0 {
					off = -off
				}
				if holds.Verify(v.request(), v.at.Add(edge+off)) == nil {
					t.Errorf("%s: %s away is taken", v.name, edge+off)
				}
			}
		}
		if holds.Verify(v.request(), time.Time{}) == nil {
			t.Errorf("%s: taken in the year 1", v.name)
		}
	}
	for _, text := range []string{"", "now", "1.79e9", "0x1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1790000000s"} {
		for _, millis := range []bool{false, true} {
			if fresh(text, "it", millis, time.Unix(signedAt, 0)) == nil {
				t.Errorf("the time %q is taken", text)
			}
		}
	}
}

// TestHeaders: one that is missing, empty, doubled, or of another form is refused, and the sender is told which.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			holds := v.verifier(t)
			for name := range v.request().Header {
				for what, change := range map[string]func([]string) []string{
					"missing":                    func([]string) []string { return nil },
					"empty":                      func([]string) []string { return []string{""} },
					"doubled":                    func(v []string) []string { return []string{v[0], v[0]} },
					"forged beside the good one": func(v []string) []string { return []string{v[0], "x"} },
					"cut":                        func(v []string) []string { return []string{v[0][:len(v[0])/2]} },
					"longer":                     func(v []string) []string { return []string{v[0] + "0"} },
					"of other form":              func([]string) []string { return []string{"~~~~"} },
				} {
					r := v.request()
					r.Header[name] = change(r.Header[name])
					err := holds.Verify(r, v.at)
					if err == nil {
						t.Errorf("%s %s is taken", name, what)
						continue
					}
					if what == "empty" && !strings.Contains(err.Error(), "is missing") {
						t.Errorf("%s empty: the sender is told %q", name, err)
					}
					if said := err.Error(); (what == "missing" || what == "doubled") && !strings.Contains(strings.ToLower(said), strings.ToLower(name)) {
						t.Errorf("%s %s: the sender is told %q", name, what, said)
					}
				}
			}
			if holds.Verify(&Request{}, v.at) == nil {
				t.Error("an empty request is taken")
			}
		})
	}
}

// TestNothingSecretIsTold in any refusal: neither the secret nor the signature that would have been right.
func TestNothingSecretIsTold(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		other, err := NewVerifier(v.proof, map[bool]string{true: otherWebhookKey, false: "another key"}[v.proof.Kind == preset.StandardWebhook])
		if err != nil {
			t.Fatal(err)
		}
		err = other.Verify(v.request(), v.at)
		if err == nil {
			t.Errorf("%s: another secret's proof is taken", v.name)
			continue
		}
		if said := err.Error(); strings.Contains(said, v.secret) || strings.Contains(said, v.signature) || strings.Contains(said, "another key") {
			t.Errorf("%s: the refusal tells too much: %s", v.name, said)
		}
	}
}

// TestTwoSecrets: while they are changed over, each of them counts.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		old := v.verifier(t)
		next, err := NewVerifier(v.proof, map[bool]string{true: otherWebhookKey, false: "the next key"}[v.proof.Kind == preset.StandardWebhook])
		if err != nil {
			t.Fatal(err)
		}
		for _, both := range []Any{{old, next}, {next, old}} {
			if err := both.Verify(v.request(), v.at); err != nil {
				t.Errorf("%s: %v", v.name, err)
			}
		}
		if (Any{next, next}).Verify(v.request(), v.at) == nil {
			t.Errorf("%s: taken although neither secret made it", v.name)
		}
	}
	if (Any{}).Verify(&Request{}, time.Time{}) == nil {
		t.Error("a source without a secret takes everything")
	}
}

// TestTogether: one verifier serves many at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		holds := v.verifier(t)
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			done := make(chan error)
			for range 4 {
				go func() {
					for range 50 {
						if err := holds.Verify(v.request(), v.at); err != nil {
							done <- err
							return
						}
						forged := v.request()
						forged.Body = bytes.ReplaceAll(append(forged.Body, ' '), []byte("e"), []byte("E"))
						if holds.Verify(forged, v.at) == nil {
							done <- errMismatch
							return
						}
					}
					done <- nil
				}()
			}
			for range 4 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}
