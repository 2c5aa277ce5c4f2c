package hook

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds nesting in a body.
const maxDepth = 64

// node is one value of a strictly read body: a string, a number as it was written, a bool, nil, an object or an array.
type node any

// number keeps its digits, so that a 64-bit id is never rounded through a float.
type number string

// object is its members in the order in which they were written. Most have few, and are looked into a few times: going through them
// is sooner done than making a map.
type object []member

type member struct {
	name  string
	value node
}

func (o object) get(name string) (node, bool) {
	for i := range o {
		if o[i].name == name {
			return o[i].value, true
		}
	}
	return nil, false
}

type array []node

// parse reads one JSON value strictly: no duplicate keys, valid UTF-8, no NUL, at most maxDepth deep, nothing behind it.
// Keys are case-sensitive. The error says what is wrong and at which byte, and quotes nothing of the body.
func parse(body []byte) (node, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	p := parsers.Get().(*parser) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer parsers.Put(p)
	defer p.begin(nil) // lets go of the body
	p.begin(body)
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if _, err := p.d.ReadToken(); err == nil {
		return nil, fmt.Errorf("more than one JSON value: something follows at byte %d", p.d.InputOffset())
	}
	if rest := bytes.TrimLeft(body[p.d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("more than one JSON value: something follows at byte %d", p.d.InputOffset())
	}
	return v, nil
}

// parser reads one body after another.
type parser struct {
	d    jsontext.Decoder
	from bytes.Buffer
	body string // what is read; texts are parts of it
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

func (p *parser) begin(body []byte) {
	p.body, p.from = string(body), *bytes.NewBuffer(body)
	p.d.Reset(&p.from, jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))
}

func (p *parser) value() (node, error) {
	switch p.d.PeekKind() {
	case '{':
		return p.members()
	case '[':
		return p.elements()
	case '"':
		return p.text()
	case '0':
		v, err := p.d.ReadValue()
		if err != nil {
			return nil, p.syntax(err)
		}
		return number(p.written(v)), nil
	default:
		t, err := p.d.ReadToken()
		if err != nil {
			return nil, p.syntax(err)
		}
		if t.Kind() == 'n' {
			return nil, nil //nolint:nilnil // JSON's null is a value here
		}
		return t.Bool(), nil // a stray end is an error of ReadToken
	}
}

func (p *parser) members() (node, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	o := object{}
	if p.d.PeekKind() != '}' { // a body of a thousand empty ones takes no room for their members
		o = make(object, 0, 8)
	}
	for p.d.PeekKind() != '}' {
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, v})
	}
	if _, err := p.d.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	return o, nil
}

func (p *parser) elements() (node, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	a := array{}
	for p.d.PeekKind() != ']' {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	if _, err := p.d.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	return a, nil
}

// open reads the beginning of an object or array.
func (p *parser) open() error {
	if _, err := p.d.ReadToken(); err != nil {
		return p.syntax(err)
	}
	if p.d.StackDepth() > maxDepth {
		return fmt.Errorf("nested deeper than %d at byte %d", maxDepth, p.d.InputOffset())
	}
	return nil
}

func (p *parser) text() (string, error) {
	v, err := p.d.ReadValue()
	if err != nil {
		return "", p.syntax(err)
	}
	if bytes.IndexByte(v, '\\') < 0 {
		quoted := p.written(v)
		return quoted[1 : len(quoted)-1], nil
	}
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "", p.syntax(err)
	}
	if bytes.IndexByte(s, 0) >= 0 { // unescaped, it is no JSON
		return "", fmt.Errorf("a NUL character stands in the string that ends at byte %d", p.d.InputOffset())
	}
	return string(s), nil
}

// written is the value that was read last, as it stands in the body.
func (p *parser) written(v jsontext.Value) string {
	end := int(p.d.InputOffset())
	return p.body[end-len(v) : end]
}

// syntax says what the decoder met without repeating the sender's data.
func (p *parser) syntax(err error) error {
	at := p.d.InputOffset()
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		at = s.ByteOffset
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("a key stands twice in one object, near byte %d", at)
	}
	return fmt.Errorf("not valid JSON near byte %d", at)
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
