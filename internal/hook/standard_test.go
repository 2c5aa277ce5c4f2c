package hook

import (
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/leadpact/leadpact/internal/preset"
)

// The published examples of the Standard Webhooks specification: one request, signed both ways.
const (
	publishedSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publishedPrivate   = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publishedPublic    = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	publishedID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	publishedTime      = 1614265330
	publishedBody      = `{"test": 2432232314}`
	publishedSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	publishedV1a       = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

	otherWebhookKey = "whsec_bm8gb25lIGVsc2UgaGFzIHRoaXMga2V5"
)

func publishedHeader() map[string]string {
	return map[string]string{"Webhook-Id": publishedID, "Webhook-Timestamp": strconv.Itoa(publishedTime), "Webhook-Signature": "@"}
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, secret, signature string
		ok                      bool
	}{
		{"without the secret's prefix", strings.TrimPrefix(publishedSecret, "whsec_"), publishedSignature, true},
		{"among several", publishedSecret, "v1,AAAA v1a,xyz junk " + publishedSignature + " v2,zzz", true},
		{"of both versions, by the secret", publishedSecret, publishedV1a + " " + publishedSignature, true},
		{"of both versions, by the public key", publishedPublic, publishedSignature + " " + publishedV1a, true},
		{"by the private key", publishedPrivate, publishedV1a, true},
		{"of the other version alone", publishedSecret, publishedV1a, false},
		{"of the other version alone, by the public key", publishedPublic, publishedSignature, false},
		{"under the other version's name", publishedSecret, strings.Replace(publishedSignature, "v1,", "v1a,", 1), false},
		{"under the other version's name, by the public key", publishedPublic, strings.Replace(publishedV1a, "v1a,", "v1,", 1), false},
		{"of an unknown version", publishedSecret, strings.Replace(publishedSignature, "v1", "v2", 1), false},
		{"version alone", publishedSecret, "v1,", false},
		{"version alone, by the public key", publishedPublic, "v1a,", false},
		{"without padding", publishedPublic, strings.TrimRight(publishedV1a, "="), false},
		{"with a line end in it", publishedPublic, publishedV1a[:20] + "\n" + publishedV1a[20:], false},
		{"behind too many others", publishedSecret, strings.Repeat("v1,AAAA ", mostSignatures) + publishedSignature, false},
		{"other secret", otherWebhookKey, publishedSignature, false},
	} {
		v := vector{
			proof: preset.Proof{Kind: preset.StandardWebhook}, secret: c.secret, signature: c.signature, body: publishedBody, header: publishedHeader(),
		}
		if err := v.verifier(t).Verify(v.request(), time.Unix(publishedTime, 0)); (err == nil) != c.ok {
			t.Errorf("%s: %v, want taken %v", c.name, err, c.ok)
		}
	}
}

// TestTheirLibrary: what is signed here is taken by the specification's own library.
func TestTheirLibrary(t *testing.T) {
	t.Parallel()
	theirs, err := standardwebhooks.NewWebhook(publishedSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "evt_1"} {
		r := &Request{Body: []byte(postedBody)}
		r.Header = map[string][]string{}
		if id != "" {
			r.Header.Set("Webhook-Id", id)
		}
		now := time.Now()
		if err := Sign(preset.Proof{Kind: preset.StandardWebhook}, publishedSecret, r, now); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Verify(r.Body, r.Header); err != nil {
			t.Errorf("id %q: %v", id, err)
		}
		if got := r.Header.Get("Webhook-Id"); got == "" || (id != "" && got != id) {
			t.Errorf("the id %q became %q", id, got)
		}
	}
	r := &Request{Body: []byte(postedBody)}
	if Sign(preset.Proof{Kind: preset.StandardWebhook}, publishedPublic, r, time.Now()) == nil {
		t.Error("a public key signs")
	}
}
