package ingest

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
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/leadpact/leadpact/internal/agreement"
)

// tolerance is how far a signed time may lie from ours.
const tolerance = 5 * time.Minute

// verifier proves that a body comes from its source. It sees the raw bytes, before anything is parsed.
type verifier interface {
	// verify returns nil when one of the source's secrets made the signature. The error tells the sender what to look at and
	// never what was expected.
	verify(h http.Header, body []byte, now time.Time) error
}

// newVerifier builds the verifier of a source from its resolved secrets.
func newVerifier(v agreement.Verify, secrets []string) (verifier, error) {
	switch v.Kind {
	case agreement.HMAC:
		m := macVerifier{header: v.Header, prefix: v.Prefix, base64: v.Encoding == "base64", sum: sha256.New}
		if v.Algorithm == "sha1" {
			m.sum = sha1.New
		}
		for _, s := range secrets {
			m.secrets = append(m.secrets, []byte(s))
		}
		return m, nil
	case agreement.Bearer:
		var b bearerVerifier
		for _, s := range secrets {
			b.sums = append(b.sums, sha256.Sum256([]byte(s)))
		}
		return b, nil
	case agreement.StandardWebhook:
		var s standardVerifier
		for i, secret := range secrets {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				return nil, fmt.Errorf("secret %d is no Standard Webhooks secret (whsec_ and base64)", i+1)
			}
			s.hooks = append(s.hooks, wh)
		}
		return s, nil
	}
	return nil, fmt.Errorf("no verifier for %q", v.Kind)
}

type macVerifier struct {
	header, prefix string
	base64         bool
	sum            func() hash.Hash
	secrets        [][]byte
}

func (m macVerifier) verify(h http.Header, body []byte, _ time.Time) error {
	given, ok := strings.CutPrefix(h.Get(m.header), m.prefix)
	if !ok || given == "" {
		return fmt.Errorf("the header %s with the signature is missing or has another form", m.header)
	}
	decode := hex.DecodeString
	if m.base64 {
		decode = base64.StdEncoding.DecodeString
	}
	sig, err := decode(given)
	if err != nil {
		return fmt.Errorf("the signature in %s cannot be decoded", m.header)
	}
	for _, s := range m.secrets {
		mac := hmac.New(m.sum, s)
		_, _ = mac.Write(body) // a hash never fails
		if hmac.Equal(mac.Sum(nil), sig) {
			return nil
		}
	}
	return fmt.Errorf("the signature in %s does not match the body: compare the secret, and sign the bytes that are sent", m.header)
}

type bearerVerifier struct{ sums [][sha256.Size]byte }

func (b bearerVerifier) verify(h http.Header, _ []byte, _ time.Time) error {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return errors.New("the header Authorization: Bearer … is missing")
	}
	given := sha256.Sum256([]byte(token))
	match := 0
	for _, s := range b.sums {
		match |= subtle.ConstantTimeCompare(given[:], s[:])
	}
	if match == 0 {
		return errors.New("the bearer token is not this source's")
	}
	return nil
}

type standardVerifier struct{ hooks []*standardwebhooks.Webhook }

func (s standardVerifier) verify(h http.Header, body []byte, now time.Time) error {
	sec, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || h.Get("webhook-id") == "" {
		return errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	}
	if d := now.Sub(time.Unix(sec, 0)).Abs(); d > tolerance {
		return fmt.Errorf("webhook-timestamp is more than %s away from now: send it again with a new one", tolerance)
	}
	for _, wh := range s.hooks {
		// The tolerance is checked above, against the clock that was handed in.
		if wh.VerifyIgnoringTimestamp(body, h) == nil {
			return nil
		}
	}
	return errors.New("webhook-signature does not match the body")
}
