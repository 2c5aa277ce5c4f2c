package hook

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

// tolerance is how far a signed time may lie from ours, either way.
const tolerance = 5 * time.Minute

// Verifier proves with one secret that a request comes from its source. It sees the raw bytes, before anything is mapped, and is safe
// for concurrent use.
type Verifier interface {
	// Verify returns nil when the secret made the proof. The error tells the sender what to look at, and never what was expected.
	Verify(r *Request, now time.Time) error
}

// NewVerifier builds the verifier of one resolved secret. The error says nothing of the secret.
func NewVerifier(p preset.Proof, secret string) (Verifier, error) {
	if secret == "" {
		return nil, errEmpty
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	switch p.Kind {
	case preset.HMAC, preset.Digest:
		return newSigned(p, secret)
	case preset.Bearer, preset.Basic:
		return newCredentials(p.Kind, secret)
	case preset.Header:
		return inHeader{headerOf(p.Header), hide(p.Prefix + secret)}, nil
	case preset.Query:
		return inQuery{p.QueryParam(), hide(secret)}, nil
	case preset.Body:
		return inBody{p.Path, hide(secret)}, nil
	case preset.StandardWebhook:
		return newStandard(secret)
	}
	return nil, fmt.Errorf("no proof is called %q", p.Kind) // Check has said so
}

// Bodiless says that a proof of this kind can be verified before the body is read.
func Bodiless(kind preset.ProofKind) bool {
	switch kind {
	case preset.Bearer, preset.Basic, preset.Header, preset.Query:
		return true
	case preset.HMAC, preset.Digest, preset.Body, preset.StandardWebhook:
	}
	return false
}

var errEmpty = errors.New("the secret is empty")

// Any is the verifiers of one source, a secret each: one that holds is enough, so that secrets can be changed over.
type Any []Verifier

// Verify returns nil when one of them does.
func (a Any) Verify(r *Request, now time.Time) error {
	err := errors.New("the source has no usable secret")
	for _, v := range a {
		if err = v.Verify(r, now); err == nil {
			return nil
		}
	}
	return err
}

// header is one that a proof stands in.
type header struct {
	name string // as the sender's own documents write it
	key  string // as net/http keeps it
}

func headerOf(name string) header { return header{name, textproto.CanonicalMIMEHeaderKey(name)} }

// values are the header's, exactly one. Of two nobody could say which the sender's other ends believe.
func (h header) values(from http.Header) ([]string, error) {
	v := from[h.key]
	switch {
	case len(v) == 0 || (len(v) == 1 && v[0] == ""):
		return nil, fmt.Errorf("the header %s is missing", h.name)
	case len(v) > 1:
		return nil, fmt.Errorf("the header %s stands %d times: send it once", h.name, len(v))
	}
	return v, nil
}

func (h header) value(from http.Header) (string, error) {
	v, err := h.values(from)
	if err != nil {
		return "", err
	}
	return v[0], nil
}

// fresh says whether a signed time lies near ours; where is how the sender finds it.
func fresh(text, where string, millis bool, now time.Time) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		unit := "seconds"
		if millis {
			unit = "milliseconds"
		}
		return fmt.Errorf("%s is not a time in %s since 1970", where, unit)
	}
	t := time.Unix(n, 0)
	if millis {
		t = time.UnixMilli(n)
	}
	if now.Sub(t).Abs() > tolerance {
		return fmt.Errorf("%s is more than %d minutes away from now: send it again with a new one, and compare the clocks", where, tolerance/time.Minute)
	}
	return nil
}

// written is a time as a proof has it.
func written(t time.Time, millis bool) string {
	if millis {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strconv.FormatInt(t.Unix(), 10)
}
