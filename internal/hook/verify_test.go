package hook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

func mac(sum func() hash.Hash, secret string, body []byte) []byte {
	m := hmac.New(sum, []byte(secret))
	_, _ = m.Write(body) // a hash never fails
	return m.Sum(nil)
}

// doorWith is a door that proves with secrets and maps nothing.
func doorWith(t *testing.T, p preset.Proof, secrets ...string) proofs {
	t.Helper()
	var out proofs
	for _, s := range secrets {
		made, err := NewVerifier(p, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, made)
	}
	return out
}

// proofs are verifiers of which one must agree.
type proofs []Verifier

func (p proofs) verify(h http.Header, body []byte, now time.Time) (err error) {
	for _, v := range p {
		if err = v.Verify(&Request{Header: h, Body: body}, now); err == nil {
			return nil
		}
	}
	return err
}

func TestHMAC(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, algorithm, encoding, prefix string
		sum                               func() hash.Hash
		encode                            func([]byte) string
	}{
		{"sha256 hex", "sha256", "hex", "", sha256.New, hex.EncodeToString},
		{"sha256 hex with a prefix", "sha256", "hex", "sha256=", sha256.New, hex.EncodeToString},
		{"sha256 base64", "sha256", "base64", "", sha256.New, base64.StdEncoding.EncodeToString},
		{"sha256 base64 with a prefix", "sha256", "base64", "sha256=", sha256.New, base64.StdEncoding.EncodeToString},
		{"sha1 hex with a prefix", "sha1", "hex", "sha1=", sha1.New, hex.EncodeToString},
		{"sha1 base64", "sha1", "base64", "", sha1.New, base64.StdEncoding.EncodeToString},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := []byte(`{"email":"ada@example.com"}` + "\n")
			v := preset.Proof{Kind: preset.HMAC, Header: "X-Signature", Algorithm: c.algorithm, Encoding: c.encoding, Prefix: c.prefix}
			d := doorWith(t, v, "new secret", "old secret")
			given := func(s string) http.Header { return http.Header{"X-Signature": {s}} }
			for _, secret := range []string{"new secret", "old secret"} {
				h := given(c.prefix + c.encode(mac(c.sum, secret, body)))
				if err := d.verify(h, body, time.Time{}); err != nil {
					t.Errorf("signed with the %s: %v", secret, err)
				}
				for i := range body {
					for bit := range 8 {
						body[i] ^= 1 << bit
						if d.verify(h, body, time.Time{}) == nil {
							t.Errorf("bit %d of byte %d is not covered", bit, i)
						}
						body[i] ^= 1 << bit
					}
				}
			}
			good := c.encode(mac(c.sum, "new secret", body))
			for name, h := range map[string]http.Header{
				"other secret":     given(c.prefix + c.encode(mac(c.sum, "third secret", body))),
				"empty secret":     given(c.prefix + c.encode(mac(c.sum, "", body))),
				"no header":        {},
				"empty header":     given(""),
				"prefix alone":     given(c.prefix),
				"other prefix":     given("sha512=" + good),
				"other header":     {"X-Other": {c.prefix + good}},
				"cut by a half":    given(c.prefix + c.encode(mac(c.sum, "new secret", body)[:8])),
				"something behind": given(c.prefix + good + "!"),
				"not decodable":    given(c.prefix + "~~~~"),
			} {
				if d.verify(h, body, time.Time{}) == nil {
					t.Errorf("%s: taken", name)
				}
			}
		})
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	d := doorWith(t, preset.Proof{Kind: preset.Bearer}, "token-1", "token-2")
	for given, want := range map[string]bool{
		"Bearer token-1": true, "Bearer token-2": true, "bearer token-1": true,
		"Bearer token-3": false, "Bearer token-": false, "Bearer token-11": false, "Bearer ": false, "Bearer": false, "": false,
		"Basic token-1": false, "token-1": false, "Bearer  token-1": false, "Bearer TOKEN-1": false,
	} {
		if err := d.verify(http.Header{"Authorization": {given}}, nil, time.Time{}); (err == nil) != want {
			t.Errorf("%q: %v, want taken %v", given, err, want)
		} else if err != nil && strings.Contains(err.Error(), "token-") {
			t.Errorf("%q: the error repeats a token: %v", given, err)
		}
	}
}

// The published example of the Standard Webhooks specification.
const (
	publishedSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publishedID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	publishedTime      = 1614265330
	publishedBody      = `{"test": 2432232314}`
	publishedSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func publishedHeader(change map[string]string) http.Header {
	h := http.Header{}
	h.Set("Webhook-Id", publishedID)
	h.Set("Webhook-Timestamp", strconv.Itoa(publishedTime))
	h.Set("Webhook-Signature", publishedSignature)
	for k, v := range change {
		h.Set(k, v)
	}
	return h
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	v := preset.Proof{Kind: preset.StandardWebhook}
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 24 bytes"))
	now := time.Unix(publishedTime, 0)
	one, two := doorWith(t, v, publishedSecret), doorWith(t, v, other, publishedSecret)
	for _, c := range []struct {
		name   string
		door   proofs
		header map[string]string
		body   string
		at     time.Duration
		ok     bool
	}{
		{"as published", one, nil, publishedBody, 0, true},
		{"as the second secret", two, nil, publishedBody, 0, true},
		{"without the secret's prefix", doorWith(t, v, strings.TrimPrefix(publishedSecret, "whsec_")), nil, publishedBody, 0, true},
		{"among several signatures", one, map[string]string{"Webhook-Signature": "v1,AAAA v1a,xyz junk " + publishedSignature + " v2,zzz"}, publishedBody, 0, true},
		{"5 minutes old", one, nil, publishedBody, 5 * time.Minute, true},
		{"5 minutes ahead", one, nil, publishedBody, -5 * time.Minute, true},
		{"a second older", one, nil, publishedBody, 5*time.Minute + time.Second, false},
		{"a second further ahead", one, nil, publishedBody, -5*time.Minute - time.Second, false},
		{"3 days old", one, nil, publishedBody, 72 * time.Hour, false},
		{"other secret", doorWith(t, v, other), nil, publishedBody, 0, false},
		{"other id", one, map[string]string{"Webhook-Id": publishedID + "x"}, publishedBody, 0, false},
		{"no id", one, map[string]string{"Webhook-Id": ""}, publishedBody, 0, false},
		{"other time within the tolerance", one, map[string]string{"Webhook-Timestamp": strconv.Itoa(publishedTime + 1)}, publishedBody, 0, false},
		{"time that is none", one, map[string]string{"Webhook-Timestamp": "now"}, publishedBody, 0, false},
		{"time beyond all", one, map[string]string{"Webhook-Timestamp": strconv.Itoa(math.MaxInt64)}, publishedBody, 0, false},
		{"time before all", one, map[string]string{"Webhook-Timestamp": strconv.Itoa(math.MinInt64)}, publishedBody, 0, false},
		{"no signature", one, map[string]string{"Webhook-Signature": ""}, publishedBody, 0, false},
		{"signature of another version", one, map[string]string{"Webhook-Signature": strings.Replace(publishedSignature, "v1", "v2", 1)}, publishedBody, 0, false},
		{"version alone", one, map[string]string{"Webhook-Signature": "v1,"}, publishedBody, 0, false},
		{"the same JSON in other bytes", one, nil, `{"test":2432232314}`, 0, false},
		{"no body", one, nil, "", 0, false},
	} {
		if err := c.door.verify(publishedHeader(c.header), []byte(c.body), now.Add(c.at)); (err == nil) != c.ok {
			t.Errorf("%s: %v, want taken %v", c.name, err, c.ok)
		}
	}
	body := []byte(publishedBody)
	for i := range body {
		body[i] ^= 1
		if one.verify(publishedHeader(nil), body, now) == nil {
			t.Errorf("byte %d is not covered", i)
		}
		body[i] ^= 1
	}
}

func TestUnusableSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   preset.ProofKind
		secret string
	}{
		{preset.HMAC, ""}, {preset.Bearer, ""}, {preset.StandardWebhook, ""}, {preset.StandardWebhook, "whsec_"},
		{preset.StandardWebhook, "whsec_hunter2!"}, {"none", "x"},
	} {
		if _, err := NewVerifier(preset.Proof{Kind: c.kind}, c.secret); err == nil {
			t.Errorf("%s takes the secret %q", c.kind, c.secret)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
