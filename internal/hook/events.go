package hook

import (
	"errors"
	"fmt"

	"github.com/leadpact/leadpact/internal/preset"
)

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
			if items, ok = spread(found); !ok {
				return nil, false, fmt.Errorf("%s is not an array of events", quoted(path))
			}
			batch = true
		}
		break
	}
	switch {
	case items == nil && !isContainer(root):
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
					next, batch = append(next, sc.elements(list)...), true
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
	if list, ok := sc.event.(array); ok {
		return sc.elements(list)
	}
	var out []scope
	o, _ := sc.event.(object)
	for _, m := range o {
		if isContainer(m.value) {
			out = append(out, scope{sc.root, m.value, m.name})
		}
	}
	return out
}

// elements are those of a list that was found at sc.
func (sc scope) elements(list array) []scope {
	out := make([]scope, len(list))
	for i, n := range list {
		out[i] = scope{sc.root, n, sc.key}
	}
	return out
}

// spread are the elements of the lists found; false when one is no list.
func spread(found []scope) ([]scope, bool) {
	var out []scope
	for _, sc := range found {
		list, ok := sc.event.(array)
		if !ok {
			return nil, false
		}
		out = append(out, sc.elements(list)...)
	}
	return out, true
}
