package agreement

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a text may hold. The YAML parser goes one call deeper for each level and for each sibling key, and copies them on its
// way back; the bounds keep any text within a second, and are far above what two teams can agree on.
const (
	// MaxBytes is of an agreement with all its files, or of a roster.
	MaxBytes  = 1 << 20
	maxTokens = 60_000
	// maxMarks bounds what is taken apart into tokens at all: each is a hundred times the byte that it was.
	maxMarks = 100_000
	maxKeys  = 10_000
	// maxPeople is maxKeys of a roster: some three thousand reps. Nobody but the operator writes one.
	maxPeople = 12_000
	maxDepth  = 24
	maxIndent = 100
)

// style is how a scalar is written, which decides where its characters stand.
type style int

const (
	plain style = iota
	single
	double
	block
)

type kind int

const (
	null kind = iota
	scalar
	list
	mapping
)

// node is a value of the document with its place.
type node struct {
	place
	path  string
	kind  kind
	style style
	text  string // of a scalar, as written: 1.10 stays 1.10
	items []*node
	pairs []pair
	what  string // as faults call a mapping: "a clock"
}

// pair is one entry of a mapping; its key is a scalar.
type pair struct{ key, value *node }

// get is the value of the first entry with that key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, p := range n.pairs {
		if p.key.text == key {
			return p.value
		}
	}
	return nil
}

// document is a text on its way to a tree. It reports what YAML allows and this language does not: a signed text has to
// say what it says in one place, so there are no anchors, aliases, tags, directives or second documents.
type document struct {
	faults *faults
	keys   int // at most
	lines  [][]rune
}

// readDocument returns the tree of a text with at most so many keys, or nil when the text cannot be read; the faults say why.
func readDocument(text []byte, keys int, fs *faults) (*document, *node) {
	d := &document{faults: fs, keys: keys}
	if !d.readable(text) {
		return d, nil
	}
	text = Canonical(text)
	for line := range strings.SplitSeq(string(text), "\n") {
		d.lines = append(d.lines, []rune(line))
	}
	file := d.parse(string(text))
	if file == nil {
		return d, nil
	}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			d.refuse(doc.Body.GetToken(), "a second document begins here", "keep one document in the file")
			return d, nil
		}
		root = d.convert(doc.Body, "")
	}
	if root == nil {
		fs.add(Fault{Message: "the file is empty", Hint: "the files in docs/examples are a start"})
	}
	return d, root
}

// readable says whether the bytes are a text that a person can see.
func (d *document) readable(text []byte) bool {
	if len(text) > MaxBytes {
		d.faults.add(Fault{Message: fmt.Sprintf("the file has more than %d bytes", MaxBytes), Hint: "is it the right file?"})
		return false
	}
	if marks := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")) + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("- ")) +
		bytes.Count(text, []byte(": ")) + bytes.Count(text, []byte("? ")); marks > maxMarks {
		d.faults.add(Fault{Message: "the file is larger or deeper than an agreement can be", Hint: fmt.Sprintf("it has %d brackets, commas, dashes and colons; at most %d are read", marks, maxMarks)})
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		message, hint := "", ""
		switch {
		case r == utf8.RuneError && size == 1:
			message, hint = fmt.Sprintf("byte 0x%02x is not UTF-8", text[i]), "save the file as UTF-8"
		case r == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			message, hint = "a carriage return stands alone", "end lines with a line feed"
		case r != '\n' && r != '\r':
			message, hint = unseen(r)
		}
		if message != "" {
			d.faults.add(Fault{Line: line, Column: column, Message: message, Hint: hint})
			return false
		}
		if i += size; r == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return true
}

// unseen says why a character has no place in a text that people read, or nothing.
func unseen(r rune) (message, hint string) {
	switch {
	case r < ' ' && r != '\t', r >= 0x7f && r <= 0x9f:
		return fmt.Sprintf("the control character 0x%02x cannot be seen", r), "remove it"
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return fmt.Sprintf("the invisible character U+%04X makes text look other than it is", r), "remove it"
	case r == 0x2028, r == 0x2029:
		return fmt.Sprintf("the invisible character U+%04X ends a line", r), "write the text as a block: |"
	}
	return "", ""
}

// written checks the characters that a scalar stands for: escapes and folded lines bring some that the file does not have.
func (d *document) written(n *node) {
	for i, r := range []rune(n.text) {
		message, hint := unseen(r)
		if r == '\n' {
			if n.style == block {
				continue
			}
			message, hint = "the text has a line feed", "write a text of several lines as a block: |"
		}
		if message != "" {
			at := d.trace(n)[i]
			d.faults.add(Fault{Line: at.line, Column: at.column, Path: n.path, Message: message, Hint: hint})
			return
		}
	}
}

// parse guards the YAML parser: what it gets is bounded in size and depth.
func (d *document) parse(text string) (file *ast.File) {
	// The parser is not ours and is fed by strangers; a panic of its is one more way to say that it cannot read the text.
	defer func() {
		if recover() != nil {
			d.faults.add(Fault{Message: "the file cannot be read as YAML", Hint: "take parts out until it can, then look at the last part"})
			file = nil
		}
	}()
	tokens := lexer.Tokenize(text)
	if !d.acceptable(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file
	}
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		d.refuse(syntax.Token, "this is not YAML: "+strings.ReplaceAll(syntax.Message, "\t", "tab"), yamlHint(syntax.Message))
	} else {
		d.faults.add(Fault{Message: "the file cannot be read as YAML"})
	}
	return nil
}

func yamlHint(message string) string {
	switch {
	case strings.Contains(message, "tab") || strings.Contains(message, "\t"):
		return "indent with spaces"
	case strings.Contains(message, "mapping value") || strings.Contains(message, "map key-value"):
		return "a text with ': ' in it needs quotes, or a block: when: |"
	}
	return "look at the indentation and the quotes; a condition that begins with a quote needs a block: when: |"
}

// acceptable checks the tokens before the parser sees them.
func (d *document) acceptable(tokens token.Tokens) bool {
	depth, keys, line, ok := 0, 0, 0, true
	for i, t := range tokens {
		if t.Position == nil {
			continue
		}
		first := t.Position.Line != line
		line = t.Position.Line
		if message, hint := foreign(t); message != "" {
			d.refuse(t, message, hint)
			ok = false
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.MappingValueType:
			keys++
		case token.SequenceEntryType:
			first = true // dashes nest on one line
		default: // neither deeper nor longer
		}
		if depth > maxDepth || keys > d.keys || i >= maxTokens || first && depth == 0 && t.Position.Column > maxIndent {
			d.refuse(t, "the file is larger or deeper than an agreement can be",
				fmt.Sprintf("at most %d keys, %d levels of brackets, %d columns of indentation", d.keys, maxDepth, maxIndent))
			return false
		}
	}
	return ok
}

// foreign says why a token has no place in an agreement, or nothing.
func foreign(t *token.Token) (message, hint string) {
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors, aliases and merges are not part of an agreement", "write the value out; a text that begins with & or * needs quotes"
	case token.TagType:
		return "a value cannot begin with '!'", "put the condition in a block (when: |), or in quotes"
	case token.DirectiveType, token.MappingKeyType:
		return fmt.Sprintf("%q is not part of an agreement", t.Value), "write key: value"
	default:
		return "", ""
	}
}

func (d *document) refuse(t *token.Token, message, hint string) {
	at := d.place(t)
	d.faults.add(Fault{Line: at.line, Column: at.column, Message: message, Hint: hint})
}

// place is where a token stands, kept inside the text.
func (d *document) place(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	line := min(max(t.Position.Line, 1), len(d.lines))
	return place{line, min(max(t.Position.Column, 1), len(d.lines[line-1])+1)}
}

// convert turns the parser's tree into ours.
func (d *document) convert(n ast.Node, path string) *node {
	out := &node{place: d.place(n.GetToken()), path: path}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		out.kind = mapping
		for _, v := range n.Values {
			d.entry(out, v)
		}
		if len(out.pairs) > 0 && n.Start != nil && n.Start.Type != token.MappingStartType {
			out.place = out.pairs[0].key.place // not the colon, which is what a block mapping starts with here
		}
	case *ast.SequenceNode:
		out.kind = list
		for i, v := range n.Values {
			out.items = append(out.items, d.joined(v, d.convert(v, fmt.Sprintf("%s[%d]", path, i))))
		}
	case *ast.LiteralNode:
		out.kind, out.style = scalar, block
		if n.Value != nil {
			out.text = n.Value.Value
		}
	case ast.ScalarNode:
		out.kind, out.text = scalar, n.GetToken().Value
		if t := n.GetToken().Type; t == token.SingleQuoteType {
			out.style = single
		} else if t == token.DoubleQuoteType {
			out.style = double
		}
		d.written(out)
	default:
		d.refuse(n.GetToken(), "this kind of value is not part of an agreement", "write a text, a number, a list or keys with values")
	}
	return out
}

// joined puts together again what the YAML parser takes apart: in a list within braces it reads env:NAME, which is a text,
// as a key and its value.
func (d *document) joined(item ast.Node, n *node) *node {
	if n.kind != mapping || len(n.pairs) != 1 {
		return n
	}
	key, value, colon := n.pairs[0].key, n.pairs[0].value, d.place(item.GetToken())
	if key.style != plain || value.kind != scalar || value.style != plain || value.line != colon.line || value.column != colon.column+1 {
		return n
	}
	return &node{place: key.place, path: n.path, kind: scalar, text: key.text + ":" + value.text}
}

func (d *document) entry(out *node, v *ast.MappingValueNode) {
	key := d.convert(v.Key, "")
	if key.kind != scalar {
		d.faults.at(key, "a key must be a plain word", "")
		return
	}
	key.path = key.text
	if out.path != "" {
		key.path = out.path + "." + key.text
	}
	if earlier := out.get(key.text); earlier != nil {
		d.faults.beside(key, fmt.Sprintf("the key %q stands twice", key.text), "its first value is in "+elsewhere+"; keep one", earlier.line)
		return
	}
	out.pairs = append(out.pairs, pair{key, d.convert(v.Value, key.path)})
}
