package hook

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what some senders sign with; as an HMAC it still holds
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/leadpact/leadpact/internal/preset"
)

// tolerance is how far a signed time may lie from ours.
const tolerance = 5 * time.Minute

// Verifier proves with one secret that a body comes from its source. It sees the raw bytes, before anything is parsed.
type Verifier interface {
	// Verify returns nil when the secret made the signature. The error tells the sender what to look at and never what was
	// expected.
	Verify(r *Request, now time.Time) error
}

// NewVerifier builds the verifier of one resolved secret. The error says nothing of the secret.
func NewVerifier(v preset.Proof, secret string) (Verifier, error) {
	if secret == "" {
		return nil, errors.New("the secret is empty")
	}
	switch v.Kind {
	case preset.HMAC:
		m := macVerifier{header: v.Header, prefix: v.Prefix, decode: hex.DecodeString}
		if v.Encoding == "base64" {
			m.decode = base64.StdEncoding.DecodeString
		}
		sum := sha256.New
		if v.Algorithm == "sha1" {
			sum = sha1.New
		}
		m.macs = &sync.Pool{New: func() any { return hmac.New(sum, []byte(secret)) }}
		return m, nil
	case preset.Bearer:
		return bearerVerifier{sum: sha256.Sum256([]byte(secret))}, nil
	case preset.StandardWebhook:
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) == 0 {
			return nil, errors.New("the secret is no Standard Webhooks secret: whsec_ and base64")
		}
		wh, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, errors.New("the secret cannot be used for Standard Webhooks")
		}
		return standardVerifier{wh}, nil
	}
	return nil, fmt.Errorf("no verifier for %q", v.Kind)
}

type macVerifier struct {
	header, prefix string
	decode         func(string) ([]byte, error)
	macs           *sync.Pool // of hash.Hash with the secret in it: to take it in is half the work
}

func (m macVerifier) Verify(r *Request, _ time.Time) error {
	given, ok := strings.CutPrefix(r.Header.Get(m.header), m.prefix)
	if !ok || given == "" {
		return fmt.Errorf("the header %s with the signature is missing or has another form", m.header)
	}
	sig, err := m.decode(given)
	if err != nil {
		return fmt.Errorf("the signature in %s cannot be decoded", m.header)
	}
	mac := m.macs.Get().(hash.Hash) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer m.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(r.Body) // a hash never fails
	if !hmac.Equal(mac.Sum(nil), sig) {
		return fmt.Errorf("the signature in %s does not match the body: compare the secret, and sign the bytes that are sent", m.header)
	}
	return nil
}

type bearerVerifier struct{ sum [sha256.Size]byte }

func (b bearerVerifier) Verify(r *Request, _ time.Time) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return errors.New("the header Authorization: Bearer … is missing")
	}
	given := sha256.Sum256([]byte(token)) // of sums the time tells nothing, not even the length
	if subtle.ConstantTimeCompare(given[:], b.sum[:]) != 1 {
		return errors.New("the bearer token is not this source's")
	}
	return nil
}

type standardVerifier struct{ webhook *standardwebhooks.Webhook }

func (s standardVerifier) Verify(r *Request, now time.Time) error {
	sec, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil || r.Header.Get("webhook-id") == "" {
		return errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	}
	if d := now.Sub(time.Unix(sec, 0)).Abs(); d > tolerance {
		return fmt.Errorf("webhook-timestamp is more than %s away from now: send it again with a new one", tolerance)
	}
	// The tolerance is checked above, against the clock that was handed in.
	if s.webhook.VerifyIgnoringTimestamp(r.Body, r.Header) != nil {
		return errors.New("webhook-signature does not match the body")
	}
	return nil
}
