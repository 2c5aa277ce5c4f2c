package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds nesting in a body.
const maxDepth = 64

// node is one value of a strictly read body: a string, a number as it was written, a bool, nil, an object or an array.
type node any

// number keeps its digits, so that a 64-bit id is never rounded through a float.
type number string

type object map[string]node

type array []node

// parse reads one JSON value strictly: no duplicate keys, valid UTF-8, no NUL, at most maxDepth deep, nothing behind it.
// Keys are case-sensitive. The error says what is wrong and at which byte, and quotes nothing of the body.
func parse(body []byte) (node, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))
	v, err := value(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err == nil {
		return nil, fmt.Errorf("more than one JSON value: something follows at byte %d", d.InputOffset())
	}
	if rest := bytes.TrimLeft(body[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("more than one JSON value: something follows at byte %d", d.InputOffset())
	}
	return v, nil
}

func value(d *jsontext.Decoder) (node, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, syntax(d, err)
	}
	switch t.Kind() {
	case '{':
		return members(d)
	case '[':
		return elements(d)
	case '"':
		return text(d, t)
	case '0':
		return number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil //nolint:nilnil // JSON's null is a value here; a stray end is an error of ReadToken
	}
}

func members(d *jsontext.Decoder) (node, error) {
	if d.StackDepth() > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d at byte %d", maxDepth, d.InputOffset())
	}
	o := object{}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, syntax(d, err)
		}
		k, err := text(d, t)
		if err != nil {
			return nil, err
		}
		if o[k], err = value(d); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(d, err)
	}
	return o, nil
}

func elements(d *jsontext.Decoder) (node, error) {
	if d.StackDepth() > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d at byte %d", maxDepth, d.InputOffset())
	}
	a := array{}
	for d.PeekKind() != ']' {
		v, err := value(d)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(d, err)
	}
	return a, nil
}

func text(d *jsontext.Decoder, t jsontext.Token) (string, error) {
	s := t.String()
	if strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("a NUL character stands in the string that ends at byte %d", d.InputOffset())
	}
	return s, nil
}

// syntax says what the decoder met without repeating the sender's data.
func syntax(d *jsontext.Decoder, err error) error {
	at := d.InputOffset()
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		at = s.ByteOffset
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("a key stands twice in one object, near byte %d", at)
	}
	return fmt.Errorf("not valid JSON near byte %d", at)
}

// path leads through objects and array indexes.
type path []string

// split reads a path with dots; "" leads nowhere.
func split(dotted string) path {
	if dotted == "" {
		return nil
	}
	return strings.Split(dotted, ".")
}

// String is the path as the agreement has it.
func (p path) String() string { return strings.Join(p, ".") }

// at follows a path; false when something on the way is missing or null, and for a path that leads nowhere.
func at(n node, p path) (node, bool) {
	if len(p) == 0 {
		return nil, false
	}
	for _, part := range p {
		switch v := n.(type) {
		case object:
			next, ok := v[part]
			if !ok {
				return nil, false
			}
			n = next
		case array:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			n = v[i]
		default:
			return nil, false
		}
	}
	return n, n != nil
}

// textOf is a scalar as text.
func textOf(n node) (string, bool) {
	switch v := n.(type) {
	case string:
		return v, true
	case number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
