package hook

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/preset"
)

// What stands between the texts of one alternative.
const (
	joinWords = " "
	joinID    = ":"
)

// reader takes texts from events and keeps the first error.
type reader struct{ err error }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// quoted is a place or path for people: as it is written, so that it can be copied.
func quoted(at fmt.Stringer) string { return `"` + at.String() + `"` }

// text is the first alternative of a place that is filled. An id is filled only when all its parts are, so that two things never
// share one.
func (r *reader) text(sc scope, place preset.Place, limit int, between string) string {
	var odd error
	for _, paths := range place {
		s, missing := "", false
		for _, path := range paths {
			part, ok, err := sc.text(path, limit)
			if err != nil && odd == nil && !opened(place, path) {
				odd = err
			}
			if !ok || part == "" {
				missing = true
				continue
			}
			if s != "" {
				s += between
			}
			s += part
		}
		if s == "" || (missing && between == joinID) {
			continue
		}
		if len(s) > limit {
			r.fail(fmt.Errorf("%s is longer than %d bytes", quoted(place), limit))
			return ""
		}
		return s
	}
	if odd != nil {
		r.fail(odd)
	}
	return ""
}

// value is what stands at the first alternative that holds a value: an object is none, unless there is nothing else.
func (sc scope) value(place preset.Place) (node, bool) {
	var odd node
	for i := range place {
		n, ok := sc.first(place[i : i+1])
		if _, isObject := n.(object); isObject {
			if !opened(place, place[i][0]) {
				odd = n
			}
			continue
		}
		if ok {
			return n, true
		}
	}
	return odd, odd != nil
}

// opened says that another path of a place goes on where this one ends. An object there is then the sender's other way to write the
// thing, as {"company": {"value": ""}} beside {"company": "Acme"}, and no fault.
func opened(place preset.Place, path preset.Path) bool {
	for _, paths := range place {
		for _, other := range paths {
			if strings.HasPrefix(other.String(), path.String()+".") {
				return true
			}
		}
	}
	return false
}

// scope is where a path begins: the event, the body that it stands in, and the name under which it was found.
type scope struct {
	root, event node
	key         string
}

// text is the text at a path; false when nothing stands there.
func (sc scope) text(path preset.Path, limit int) (string, bool, error) {
	n, ok := sc.at(path)
	if !ok {
		return "", false, nil
	}
	s, ok := textOf(n)
	if !ok {
		return "", false, fmt.Errorf("%s is neither text, number nor true/false", quoted(path))
	}
	if len(s) > limit || !utf8.ValidString(s) {
		return "", false, fmt.Errorf("%s is longer than %d bytes", quoted(path), limit)
	}
	return s, true, nil
}

// first is what stands at the first alternative that is there; of several paths the texts are joined.
func (sc scope) first(place preset.Place) (node, bool) {
	for _, paths := range place {
		if len(paths) == 1 {
			if n, ok := sc.at(paths[0]); ok && n != "" {
				return n, true
			}
			continue
		}
		r := reader{}
		if s := r.text(sc, preset.Place{paths}, maxText, joinWords); s != "" {
			return s, true
		}
	}
	return nil, false
}

// at follows a path; false when something on the way is missing or null.
func (sc scope) at(path preset.Path) (node, bool) {
	if path.Constant != "" {
		return path.Constant, true
	}
	n := sc.event
	if path.Root {
		n = sc.root
	}
	for _, step := range path.Steps {
		var ok bool
		if n, ok = sc.step(n, step); !ok {
			return nil, false
		}
	}
	return n, n != nil && len(path.Steps) > 0
}

func (sc scope) step(n node, step preset.Step) (node, bool) {
	switch step.Kind {
	case preset.Member:
		switch v := n.(type) {
		case object:
			return v.get(step.Name)
		case array:
			if i, ok := step.Index(); ok && i < len(v) {
				return v[i], true
			}
		}
	case preset.Ending:
		o, _ := n.(object)
		for i := range o {
			if strings.HasSuffix(o[i].name, step.Name) {
				return o[i].value, true
			}
		}
	case preset.Like:
		o, _ := n.(object)
		for i := range o {
			if step.Pattern.MatchString(o[i].name) {
				return o[i].value, true
			}
		}
	case preset.Where:
		list, isList := n.(array)
		if !isList {
			list = array{n}
		}
		for _, element := range list {
			if within(element, step.Name) == step.Value {
				return element, true
			}
		}
	case preset.Key:
		return sc.key, sc.key != ""
	case preset.Each, preset.Items: // they lead to events, not to a value
	}
	return nil, false
}

// within is the text at a dotted name in n; "" when there is none.
func within(n node, dotted string) string {
	for name := range strings.SplitSeq(dotted, ".") {
		o, ok := n.(object)
		if !ok {
			return ""
		}
		if n, ok = o.get(name); !ok {
			return ""
		}
	}
	s, _ := textOf(n)
	return s
}
