package hook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/preset"
)

// hidden is a secret that the sender shows us, kept as its sum: comparing sums takes the same time for all, whatever their length.
type hidden [sha256.Size]byte

func hide(secret string) hidden { return sha256.Sum256([]byte(secret)) }

func (s hidden) is(given string) bool {
	sum := hide(given)
	return subtle.ConstantTimeCompare(sum[:], s[:]) == 1
}

var authorization = headerOf("Authorization")

// credentials are what stands behind the scheme in Authorization.
type credentials struct {
	scheme string
	secret hidden
}

func newCredentials(kind preset.ProofKind, secret string) (Verifier, error) {
	scheme, text, err := credential(kind, secret)
	return credentials{scheme, hide(text)}, err
}

// credential is the scheme and what stands behind it.
func credential(kind preset.ProofKind, secret string) (scheme, text string, err error) {
	if kind == preset.Bearer {
		return "Bearer", secret, nil
	}
	if !strings.Contains(secret, ":") {
		return "", "", errors.New("the secret for basic is user:password, and this one has no colon")
	}
	return "Basic", base64.StdEncoding.EncodeToString([]byte(secret)), nil
}

// Verify compares what the header holds.
func (c credentials) Verify(r *Request, _ time.Time) error {
	value, err := authorization.value(r.Header)
	if err != nil {
		return fmt.Errorf("%w: send Authorization: %s …", err, c.scheme)
	}
	scheme, given, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, c.scheme) {
		return fmt.Errorf("the header Authorization is not of the form %s …", c.scheme)
	}
	if !c.secret.is(given) {
		if c.scheme == "Basic" {
			return errors.New("the user and password in Authorization are not this source's")
		}
		return errors.New("the bearer token is not this source's")
	}
	return nil
}

// inHeader is a secret in a header of the sender's choice.
type inHeader struct {
	header header
	secret hidden // with the prefix before it
}

// Verify compares what the header holds.
func (h inHeader) Verify(r *Request, _ time.Time) error {
	given, err := h.header.value(r.Header)
	if err != nil {
		return err
	}
	if !h.secret.is(given) {
		return fmt.Errorf("the secret in %s is not this source's", h.header.name)
	}
	return nil
}

// inQuery is a secret in the address.
type inQuery struct {
	param  string
	secret hidden
}

// Verify compares what the address holds.
func (q inQuery) Verify(r *Request, _ time.Time) error {
	given := r.Query[q.param]
	switch {
	case len(given) == 0:
		return fmt.Errorf("the address lacks ?%s= with the secret", q.param)
	case len(given) > 1:
		return fmt.Errorf("?%s= stands %d times in the address: send it once", q.param, len(given))
	case !q.secret.is(given[0]):
		return fmt.Errorf("?%s= in the address is not this source's secret", q.param)
	}
	return nil
}

// inBody is a secret that stands in the body.
type inBody struct {
	path   preset.Place
	secret hidden
}

// Verify reads the body as far as it must to compare what it holds.
func (b inBody) Verify(r *Request, _ time.Time) error {
	var root node
	var err error
	if isForm(mediaType(r.Header.Get("Content-Type"))) {
		root, err = decodeForm(r)
	} else {
		root, err = parse(r.Body)
	}
	if err != nil {
		return fmt.Errorf("the secret stands in the body, which cannot be read: %w", err)
	}
	found, ok := scope{root: root, event: root}.first(b.path)
	if !ok {
		return fmt.Errorf("the body lacks the secret at %s", b.path)
	}
	given, ok := textOf(found)
	if !ok || !b.secret.is(given) {
		return fmt.Errorf("what stands at %s in the body is not this source's secret", b.path)
	}
	return nil
}
