package sender_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/sender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const body = "what do ya want for nothing?"

// TestProofs holds HMACs to the values of RFC 2202 and RFC 4231 (key "Jefe"), and Standard Webhooks to its own library.
func TestProofs(t *testing.T) {
	t.Parallel()
	const hook = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	hmac := func(algorithm, encoding string) preset.Proof {
		return preset.Proof{Kind: preset.HMAC, Header: "X-Signature", Prefix: "v=", Algorithm: algorithm, Encoding: encoding}
	}
	header := func(name, want string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get(name) == want }
	}
	for name, c := range map[string]struct {
		verify preset.Proof
		secret string
		holds  func(*http.Request) bool
	}{
		"bearer": {preset.Proof{Kind: preset.Bearer}, "s", header("Authorization", "Bearer s")},
		"HMAC":   {hmac("", ""), "Jefe", header("X-Signature", "v=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")},
		"SHA-1":  {hmac("sha1", "hex"), "Jefe", header("X-Signature", "v=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")},
		"base64": {hmac("sha256", "base64"), "Jefe", header("X-Signature", "v=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=")},
		"Standard Webhooks": {preset.Proof{Kind: preset.StandardWebhook}, hook, func(r *http.Request) bool {
			wh, err := standardwebhooks.NewWebhook(hook)
			return err == nil && wh.Verify([]byte(body), r.Header) == nil && r.Header.Get("Webhook-Id") == "id"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err != nil || string(text) != body || !c.holds(r) || r.Header.Get("Content-Type") != "application/json" {
					w.WriteHeader(http.StatusUnauthorized)
				}
			}))
			defer door.Close()
			s := sender.New(door.URL, c.verify, c.secret, 10*time.Second)
			defer s.Close()
			if a, err := s.Post(t.Context(), "id", []byte(body)); err != nil || a.Status != http.StatusOK || a.Tries != 1 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// TestNoSecondTry: what waiting cannot mend is told at once.
func TestNoSecondTry(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*sender.Sender{
		"secret":  sender.New("http://127.0.0.1:1", preset.Proof{Kind: preset.StandardWebhook}, "whsec_!", time.Hour),
		"kind":    sender.New("http://127.0.0.1:1", preset.Proof{}, "s", time.Hour),
		"address": sender.New("http://[", preset.Proof{Kind: preset.Bearer}, "s", time.Hour),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := s.Post(ctx, "id", nil); err == nil || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "whsec_!") {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestTriesAgain after answers that ask for it and connections that break, with the same body.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || string(text) != body {
			t.Errorf("the body is %q, %v", text, err)
		}
		switch asked.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"ids":["a","b"],"refused":[{"index":1,"id":"c","detail":"d"}]}`)
		}
	}))
	defer door.Close()
	s := sender.New(door.URL, preset.Proof{Kind: preset.Bearer}, "s", time.Minute)
	defer s.Close()
	a, err := s.Post(t.Context(), "", []byte(body))
	if err != nil || a.Status != http.StatusAccepted || len(a.IDs) != 2 || len(a.Refused) != 1 || a.Refused[0].Detail != "d" || a.Tries != 3 {
		t.Errorf("%+v, %v", a, err)
	}
}
