package hook

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// kinds of outcome that a source may report.
var outcomes = []string{"accepted", "attempt", "reached", "qualified", "won", "lost"}

// typed reads a value as the field's type; an empty text is no knowledge and gives nil. A list says as text what it holds, and is
// otherwise as good as its one element.
func typed(t agreement.FieldType, n node) (*eventv1.Value, error) {
	s, ok := textOf(n)
	if list, isList := n.(array); isList {
		s, ok = textOfList(list)
	}
	if !ok {
		return nil, errors.New("neither text, number nor true/false")
	}
	if s == "" {
		return nil, nil //nolint:nilnil // nothing was said
	}
	switch t {
	case agreement.Number:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != f || f > 1e300 || f < -1e300 {
			return nil, errors.New("not a number")
		}
		return &eventv1.Value{Kind: &eventv1.Value_Number{Number: f}}, nil
	case agreement.Flag:
		b, err := flag(s)
		if err != nil {
			return nil, err
		}
		return &eventv1.Value{Kind: &eventv1.Value_Flag{Flag: b}}, nil
	case agreement.Text:
	}
	if len(s) > maxText {
		return nil, fmt.Errorf("longer than %d bytes", maxText)
	}
	return &eventv1.Value{Kind: &eventv1.Value_Text{Text: s}}, nil
}

func flag(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return false, errors.New("neither true nor false")
	}
	return b, nil
}

func textOfList(list array) (string, bool) {
	texts := make([]string, 0, len(list))
	for _, n := range list {
		s, ok := textOf(n)
		if !ok {
			return "", false
		}
		texts = append(texts, s)
	}
	return strings.Join(texts, ", "), true
}

// outcome reads what sales did: an object or a word at its place, or a kind of event that the mapping calls an outcome. Who did it
// and why stands in that object, else where the mapping says.
func (s *Source) outcome(r *reader, lr *eventv1.LeadReceived, sc scope) {
	out := &eventv1.Outcome{}
	for i := range s.Map.Outcome {
		if s.outcomeAt(r, out, sc, s.Map.Outcome[i:i+1]); slices.Contains(outcomes, out.GetKind()) {
			break // a word that is none may stand before one that is
		}
	}
	if ours, ok := s.Map.Outcomes[lr.GetKind()]; ok {
		out.Kind = ours
	}
	if !slices.Contains(outcomes, out.GetKind()) {
		if out.GetKind() != "" && len(s.Map.Outcomes) == 0 { // where the words are translated, others mean nothing to us
			r.fail(fmt.Errorf("the outcome is none of %s", strings.Join(outcomes, ", ")))
		}
		return
	}
	if out.GetRep() == "" {
		out.Rep = r.text(sc, s.Map.Rep, maxID, joinWords)
	}
	if out.GetReason() == "" {
		out.Reason = r.text(sc, s.Map.Reason, maxText, joinWords)
	}
	lr.Outcome = out
}

// outcomeAt reads the outcome at one place: an object with kind, rep and reason, or a word.
func (s *Source) outcomeAt(r *reader, out *eventv1.Outcome, sc scope, place preset.Place) {
	n, ok := sc.first(place)
	if !ok {
		return
	}
	if _, isObject := n.(object); isObject {
		of := scope{root: sc.root, event: n}
		out.Kind, out.Rep = r.text(of, memberNamed("kind"), maxID, joinWords), r.text(of, memberNamed("rep"), maxID, joinWords)
		out.Reason = r.text(of, memberNamed("reason"), maxText, joinWords)
		if out.GetKind() == "" && !opened(s.Map.Outcome, place[0][0]) {
			r.fail(errors.New("the outcome has no kind"))
		}
	} else {
		out.Kind = r.text(sc, place, maxID, joinWords)
	}
	if ours, ok := s.Map.Outcomes[out.GetKind()]; ok {
		out.Kind = ours
	}
}

// memberNamed is the place of an object's own member.
func memberNamed(name string) preset.Place {
	return preset.Place{{{Steps: []preset.Step{{Name: name}}}}}
}

// mode is history when the event says so and the agreement lets the source.
func (s *Source) mode(r *reader, e *eventv1.Event, sc scope) {
	switch r.text(sc, s.Map.Mode, 16, joinWords) {
	case "", "live":
	case "history":
		if !s.History {
			r.fail(errors.New("the agreement does not let this source send history: set history: true on it"))
			return
		}
		e.Mode = eventv1.Mode_MODE_HISTORY
	default:
		r.fail(errors.New(`mode is neither "live" nor "history"`))
	}
}

// occurred reads RFC 3339, a date and time without a zone, which is UTC's, or seconds or milliseconds since 1970; nothing means now.
func occurred(r *reader, s string, now time.Time) int64 {
	if s == "" {
		return event.Micros(now)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		n, numErr := strconv.ParseInt(s, 10, 64)
		switch {
		case numErr != nil:
			if t, err = time.Parse(time.DateTime, s); err != nil {
				r.fail(errors.New("occurred_at is neither RFC 3339 (2026-01-31T09:00:00Z) nor seconds or milliseconds since 1970"))
				return 0
			}
		case n > 1e11 || n < -1e11:
			t = time.UnixMilli(n)
		default:
			t = time.Unix(n, 0)
		}
	}
	if y := t.UTC().Year(); y < 1970 || y > 2200 {
		r.fail(errors.New("occurred_at lies before 1970 or after 2200"))
		return 0
	}
	return event.Micros(t)
}

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
			r.fail(fmt.Errorf("%q is longer than %d bytes", place, limit))
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
		return "", false, fmt.Errorf("%q is neither text, number nor true/false", path)
	}
	if len(s) > limit || !utf8.ValidString(s) {
		return "", false, fmt.Errorf("%q is longer than %d bytes", path, limit)
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

// list finds the events of a body. batch says that it may hold several: their places tell them apart.
func list(root node, paths preset.Paths) (items []scope, batch bool, err error) {
	if len(paths) == 0 {
		if _, ok := root.(object); !ok {
			return nil, false, errors.New("the body is not one object")
		}
		return []scope{{root: root, event: root}}, false, nil
	}
	for _, path := range paths {
		found, several, ok := walk([]scope{{root: root, event: root}}, path)
		if !ok {
			continue
		}
		items, batch = found, several
		last := path.Steps[len(path.Steps)-1]
		if last.Kind == preset.Member || last.Kind == preset.Where {
			if items, ok = elements(found); !ok {
				return nil, false, fmt.Errorf("%q is not an array of events", path)
			}
			batch = true
		}
		break
	}
	switch {
	case items == nil && len(paths) > 0 && !isContainer(root):
		return nil, false, errors.New("the body is neither an object nor an array of objects")
	case len(items) == 0:
		return nil, batch, errors.New("the body holds no events")
	case len(items) > maxEvents:
		return nil, batch, fmt.Errorf("the body holds %d events, at most %d are taken at once", len(items), maxEvents)
	case !batch && !isContainer(items[0].event):
		return nil, false, errors.New("the body is neither an object nor an array of objects")
	}
	return items, batch, nil
}

func isContainer(n node) bool {
	switch n.(type) {
	case object, array:
		return true
	}
	return false
}

// walk follows a path that may lead to many; ok is false when nothing stands there.
func walk(at []scope, path preset.Path) (out []scope, batch, ok bool) {
	for _, step := range path.Steps {
		var next []scope
		for _, sc := range at {
			switch step.Kind {
			case preset.Each:
				next, batch = append(next, each(sc)...), true
			case preset.Items:
				if list, isList := sc.event.(array); isList {
					batch = true
					for _, n := range list {
						next = append(next, scope{sc.root, n, sc.key})
					}
				} else {
					next = append(next, sc)
				}
			default:
				if n, found := sc.step(sc.event, step); found && n != nil {
					next = append(next, scope{sc.root, n, sc.key})
				}
			}
		}
		if at = next; len(at) == 0 {
			return nil, batch, batch
		}
	}
	return at, batch, true
}

// each is what stands in an array, or under the names of an object: there a scalar is no event.
func each(sc scope) []scope {
	var out []scope
	switch v := sc.event.(type) {
	case array:
		for _, n := range v {
			out = append(out, scope{sc.root, n, sc.key})
		}
	case object:
		for _, m := range v {
			if isContainer(m.value) {
				out = append(out, scope{sc.root, m.value, m.name})
			}
		}
	}
	return out
}

// elements are those of the one array found; false when there is none.
func elements(found []scope) ([]scope, bool) {
	var out []scope
	for _, sc := range found {
		list, ok := sc.event.(array)
		if !ok {
			return nil, false
		}
		for _, n := range list {
			out = append(out, scope{sc.root, n, sc.key})
		}
	}
	return out, true
}
