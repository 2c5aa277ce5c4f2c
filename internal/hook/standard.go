package hook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// mostSignatures bounds those in one header: each is a calculation.
const mostSignatures = 16

var (
	webhookID        = headerOf("webhook-id")
	webhookTimestamp = headerOf("webhook-timestamp")
	webhookSignature = headerOf("webhook-signature")
)

// standard verifies Standard Webhooks: v1, an HMAC with a secret that both know, or v1a, Ed25519 with the sender's public key.
type standard struct {
	sums    *sync.Pool         // of *sum; nil for v1a
	public  ed25519.PublicKey  // of v1a
	private ed25519.PrivateKey // of v1a, to sign with; nil for a public key
}

func newStandard(secret string) (*standard, error) {
	kind, text, found := strings.Cut(secret, "_")
	if !found {
		kind, text = "whsec", secret
	}
	key, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil || len(key) == 0:
	case kind == "whsec":
		return &standard{sums: &sync.Pool{New: func() any { return &sum{Hash: hmac.New(sha256.New, key)} }}}, nil
	case kind == "whpk" && len(key) == ed25519.PublicKeySize:
		return &standard{public: key}, nil
	case kind == "whsk" && len(key) == ed25519.PrivateKeySize:
		private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])                             // the rest of it is the public key, to be believed by nobody
		return &standard{private: private, public: private.Public().(ed25519.PublicKey)}, nil //nolint:errcheck,forcetypeassert // documented
	}
	return nil, errors.New("the secret is none of Standard Webhooks: whsec_ and base64, or whpk_ and the base64 of an Ed25519 key")
}

// Verify holds the signatures to id, time and body.
func (s *standard) Verify(r *Request, now time.Time) error {
	id, err := webhookID.value(r.Header)
	if err != nil {
		return err
	}
	when, err := webhookTimestamp.value(r.Header)
	if err != nil {
		return err
	}
	given, err := webhookSignature.value(r.Header)
	if err != nil {
		return err
	}
	if err := fresh(when, webhookTimestamp.name, false, now); err != nil {
		return err
	}
	version, holds := s.check(id, when, r.Body)
	tried, seen := 0, 0
	for one := range strings.SplitSeq(given, " ") {
		v, signature, _ := strings.Cut(one, ",")
		if seen++; seen > mostSignatures {
			return fmt.Errorf("%s holds more than %d signatures", webhookSignature.name, mostSignatures)
		}
		if v != version {
			continue
		}
		tried++
		if holds(signature) {
			return nil
		}
	}
	if tried == 0 {
		return fmt.Errorf("%s holds no signature of the version %s, which this source's secret is for", webhookSignature.name, version)
	}
	return fmt.Errorf("%s does not match the body: compare the secret, and sign the bytes that are sent", webhookSignature.name)
}

// check is the version of the signatures that count, and what tells a good one.
func (s *standard) check(id, when string, body []byte) (version string, holds func(signature string) bool) {
	if s.sums == nil {
		message := signedMessage(id, when, body)
		return "v1a", func(signature string) bool {
			raw, err := base64.StdEncoding.Strict().DecodeString(signature)
			return err == nil && len(raw) == ed25519.SignatureSize && !strings.ContainsAny(signature, "\r\n") && ed25519.Verify(s.public, message, raw)
		}
	}
	want := s.mac(id, when, body)
	return "v1", func(signature string) bool { return subtle.ConstantTimeCompare([]byte(signature), want) == 1 }
}

// mac is the v1 signature as text.
func (s *standard) mac(id, when string, body []byte) []byte {
	k := s.sums.Get().(*sum) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer s.sums.Put(k)
	k.Reset()
	k.text = append(append(append(append(k.text[:0], id...), '.'), when...), '.')
	_, _ = k.Write(k.text) // a hash never fails
	_, _ = k.Write(body)
	k.raw = k.Sum(k.raw[:0])
	return base64.StdEncoding.AppendEncode(nil, k.raw)
}

func signedMessage(id, when string, body []byte) []byte {
	out := make([]byte, 0, len(id)+len(when)+len(body)+2)
	out = append(append(append(append(out, id...), '.'), when...), '.')
	return append(out, body...)
}

// sign sets the three headers. A request that has no id gets one from its body.
func (s *standard) sign(r *Request, now time.Time) error {
	if s.sums == nil && s.private == nil {
		return errors.New("a public key signs nothing: the sender has the private one, whsk_…")
	}
	id := r.Header.Get(webhookID.key)
	if id == "" {
		sum := sha256.Sum256(r.Body)
		id = "msg_" + hex.EncodeToString(sum[:16])
	}
	when := written(now, false)
	var signature string
	if s.sums != nil {
		signature = "v1," + string(s.mac(id, when, r.Body))
	} else {
		signature = "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, signedMessage(id, when, r.Body)))
	}
	set(r.Header, webhookID, id)
	set(r.Header, webhookTimestamp, when)
	set(r.Header, webhookSignature, signature)
	return nil
}
