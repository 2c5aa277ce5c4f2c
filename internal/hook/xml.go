package hook

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxElements bounds the elements of an XML body.
const maxElements = 20_000

// instance is the namespace of xsi:nil and xsi:type.
const instance = "http://www.w3.org/2001/XMLSchema-instance"

// decodeXML reads an XML document, such as a SOAP envelope, to the tree that a JSON body of the same things would give: an object whose
// one member is the root element. An element with elements in it is an object by their local names, and those of one name are an array;
// any other is its text without the blanks around it, or null where xsi:nil says so. Attributes are left out, and so is text that stands
// beside elements; but an object's xsi:type is its member @type, without the prefix. Document types are refused, and with them every
// entity but XML's own five. The error says what is wrong and near which byte, and quotes nothing of the body.
func decodeXML(body []byte) (node, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	m := &markup{}
	m.d = xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	m.d.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		m.foreign = true
		return nil, errors.New("only UTF-8")
	}
	return m.document()
}

// markup reads one document.
type markup struct {
	d        *xml.Decoder
	elements int
	foreign  bool // the document says that it is in another charset
}

func (m *markup) document() (node, error) {
	var root object
	for {
		token, err := m.d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, m.syntax()
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, fmt.Errorf("more than one XML element: something follows at byte %d", m.d.InputOffset())
			}
			value, err := m.element(t, 1)
			if err != nil {
				return nil, err
			}
			root = object{{t.Name.Local, value}}
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, m.syntax()
			}
		case xml.Directive:
			return nil, errDocumentType
		}
	}
	if root == nil {
		return nil, errors.New("the body holds no XML element")
	}
	return root, nil
}

var errDocumentType = errors.New("the body has a document type or declarations: send it without them")

// element reads to the end of the element that start began.
func (m *markup) element(start xml.StartElement, depth int) (node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d at byte %d", maxDepth, m.d.InputOffset())
	}
	if m.elements++; m.elements > maxElements {
		return nil, fmt.Errorf("the body holds more than %d XML elements", maxElements)
	}
	var (
		within object
		places map[string]int // of names in within: an element may hold thousands
		text   []byte
	)
	for {
		token, err := m.d.Token()
		if err != nil {
			return nil, m.syntax()
		}
		switch t := token.(type) {
		case xml.StartElement:
			value, err := m.element(t, depth+1)
			if err != nil {
				return nil, err
			}
			if places == nil {
				places = map[string]int{}
			}
			if i, again := places[t.Name.Local]; again {
				within[i].value = beside(within[i].value, value)
				continue
			}
			places[t.Name.Local] = len(within)
			within = append(within, member{t.Name.Local, value})
		case xml.CharData:
			if within == nil {
				text = append(text, t...)
			}
		case xml.Directive:
			return nil, errDocumentType
		case xml.EndElement:
			return valueOf(start, within, text), nil
		}
	}
}

// beside puts another value of the same name behind those that are there. An element's own value is never an array.
func beside(there, another node) array {
	list, several := there.(array)
	if !several {
		list = array{there}
	}
	return append(list, another)
}

func valueOf(start xml.StartElement, within object, text []byte) node {
	kind := ""
	for _, a := range start.Attr {
		if a.Name.Space != instance {
			continue
		}
		switch a.Name.Local {
		case "nil":
			if a.Value == "true" || a.Value == "1" {
				return nil
			}
		case "type":
			kind = a.Value
		}
	}
	if within == nil {
		return string(bytes.TrimSpace(text))
	}
	if kind != "" {
		if _, local, prefixed := strings.Cut(kind, ":"); prefixed {
			kind = local
		}
		within = append(within, member{"@type", kind}) // no element can be called so
	}
	return within
}

// syntax says where the decoder stopped, and not what it met.
func (m *markup) syntax() error {
	if m.foreign {
		return errors.New("the XML says that it is in another charset than UTF-8")
	}
	return fmt.Errorf("not valid XML near byte %d", m.d.InputOffset())
}
