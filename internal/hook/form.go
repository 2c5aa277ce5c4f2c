package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxPairs bounds the fields of a form.
const maxPairs = 2000

// decodeForm reads a form, urlencoded or multipart, to the tree that a JSON body of the same things would give: contact[email] is the
// member email of contact, tags[] an element of tags, and a name that stands twice holds both. All values are texts; files are left out.
func decodeForm(r *Request) (node, error) {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, errors.New("the media type cannot be read")
	}
	f := form{}
	if t == "multipart/form-data" {
		err = f.multipart(r.Body, params["boundary"])
	} else {
		err = f.urlencoded(r.Body)
	}
	if err != nil {
		return nil, err
	}
	return f.root.node(), nil
}

type form struct {
	root  branch
	pairs int
}

func (f *form) urlencoded(body []byte) error {
	for pair := range bytes.SplitSeq(bytes.TrimRight(body, "\r\n"), []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		rawName, rawValue, _ := strings.Cut(string(pair), "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, err := url.QueryUnescape(rawValue)
		if err = errors.Join(nameErr, err); err != nil {
			return fmt.Errorf("field %d of the form has a %% that is not followed by two hex digits", f.pairs+1)
		}
		if err := f.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (f *form) multipart(body []byte, boundary string) error {
	if boundary == "" {
		return errors.New("the media type names no boundary")
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && f.pairs > 0 {
			return nil
		}
		if err != nil {
			return errors.New("the form's parts cannot be told apart: it is cut off, or the boundary is another")
		}
		if part.FileName() != "" {
			f.pairs++
			continue
		}
		value, err := io.ReadAll(part) // of a body that is bounded
		if err != nil {
			return errors.New("the form is cut off")
		}
		if err := f.add(part.FormName(), string(value)); err != nil {
			return err
		}
	}
}

func (f *form) add(name, value string) error {
	if f.pairs++; f.pairs > maxPairs {
		return fmt.Errorf("the form has more than %d fields", maxPairs)
	}
	for _, s := range []string{name, value} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return fmt.Errorf("field %d of the form is not valid UTF-8, or has a NUL in it", f.pairs)
		}
	}
	at := &f.root
	names := bracketed(name)
	if len(names) > maxDepth {
		return fmt.Errorf("field %d of the form is nested deeper than %d", f.pairs, maxDepth)
	}
	for _, part := range names {
		at = at.under(part)
	}
	at.values = append(at.values, value)
	return nil
}

// bracketed is a[b][] as a, b and "". A name that is not of this form is one name.
func bracketed(name string) []string {
	first, rest, found := strings.Cut(name, "[")
	if !found || first == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	parts := strings.Split(strings.TrimSuffix(rest, "]"), "][")
	for _, p := range parts {
		if strings.ContainsAny(p, "[]") {
			return []string{name}
		}
	}
	return append([]string{first}, parts...)
}

// branch is what stands under a name: values, other names, or both.
type branch struct {
	name   string
	values []string
	below  []*branch
	byName map[string]*branch
}

func (b *branch) under(name string) *branch {
	if name == "" { // a[]: an element of a
		return b
	}
	if found := b.byName[name]; found != nil {
		return found
	}
	if b.byName == nil {
		b.byName = map[string]*branch{}
	}
	made := &branch{name: name}
	b.below, b.byName[name] = append(b.below, made), made
	return made
}

// node is the branch as a tree: names win over values that stand beside them.
func (b *branch) node() node {
	switch {
	case len(b.below) > 0 || b.name == "":
		o := make(object, 0, len(b.below))
		for _, c := range b.below {
			o = append(o, member{c.name, c.node()})
		}
		return o
	case len(b.values) == 1:
		return b.values[0]
	}
	list := make(array, 0, len(b.values))
	for _, v := range b.values {
		list = append(list, v)
	}
	return list
}
