package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/leadpact/leadpact/internal/preset"
)

// Sign makes r prove itself as the sender would, so that a Verifier of the same proof and secret takes it: it sets headers, or the
// secret in the query and URI or in a body of JSON or an urlencoded form. The error says nothing of the secret.
func Sign(p preset.Proof, secret string, r *Request, now time.Time) error {
	if secret == "" {
		return errEmpty
	}
	if err := p.Check(); err != nil {
		return err
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	switch p.Kind {
	case preset.HMAC, preset.Digest:
		s, err := newSigned(p, secret)
		if err != nil {
			return err
		}
		return s.sign(r, now)
	case preset.Bearer, preset.Basic:
		scheme, text, err := credential(p.Kind, secret)
		if err != nil {
			return err
		}
		set(r.Header, authorization, scheme+" "+text)
		return nil
	case preset.Header:
		set(r.Header, headerOf(p.Header), p.Prefix+secret)
		return nil
	case preset.Query:
		return setQuery(r, p.QueryParam(), secret)
	case preset.Body:
		return setBody(r, p.Path, secret)
	case preset.StandardWebhook:
		s, err := newStandard(secret)
		if err != nil {
			return err
		}
		return s.sign(r, now)
	}
	return fmt.Errorf("no proof is called %q", p.Kind) // Check has said so
}

func setQuery(r *Request, name, value string) error {
	u, err := url.Parse(r.URI)
	if err != nil {
		return errors.New("the address cannot be read") // the cause repeats it, and there may be a secret in it
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	r.URI, r.Query = u.String(), q
	return nil
}

func setBody(r *Request, place preset.Place, value string) error {
	names, err := memberNames(place)
	if err != nil {
		return err
	}
	if isForm(mediaType(r.Header.Get("Content-Type"))) {
		form, err := url.ParseQuery(string(r.Body))
		if err != nil || strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			return errors.New("the secret can be put into a form only where it is urlencoded")
		}
		name := names[0]
		for _, below := range names[1:] {
			name += "[" + below + "]"
		}
		form.Set(name, value)
		r.Body = []byte(form.Encode())
		return nil
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return errors.New("the secret cannot be written as JSON")
	}
	body, err := put(r.Body, names, quoted)
	if err != nil {
		return err
	}
	r.Body = body
	return nil
}

// memberNames are the names on the way to a place. Only a plain one can be written to.
func memberNames(place preset.Place) ([]string, error) {
	if len(place[0]) != 1 || len(place[0][0].Steps) == 0 {
		return nil, errors.New("the proof names no one place in the body for the secret")
	}
	var out []string
	for _, step := range place[0][0].Steps {
		if step.Kind != preset.Member {
			return nil, fmt.Errorf("a secret cannot be written to %s: name the members on the way to it", place)
		}
		out = append(out, step.Name)
	}
	return out, nil
}

// put returns a JSON object with value at names, and every other byte of body as it was.
func put(body []byte, names []string, value []byte) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if open, err := d.ReadToken(); err != nil || open.Kind() != '{' {
		return nil, errors.New("the body is no JSON object that the secret could be put into")
	}
	start := d.InputOffset()
	empty := d.PeekKind() == '}'
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, errors.New("the body is not valid JSON")
		}
		found := name.String() == names[0]
		old, err := d.ReadValue()
		if err != nil {
			return nil, errors.New("the body is not valid JSON")
		}
		if !found {
			continue
		}
		if len(names) > 1 {
			if value, err = put(old.Clone(), names[1:], value); err != nil {
				return nil, err
			}
		}
		end := d.InputOffset()
		return slices.Concat(body[:end-int64(len(old))], value, body[end:]), nil
	}
	for _, name := range slices.Backward(names[1:]) {
		value = slices.Concat([]byte("{"), pair(name, value), []byte("}"))
	}
	first := pair(names[0], value)
	if !empty {
		first = append(first, ',')
	}
	return slices.Concat(body[:start], first, body[start:]), nil
}

func pair(name string, value []byte) []byte {
	quoted, _ := jsontext.AppendQuote(nil, name) // fails for what is no UTF-8, and quotes it all the same
	return slices.Concat(quoted, []byte(":"), value)
}
