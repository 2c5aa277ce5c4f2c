package hook

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	bigendian "encoding/binary"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

func TestParts(t *testing.T) {
	t.Parallel()
	v := vectors()[slices.IndexFunc(vectors(), func(v vector) bool { return v.proof.Part != "" })]
	holds, other := v.verifier(t), strings.Repeat("0", len(v.signature))
	for given, want := range map[string]bool{
		"t=1790000000,v1=@":                       true,
		"t=1790000000, v1=@":                      true,
		"t=1790000000,v1=" + other + ",v1=@":      true, // a sender that changes its secret sends both
		"t=1790000000,v1=@,v0=" + other:           true,
		"t=1790000000,v1=" + other:                false,
		"t=1790000000,t=1790000000,v1=@":          false,
		"t=1790000001,t=1790000000,v1=@":          false,
		"v1=@":                                    false,
		"t=1790000000":                            false,
		"t=1790000000,v1":                         false,
		"t=1790000000,V1=@":                       false,
		"t=1790000000;v1=@":                       false,
		"t=1790000000,v2=@":                       false,
		"@":                                       false,
		"t=1790000000,v1=@,v1=" + other[1:] + "g": true,
	} {
		r := v.request()
		r.Header.Set(v.proof.Header, strings.Replace(given, "@", v.signature, 1))
		if err := holds.Verify(r, v.at); (err == nil) != want {
			t.Errorf("%s: %v, want taken %v", given, err, want)
		}
	}
}

// TestLengthenedDigest: whoever saw a body with its plain digest can carry the digest on over more bytes without the secret. It is a
// good digest, and refused for what must stand between.
func TestLengthenedDigest(t *testing.T) {
	t.Parallel()
	p := preset.Proof{Kind: preset.Digest, Header: "X-HubSpot-Signature", Signed: "{secret}{body}"}
	seen := sha256.Sum256([]byte(sharedKey + postedBody))

	length := len(sharedKey) + len(postedBody) // a few tries, for who does not know it
	padding := append([]byte{0x80}, make([]byte, (119-length%64)%64)...)
	padding = bigendian.BigEndian.AppendUint64(padding, uint64(length)*8)
	state := append([]byte("sha\x03"), seen[:]...)
	state = append(state, make([]byte, 64)...)
	state = bigendian.BigEndian.AppendUint64(state, uint64(length+len(padding)))
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	const more = `{"email":"forged@example.com"}`
	h.Write([]byte(more))
	forged, body := h.Sum(nil), append(append([]byte(postedBody), padding...), more...)
	if want := sha256.Sum256(append([]byte(sharedKey), body...)); !bytes.Equal(forged, want[:]) {
		t.Fatal("the digest is not the one of the longer body: the test proves nothing")
	}
	r := &Request{Header: http.Header{"X-Hubspot-Signature": {hex.EncodeToString(forged)}}, Body: body}
	if verifierOf(t, p, sharedKey).Verify(r, time.Time{}) == nil {
		t.Error("a lengthened body is taken")
	}
}

func TestUnusableProofs(t *testing.T) {
	t.Parallel()
	path, err := preset.At("google_key")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proof  preset.Proof
		secret string
	}{
		"no kind":                    {preset.Proof{}, "hunter2"},
		"unknown kind":               {preset.Proof{Kind: "magic"}, "hunter2"},
		"no secret":                  {preset.Proof{Kind: preset.Bearer}, ""},
		"no secret in the body":      {preset.Proof{Kind: preset.Body, Path: path}, ""},
		"basic without a password":   {preset.Proof{Kind: preset.Basic}, "hunter2"},
		"no header":                  {preset.Proof{Kind: preset.Header}, "hunter2"},
		"no place":                   {preset.Proof{Kind: preset.Body}, "hunter2"},
		"hmac without a header":      {preset.Proof{Kind: preset.HMAC}, "hunter2"},
		"unknown algorithm":          {preset.Proof{Kind: preset.HMAC, Header: "S", Algorithm: "md5"}, "hunter2"},
		"unknown encoding":           {preset.Proof{Kind: preset.HMAC, Header: "S", Encoding: "rot13"}, "hunter2"},
		"unknown thing":              {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{body}{host}"}, "hunter2"},
		"open brace":                 {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{body}{time"}, "hunter2"},
		"body left out":              {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{method}{uri}"}, "hunter2"},
		"time that is not covered":   {preset.Proof{Kind: preset.HMAC, Header: "S", Time: &preset.Stamp{Header: "T"}}, "hunter2"},
		"time that stands nowhere":   {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{time}{body}"}, "hunter2"},
		"time without a place":       {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{time}{body}", Time: &preset.Stamp{}}, "hunter2"},
		"time in a part alone":       {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{time}{body}", Time: &preset.Stamp{Part: "t"}}, "hunter2"},
		"secret in an HMAC's text":   {preset.Proof{Kind: preset.HMAC, Header: "S", Signed: "{secret}{body}"}, "hunter2"},
		"digest without the secret":  {preset.Proof{Kind: preset.Digest, Header: "S", Signed: "{body}"}, "hunter2"},
		"digest of the body":         {preset.Proof{Kind: preset.Digest, Header: "S"}, "hunter2"},
		"digest by sha1":             {preset.Proof{Kind: preset.Digest, Header: "S", Algorithm: "sha1", Signed: "{secret}{body}"}, "hunter2"},
		"standard: not base64":       {preset.Proof{Kind: preset.StandardWebhook}, "whsec_hunter2!"},
		"standard: empty":            {preset.Proof{Kind: preset.StandardWebhook}, "whsec_"},
		"standard: other prefix":     {preset.Proof{Kind: preset.StandardWebhook}, "sk_hunter2A"},
		"standard: short public key": {preset.Proof{Kind: preset.StandardWebhook}, "whpk_aHVudGVyMg=="},
		"standard: short private":    {preset.Proof{Kind: preset.StandardWebhook}, "whsk_aHVudGVyMg=="},
	} {
		_, err := NewVerifier(c.proof, c.secret)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a verifier is made, or its secret told: %v", name, err)
		}
		err = Sign(c.proof, c.secret, &Request{URI: "/", Query: url.Values{}, Body: []byte("{}")}, time.Unix(signedAt, 0))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: it is signed, or its secret told: %v", name, err)
		}
	}
}

// TestAllocations keeps the door's way for most requests from growing. It takes none, but where it is raced: there, pools forget a part
// of what they hold.
func TestAllocations(t *testing.T) {
	v := vectors()[0]
	holds, r := v.verifier(t), v.request()
	if n := testing.AllocsPerRun(200, func() {
		if err := holds.Verify(r, v.at); err != nil {
			t.Fatal(err)
		}
	}); n > 4 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, v := range vectors() {
		holds, err := NewVerifier(v.proof, v.secret)
		if err != nil {
			b.Fatal(err)
		}
		r := v.request()
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := holds.Verify(r, v.at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
