package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/leadpact/leadpact/internal/preset"
)

// piece is a part of what a signature covers; the secret is a literal already.
type piece struct {
	thing   preset.Thing
	literal []byte
}

// pieces are what a proof's signature covers.
func pieces(p preset.Proof, secret string) ([]piece, error) {
	all, err := p.Covers()
	if err != nil {
		return nil, err
	}
	var out []piece
	for _, one := range all {
		if one.Thing == preset.TheSecret {
			one = preset.Piece{Text: secret}
		}
		out = append(out, piece{one.Thing, []byte(one.Text)})
	}
	return out, nil
}

func covers(all []piece, thing preset.Thing) bool {
	return slices.ContainsFunc(all, func(p piece) bool { return p.thing == thing })
}

// cover writes what a signature covers. Nothing is put together first: a body may be large.
func cover(w io.Writer, all []piece, r *Request, uri, when string) error {
	for _, p := range all {
		part := p.literal
		switch p.thing {
		case preset.TheBody:
			part = r.Body
		case preset.TheFirst:
			first, err := firstOf(r.Body)
			if err != nil {
				return err
			}
			part = first
		case preset.TheMethod:
			part = []byte(r.Method)
		case preset.TheURI:
			part = []byte(uri)
		case preset.TheTime:
			part = []byte(when)
		case preset.Literal, preset.TheSecret:
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// firstOf is the first element of a body that is an array, without the blanks around and in it, else the body as it is: Segment signs
// JSON.stringify of the first event of a batch.
func firstOf(body []byte) ([]byte, error) {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '[' {
		return body, nil
	}
	// Whether the body is good is not asked here; it must only be plain which bytes are meant.
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadToken(); err != nil {
		return nil, errUnreadable
	}
	v, err := d.ReadValue()
	if err != nil {
		return nil, errUnreadable
	}
	first := v.Clone()
	if err := first.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, errUnreadable
	}
	return first, nil
}

var errUnreadable = errors.New("the signature covers the first element of the body, and the body is an array without a readable one")

// hubspotEscapes are those that HubSpot decodes in an address before it signs it.
var hubspotEscapes = strings.NewReplacer(func() (pairs []string) {
	for _, c := range ":/?@!$'()*,;" {
		pairs = append(pairs, fmt.Sprintf("%%%02X", c), string(c), fmt.Sprintf("%%%02x", c), string(c))
	}
	return pairs
}()...)
