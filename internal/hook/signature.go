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
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/preset"
)

// signed verifies a signature in a header: an HMAC, or a plain digest of a text in which the secret stands.
type signed struct {
	header header
	prefix string
	part   string // the signature's name in a header of several parts
	base64 bool
	covers []piece
	digest bool
	// stamp is the signed time; nil when none is.
	stamp *preset.Stamp
	clock header     // of the stamp
	sums  *sync.Pool // of *sum
}

// sum is a hash in use. An HMAC has the secret in it: to take that in is half the work on a small body.
type sum struct {
	hash.Hash
	raw, text []byte
}

func newSigned(p preset.Proof, secret string) (*signed, error) {
	s := &signed{
		header: headerOf(p.Header), prefix: p.Prefix, part: p.Part, base64: p.Encoding == "base64", digest: p.Kind == preset.Digest, stamp: p.Time,
	}
	var err error
	if s.covers, err = pieces(p, secret); err != nil {
		return nil, err
	}
	if s.stamp != nil {
		s.clock = headerOf(s.stamp.Header)
	}
	made := sha256.New
	if p.Algorithm == "sha1" {
		made = sha1.New
	}
	keyed := made
	if !s.digest {
		keyed = func() hash.Hash { return hmac.New(made, []byte(secret)) }
	}
	s.sums = &sync.Pool{New: func() any { return &sum{Hash: keyed()} }}
	return s, nil
}

// Verify holds the header's signature to what the secret makes of the request.
func (s *signed) Verify(r *Request, now time.Time) error {
	given, err := s.header.values(r.Header)
	if err != nil {
		return err
	}
	when, where := "", s.clock.name
	if s.part != "" {
		if given, when, err = s.parts(given[0]); err != nil {
			return err
		}
		where = s.header.name
	}
	if s.stamp != nil {
		if s.stamp.Header != "" {
			if when, err = s.clock.value(r.Header); err != nil {
				return err
			}
			where = s.clock.name
		}
		if err := fresh(when, "the time in "+where, s.stamp.Millis, now); err != nil {
			return err
		}
	}
	// A digest, unlike an HMAC, can be carried on over more bytes without the secret. What stands between is no UTF-8.
	if s.digest && !utf8.Valid(r.Body) {
		return errors.New("the body is not valid UTF-8")
	}
	k := s.sums.Get().(*sum) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer s.sums.Put(k)
	if err := s.match(k, r, r.URI, when, given); err != errMismatch { //nolint:errorlint // our own, never wrapped
		return err
	}
	if !covers(s.covers, preset.TheURI) {
		return fmt.Errorf("the signature in %s does not match the body: compare the secret, and sign the bytes that are sent", s.header.name)
	}
	// HubSpot's documents decode some escapes, its libraries none.
	if plain := hubspotEscapes.Replace(r.URI); plain != r.URI && s.match(k, r, plain, when, given) == nil {
		return nil
	}
	return fmt.Errorf("the signature in %s does not match the request: compare the secret and the public address, and sign the bytes that are sent", s.header.name)
}

var errMismatch = errors.New("the signature does not match")

// match returns nil when one of the given signatures is the secret's.
func (s *signed) match(k *sum, r *Request, uri, when string, given []string) error {
	if err := s.make(k, r, uri, when); err != nil {
		return err
	}
	same := 0
	for _, g := range given {
		g, ok := strings.CutPrefix(g, s.prefix)
		if !ok {
			return fmt.Errorf("the signature in %s does not begin with %s", s.header.name, s.prefix)
		}
		if len(g) != len(k.text) {
			return fmt.Errorf("the signature in %s is not %s of %d characters", s.header.name, s.encoding(), len(k.text))
		}
		same |= subtle.ConstantTimeCompare([]byte(g), k.text)
	}
	if same == 0 && !s.base64 { // some write their digits large
		for i, c := range k.text {
			if c >= 'a' {
				k.text[i] = c - 'a' + 'A'
			}
		}
		for _, g := range given {
			same |= subtle.ConstantTimeCompare([]byte(g[len(s.prefix):]), k.text)
		}
	}
	if same == 0 {
		return errMismatch
	}
	return nil
}

// make leaves in k the signature as text.
func (s *signed) make(k *sum, r *Request, uri, when string) error {
	k.Reset()
	if err := cover(k, s.covers, r, uri, when); err != nil {
		return err
	}
	k.raw = k.Sum(k.raw[:0])
	if s.base64 {
		k.text = base64.StdEncoding.AppendEncode(k.text[:0], k.raw)
	} else {
		k.text = hex.AppendEncode(k.text[:0], k.raw)
	}
	return nil
}

func (s *signed) encoding() string {
	if s.base64 {
		return "base64"
	}
	return "hex"
}

// parts reads a header such as t=…,v1=…: the signatures, of which a sender that changes secrets may send two, and the time.
func (s *signed) parts(value string) (signatures []string, when string, err error) {
	times := 0
	for part := range strings.SplitSeq(value, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == s.part:
			signatures = append(signatures, v)
		case s.stamp != nil && name == s.stamp.Part:
			when = v
			times++
		}
	}
	switch {
	case len(signatures) == 0:
		return nil, "", fmt.Errorf("the header %s has no part %s=", s.header.name, s.part)
	case s.stamp != nil && s.stamp.Part != "" && times != 1:
		return nil, "", fmt.Errorf("the header %s needs one part %s=", s.header.name, s.stamp.Part)
	}
	return signatures, when, nil
}

// sign makes the proof that Verify looks for.
func (s *signed) sign(r *Request, now time.Time) error {
	when := ""
	if s.stamp != nil {
		when = written(now, s.stamp.Millis)
	}
	k := s.sums.Get().(*sum) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer s.sums.Put(k)
	if err := s.make(k, r, r.URI, when); err != nil {
		return err
	}
	value := s.prefix + string(k.text)
	if s.part != "" {
		value = s.part + "=" + value
	}
	if s.stamp != nil && s.stamp.Part != "" {
		value = s.stamp.Part + "=" + when + "," + value
	}
	if s.stamp != nil && s.stamp.Header != "" {
		set(r.Header, s.clock, when)
	}
	set(r.Header, s.header, value)
	return nil
}

func set(in http.Header, h header, value string) { in[h.key] = []string{value} }
