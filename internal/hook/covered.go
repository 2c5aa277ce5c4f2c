package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// piece is a part of what a signature covers.
type piece struct {
	thing   string // "" for a literal
	literal []byte
}

// The things that a signature may cover, as its template calls them.
const (
	theBody   = "body"
	theFirst  = "first"
	theMethod = "method"
	theURI    = "uri"
	theTime   = "time"
	theSecret = "secret"
)

// pieces reads a template such as "{method}{uri}{body}{time}"; "" is the body alone. The secret becomes a literal.
func pieces(template, secret string) ([]piece, error) {
	if template == "" {
		return []piece{{thing: theBody}}, nil
	}
	var out []piece
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			out = append(out, piece{literal: []byte(before)})
		}
		if !found {
			break
		}
		thing, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("what is signed, %q, has a { without }", template)
		}
		rest = behind
		switch thing {
		case theBody, theFirst, theMethod, theURI, theTime:
			out = append(out, piece{thing: thing})
		case theSecret:
			out = append(out, piece{literal: []byte(secret)})
		default:
			return nil, fmt.Errorf("what is signed, %q, names {%s}: choose of {body}, {first}, {method}, {uri}, {time}, {secret}", template, thing)
		}
	}
	if !covers(out, theBody) && !covers(out, theFirst) {
		return nil, fmt.Errorf("what is signed, %q, leaves out the body", template)
	}
	return out, nil
}

func covers(all []piece, thing string) bool {
	return slices.ContainsFunc(all, func(p piece) bool { return p.thing == thing })
}

// cover writes what a signature covers. Nothing is put together first: a body may be large.
func cover(w io.Writer, all []piece, r *Request, uri, when string) error {
	for _, p := range all {
		part := p.literal
		switch p.thing {
		case theBody:
			part = r.Body
		case theFirst:
			first, err := firstOf(r.Body)
			if err != nil {
				return err
			}
			part = first
		case theMethod:
			part = []byte(r.Method)
		case theURI:
			part = []byte(uri)
		case theTime:
			part = []byte(when)
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
